/*
 * The CMSDK dual timer at 25 MHz, both halves free-running: one counts every tick, the other
 * every 256th. Together they are a clock of 40 bits (12 hours) without an interrupt, which would
 * disturb what is measured.
 * Source: Arm DDI 0479 (Cortex-M System Design Kit), "APB dual-input timers".
 */
#include "clk.h"

typedef struct {
    volatile uint32_t LOAD;
    volatile uint32_t VALUE;
    volatile uint32_t CONTROL;
    volatile uint32_t INTCLR;
    volatile uint32_t RIS;
    volatile uint32_t MIS;
    volatile uint32_t BGLOAD;
    volatile uint32_t RESERVED;
} CMSDK_DUALTIMER_SINGLE_TypeDef;

#define DUALTIMER ((CMSDK_DUALTIMER_SINGLE_TypeDef *)0x40002000u)
#define FINE (DUALTIMER[0])
#define COARSE (DUALTIMER[1])

#define TIMER_ENABLE (1u << 7)
#define TIMER_PRESCALE_256 (2u << 2)
#define TIMER_32BIT (1u << 1)

#define COARSE_SHIFT 8
#define SETTLE_POLLS 1000u

const clk_info_t clk_info = {
    .kind = CLK_TIMER,
    .tick_hz = 25000000u,
    .mask = (1ull << (32 + COARSE_SHIFT)) - 1u,
};

int32_t clk_init(void)
{
    FINE.LOAD = UINT32_MAX;
    COARSE.LOAD = UINT32_MAX;
    COARSE.CONTROL = TIMER_ENABLE | TIMER_PRESCALE_256 | TIMER_32BIT;
    FINE.CONTROL = TIMER_ENABLE | TIMER_32BIT;

    const uint32_t fine = FINE.VALUE;
    const uint32_t coarse = COARSE.VALUE;
    for (uint32_t i = 0; i < SETTLE_POLLS; i++) {
        if (FINE.VALUE != fine && COARSE.VALUE != coarse) {
            return 0;
        }
    }
    return -1;
}

uint64_t clk_now(void)
{
    /* Both count down. The coarse half says which lap the fine one is on. */
    const uint64_t lap = (uint64_t)~COARSE.VALUE << COARSE_SHIFT;
    const uint32_t fine = ~FINE.VALUE;
    return lap + (uint64_t)(int64_t)(int32_t)(fine - (uint32_t)lap);
}
