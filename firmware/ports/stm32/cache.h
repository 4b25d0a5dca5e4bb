/*
 * The level 1 caches of a Cortex-M7.
 * Source: Arm DDI 0403 (ARMv7-M ARM), B3.2.8 (CCR), B4.8 (cache identification) and B2.2.7 (cache
 * maintenance by set and way).
 */
#ifndef BENCH_STM32_CACHE_H
#define BENCH_STM32_CACHE_H

#include <stdint.h>

#define SCB_CCR (*(volatile uint32_t *)0xE000ED14u)
#define SCB_CCSIDR (*(volatile uint32_t *)0xE000ED80u)
#define SCB_CSSELR (*(volatile uint32_t *)0xE000ED84u)
#define SCB_ICIALLU (*(volatile uint32_t *)0xE000EF50u)
#define SCB_DCISW (*(volatile uint32_t *)0xE000EF60u)
#define SCB_DCCISW (*(volatile uint32_t *)0xE000EF74u)

#define CCR_DC (1u << 16)
#define CCR_IC (1u << 17)

#define CSSELR_DATA_LEVEL_1 0u
#define CACHE_SET_SHIFT 5 /* lines of 32 bytes */

static inline void cache_barrier(void)
{
    __asm volatile("dsb \n isb" ::: "memory");
}

/* Does one operation by set and way on all lines of the data cache. */
static inline void dcache_all(volatile uint32_t *operation)
{
    SCB_CSSELR = CSSELR_DATA_LEVEL_1;
    cache_barrier();
    const uint32_t ccsidr = SCB_CCSIDR;
    const uint32_t last_set = (ccsidr >> 13) & 0x7FFFu, last_way = (ccsidr >> 3) & 0x3FFu;
    const uint32_t way_shift = last_way == 0u ? 0u : (uint32_t)__builtin_clz(last_way);
    for (uint32_t set = 0; set <= last_set; set++) {
        for (uint32_t way = 0; way <= last_way; way++) {
            *operation = way << way_shift | set << CACHE_SET_SHIFT;
        }
    }
    cache_barrier();
}

static inline void icache_on(void)
{
    cache_barrier();
    SCB_ICIALLU = 0;
    cache_barrier();
    SCB_CCR |= CCR_IC;
    cache_barrier();
}

/* What the cache held before is forgotten. */
static inline void dcache_on(void)
{
    dcache_all(&SCB_DCISW);
    SCB_CCR |= CCR_DC;
    cache_barrier();
}

/* What the cache held and memory did not is written first. */
static inline void dcache_off(void)
{
    SCB_CCR &= ~CCR_DC;
    cache_barrier();
    dcache_all(&SCB_DCCISW);
}

#endif
