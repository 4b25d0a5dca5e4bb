/* Core cycles at 180 MHz; TIM2 counts the laps. */
#include "clk.h"

#include "clocks.h"
#include "stm32/laps.h"
#include "stm32/rcc.h"

#define TIM2 ((TIM_TypeDef *)0x40000000u)

const clk_info_t clk_info = {
    .kind = CLK_CORE_CYCLES,
    .tick_hz = CORE_HZ,
    .mask = CYCLES_MASK,
};

int32_t clk_init(void)
{
    RCC->APB1ENR |= RCC_APB1ENR_TIM2;
    (void)RCC->APB1ENR; /* the timer listens two cycles later (RM0390, 6.2.13) */
    return cycles_start(TIM2, TIMER_CYCLES);
}

uint64_t clk_now(void)
{
    return cycles_now(TIM2);
}
