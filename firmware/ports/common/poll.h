/* Waits for flags, each bounded: a board that does not come up says so instead of hanging. */
#ifndef BENCH_COMMON_POLL_H
#define BENCH_COMMON_POLL_H

#include <stdbool.h>
#include <stdint.h>

/* At 16 MHz, 6 instructions a poll, more than 100 ms: no oscillator or PLL takes a tenth of it. */
#define POLLS_MAX 300000u

/* Whether the bits of `mask` read as `wanted` within so many polls. */
static inline bool reads_soon_within(const volatile uint32_t *reg, uint32_t mask, uint32_t wanted,
                                     uint32_t polls_max)
{
    for (uint32_t polls = 0; polls < polls_max; polls++) {
        if ((*reg & mask) == wanted) {
            return true;
        }
    }
    return false;
}

static inline bool reads_soon(const volatile uint32_t *reg, uint32_t mask, uint32_t wanted)
{
    return reads_soon_within(reg, mask, wanted, POLLS_MAX);
}

#endif
