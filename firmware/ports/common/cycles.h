/*
 * Core cycles: the DWT's counter of 32 bits, which a port joins with a timer that counts every
 * 256th cycle and so tells on which lap the fine one is. Together a clock of 40 bits without an
 * interrupt. Source: Arm DDI 0403 (ARMv7-M ARM), C1.8 (DWT); Arm DDI 0489 (Cortex-M7 TRM), software
 * lock.
 */
#ifndef BENCH_COMMON_CYCLES_H
#define BENCH_COMMON_CYCLES_H

#include <stdint.h>

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

/* The count of all cycles, of the timer's reading and the fine one that followed it. */
static inline uint64_t cycles_joined(uint32_t coarse, uint32_t fine)
{
    const uint64_t lap = (uint64_t)coarse << CYCLES_COARSE_SHIFT;
    return lap + (uint64_t)(int64_t)(int32_t)(fine - (uint32_t)lap);
}

#endif
