/*
 * The low-power timer as a second clock: on a kernel clock of its own it tells the frequency of the
 * core. The same block in STM32F7, L4+ and H7.
 * Source: ST RM0385, section 22.7 (LPTIM registers); RM0432 and RM0433 for the same names.
 */
#ifndef BENCH_STM32_LPTIM_H
#define BENCH_STM32_LPTIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cycles.h"
#include "divide.h"

typedef struct {
    volatile uint32_t ISR;
    volatile uint32_t ICR;
    volatile uint32_t IER;
    volatile uint32_t CFGR;
    volatile uint32_t CR;
    volatile uint32_t CMP;
    volatile uint32_t ARR;
    volatile uint32_t CNT;
} LPTIM_TypeDef;

#define LPTIM_CFGR_PRESC_128 (7u << 9)
#define LPTIM_CR_ENABLE (1u << 0)
#define LPTIM_CR_CNTSTRT (1u << 2)

enum {
    LPTIM_PRESCALER = 128,
    LPTIM_TICKS = 125,       /* 1 ms of a kernel clock of 16 MHz */
    LPTIM_POLLS_MAX = 10000, /* a tick takes at most 4,000 core cycles, a poll at least 10 */
};

/* Counted asynchronously: a value counts when it reads the same twice (RM0385, 22.7.8). */
static inline uint32_t lptim_count(const LPTIM_TypeDef *timer)
{
    uint32_t count = timer->CNT;
    for (uint32_t polls = 0; polls < LPTIM_POLLS_MAX; polls++) {
        const uint32_t again = timer->CNT;
        if (again == count) {
            return count;
        }
        count = again;
    }
    return 0;
}

/* Waits until the timer has moved on from `from`. Whether it did. */
static inline bool lptim_moves(const LPTIM_TypeDef *timer, uint32_t from)
{
    for (uint32_t polls = 0; polls < LPTIM_POLLS_MAX; polls++) {
        if (lptim_count(timer) != from) {
            return true;
        }
    }
    return false;
}

/*
 * The core's frequency, counted while the timer, which has its clock of `kernel_hz`, makes
 * LPTIM_TICKS ticks; 0 when it stands still.
 */
static inline uint32_t lptim_core_hz(LPTIM_TypeDef *timer, uint32_t kernel_hz)
{
    timer->CFGR = LPTIM_CFGR_PRESC_128;
    timer->CR = LPTIM_CR_ENABLE;
    timer->ARR = UINT16_MAX;
    timer->CR = LPTIM_CR_ENABLE | LPTIM_CR_CNTSTRT;

    cycles_start_fine();
    uint32_t ticks = 0, cycles = 0;
    if (lptim_moves(timer, lptim_count(timer))) {
        const uint32_t first = lptim_count(timer), begin = DWT_CYCCNT;
        while (ticks < LPTIM_TICKS && lptim_moves(timer, (first + ticks) & UINT16_MAX)) {
            ticks = (lptim_count(timer) - first) & UINT16_MAX;
        }
        cycles = DWT_CYCCNT - begin;
    }
    timer->CR = 0;
    if (ticks < LPTIM_TICKS) {
        return 0;
    }
    return (uint32_t)divide((uint64_t)cycles * (kernel_hz / LPTIM_PRESCALER), ticks);
}

#endif
