/*
 * Core cycles at 64 MHz; TIMER1, at 16 MHz / 64, counts every 256th of them and so tells the laps.
 * Its count is read by capturing it.
 */
#include "clk.h"

#include "common/cycles.h"
#include "nrf52/nrf52.h"

#define TIMER_PRESCALER 6u /* 2^6 */

const clk_info_t clk_info = {
    .kind = CLK_CORE_CYCLES,
    .tick_hz = 64000000u,
    .mask = CYCLES_MASK,
};

static uint32_t laps_now(void)
{
    TIMER1_TASKS_CAPTURE0 = 1;
    return TIMER1_CC0;
}

int32_t clk_init(void)
{
    TIMER1_BITMODE = TIMER1_BITMODE_32;
    TIMER1_PRESCALER = TIMER_PRESCALER;
    TIMER1_TASKS_CLEAR = 1;
    cycles_start_fine();
    TIMER1_TASKS_START = 1;

    const uint32_t fine = DWT_CYCCNT;
    const uint32_t coarse = laps_now();
    for (uint32_t i = 0; i < CYCLES_SETTLE_POLLS; i++) {
        if (DWT_CYCCNT != fine && laps_now() != coarse) {
            return 0;
        }
    }
    return -1;
}

uint64_t clk_now(void)
{
    return cycles_joined(laps_now(), DWT_CYCCNT);
}
