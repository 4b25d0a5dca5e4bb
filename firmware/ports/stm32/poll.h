/* Waits for flags, each bounded: a board that does not come up says so instead of hanging. */
#ifndef BENCH_STM32_POLL_H
#define BENCH_STM32_POLL_H

#include <stdbool.h>
#include <stdint.h>

/* At 16 MHz, 6 instructions a poll, more than 100 ms: no oscillator or PLL takes a tenth of it. */
#define POLLS_MAX 300000u

/* Whether the bits of `mask` read as `wanted` before patience ends. */
static inline bool reads_soon(const volatile uint32_t *reg, uint32_t mask, uint32_t wanted)
{
    for (uint32_t polls = 0; polls < POLLS_MAX; polls++) {
        if ((*reg & mask) == wanted) {
            return true;
        }
    }
    return false;
}

#endif
