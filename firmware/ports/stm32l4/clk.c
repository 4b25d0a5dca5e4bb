/* Core cycles at 120 MHz; TIM2 counts the laps. */
#include "clk.h"

#include "clocks.h"
#include "rcc.h"
#include "stm32/laps.h"

#define TIM2 ((TIM_TypeDef *)0x40000000u)

const clk_info_t clk_info = {
    .kind = CLK_CORE_CYCLES,
    .tick_hz = CORE_HZ,
    .mask = CYCLES_MASK,
};

int32_t clk_init(void)
{
    RCC_APB1ENR1 |= RCC_APB1ENR1_TIM2;
    (void)RCC_APB1ENR1; /* the timer listens two cycles later (RM0432, 6.2.18) */
    return cycles_start(TIM2, TIMER_CYCLES);
}

uint64_t clk_now(void)
{
    return cycles_now(TIM2);
}
