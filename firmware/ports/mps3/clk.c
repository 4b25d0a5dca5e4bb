/*
 * The system counter of the SSE-300 subsystem: 64 bits at 32 MHz.
 * Source: Arm 101773 (Corstone SSE-300 TRM), "System counter"; clock: Arm DAI 0547.
 */
#include "clk.h"

typedef struct {
    volatile uint32_t CNTCR;
    volatile uint32_t CNTSR;
} SSE_COUNTER_CONTROL_TypeDef;

typedef struct {
    volatile uint32_t CNTCV_LOW;
    volatile uint32_t CNTCV_HIGH;
} SSE_COUNTER_STATUS_TypeDef;

#define SSE_COUNTER_CONTROL ((SSE_COUNTER_CONTROL_TypeDef *)0x58100000u)
#define SSE_COUNTER_STATUS ((SSE_COUNTER_STATUS_TypeDef *)0x58101000u)

#define CNTCR_EN (1u << 0)
#define SETTLE_POLLS 1000u

const clk_info_t clk_info = {
    .kind = CLK_TIMER,
    .tick_hz = 32000000u,
    .mask = UINT64_MAX,
};

int32_t clk_init(void)
{
    SSE_COUNTER_CONTROL->CNTCR = CNTCR_EN;

    const uint32_t first = SSE_COUNTER_STATUS->CNTCV_LOW;
    for (uint32_t i = 0; i < SETTLE_POLLS; i++) {
        if (SSE_COUNTER_STATUS->CNTCV_LOW != first) {
            return 0;
        }
    }
    return -1;
}

uint64_t clk_now(void)
{
    /* Where the low half wrapped between the reads of the high one, its own value says on which
       side it was read; no loop, so that every reading takes the same instructions. */
    const uint32_t before = SSE_COUNTER_STATUS->CNTCV_HIGH;
    const uint32_t low = SSE_COUNTER_STATUS->CNTCV_LOW;
    const uint32_t after = SSE_COUNTER_STATUS->CNTCV_HIGH;
    const uint32_t is_low_late = 1u - (low >> 31);
    const uint32_t high = before + (after - before) * is_low_late;
    return ((uint64_t)high << 32) | low;
}
