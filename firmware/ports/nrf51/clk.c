/*
 * TIMER 0 of the nRF51, the one with 32 bits, at 16 MHz. It wraps after 268 seconds. A capture
 * task copies the counter to where it can be read.
 * Source: Nordic nRF51 Series Reference Manual v3.0.1, 18 "Timer/counter (TIMER)".
 */
#include "clk.h"

typedef struct {
    volatile uint32_t TASKS_START; /* 0x000 */
    volatile uint32_t RESERVED0[15];
    volatile uint32_t TASKS_CAPTURE[4]; /* 0x040 */
    volatile uint32_t RESERVED1[302];
    volatile uint32_t BITMODE; /* 0x508 */
    volatile uint32_t RESERVED2;
    volatile uint32_t PRESCALER; /* 0x510 */
    volatile uint32_t RESERVED3[11];
    volatile uint32_t CC[4]; /* 0x540 */
} NRF_TIMER_Type;

_Static_assert(__builtin_offsetof(NRF_TIMER_Type, BITMODE) == 0x508, "reference manual");
_Static_assert(__builtin_offsetof(NRF_TIMER_Type, CC) == 0x540, "reference manual");

#define NRF_TIMER0 ((NRF_TIMER_Type *)0x40008000u)

#define TIMER_BITMODE_32 3u

/* The crystal, which a radio needs and a clock deserves; the core starts on an RC oscillator. */
#define CLOCK_TASKS_HFCLKSTART (*(volatile uint32_t *)0x40000000u)

#define SETTLE_POLLS 1000u

const clk_info_t clk_info = {
    .kind = CLK_TIMER,
    .tick_hz = 16000000u,
    .mask = UINT32_MAX,
};

int32_t clk_init(void)
{
    CLOCK_TASKS_HFCLKSTART = 1;
    NRF_TIMER0->BITMODE = TIMER_BITMODE_32;
    NRF_TIMER0->PRESCALER = 0;
    NRF_TIMER0->TASKS_START = 1;

    const uint64_t begin = clk_now();
    for (uint32_t i = 0; i < SETTLE_POLLS; i++) {
        if (clk_now() != begin) {
            return 0;
        }
    }
    return -1;
}

uint64_t clk_now(void)
{
    NRF_TIMER0->TASKS_CAPTURE[0] = 1;
    return NRF_TIMER0->CC[0];
}
