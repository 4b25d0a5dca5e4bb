/*
 * Core cycles: the DWT's counter of 32 bits, and a timer that counts every 256th cycle and so tells
 * on which lap the fine one is. Together a clock of 40 bits without an interrupt.
 * Source: Arm DDI 0403 (ARMv7-M ARM), C1.8 (DWT); Arm DDI 0489 (Cortex-M7 TRM), software lock;
 * ST RM0385, section 23.4 (TIM2 registers).
 */
#ifndef BENCH_STM32_CYCLES_H
#define BENCH_STM32_CYCLES_H

#include <stdint.h>

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

#define DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define DWT_LAR (*(volatile uint32_t *)0xE0001FB0u)

#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL_CYCCNTENA (1u << 0)
#define DWT_UNLOCK 0xC5ACCE55u

#define CYCLES_COARSE_SHIFT 8
#define CYCLES_MASK ((1ull << (32 + CYCLES_COARSE_SHIFT)) - 1u)
#define CYCLES_SETTLE_POLLS 1000u

static inline void cycles_start_fine(void)
{
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = DWT_UNLOCK;
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

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
    const uint64_t lap = (uint64_t)timer->CNT << CYCLES_COARSE_SHIFT;
    const uint32_t fine = DWT_CYCCNT;
    return lap + (uint64_t)(int64_t)(int32_t)(fine - (uint32_t)lap);
}

#endif
