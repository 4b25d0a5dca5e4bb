/*
 * The timer that counts laps of the cycle counter.
 * Source: ST RM0385, section 23.4 (TIM2 registers).
 */
#ifndef BENCH_STM32_LAPS_H
#define BENCH_STM32_LAPS_H

#include <stdint.h>

#include "common/cycles.h"

typedef struct {
    volatile uint32_t CR1;
    volatile uint32_t CR2;
    volatile uint32_t SMCR;
    volatile uint32_t DIER;
    volatile uint32_t SR;
    volatile uint32_t EGR;
    volatile uint32_t CCMR[2];
    volatile uint32_t CCER;
    volatile uint32_t CNT;
    volatile uint32_t PSC;
    volatile uint32_t ARR;
} TIM_TypeDef;

#define TIM_CR1_CEN (1u << 0)
#define TIM_EGR_UG (1u << 0)

/* `timer_cycles` are core cycles to one of the timer's clock. Returns 0 when both were seen to
 * count, -1 otherwise. */
static inline int32_t cycles_start(TIM_TypeDef *timer, uint32_t timer_cycles)
{
    timer->CR1 = 0;
    timer->PSC = (1u << CYCLES_COARSE_SHIFT) / timer_cycles - 1u;
    timer->ARR = UINT32_MAX;
    timer->EGR = TIM_EGR_UG; /* takes the prescaler, and begins at 0 */
    cycles_start_fine();
    timer->CR1 = TIM_CR1_CEN;

    const uint32_t fine = DWT_CYCCNT;
    const uint32_t coarse = timer->CNT;
    for (uint32_t i = 0; i < CYCLES_SETTLE_POLLS; i++) {
        if (DWT_CYCCNT != fine && timer->CNT != coarse) {
            return 0;
        }
    }
    return -1;
}

static inline uint64_t cycles_now(const TIM_TypeDef *timer)
{
    const uint32_t coarse = timer->CNT;
    return cycles_joined(coarse, DWT_CYCCNT);
}

#endif
