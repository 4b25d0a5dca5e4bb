/*
 * HSE 8 MHz / 4 * 216 / 2 = 216 MHz, with over-drive; APB1 at 54 MHz, APB2 at 108 MHz. The second
 * opinion on that is a low-power timer on HSI.
 * Source: ST RM0385, table 5 (wait states), 5.3.23 (kernel clocks), 22.7 (LPTIM).
 */
#include "clocks.h"

#include "stm32/lptim.h"
#include "stm32/overdrive.h"

#define LPTIM1 ((LPTIM_TypeDef *)0x40002400u)

#define RCC_APB1ENR_LPTIM1 (1u << 9)
#define RCC_DCKCFGR2_LPTIM1_HSI (2u << 24)

enum {
    PLL_M = 4,
    PLL_N = 216,
    PLL_Q = 9, /* 48 MHz, which nothing here uses; it must not be above that */
};

board_fault_t clocks_start(void)
{
    static const clock_tree_t tree = {
        .pllcfgr = RCC_PLLCFGR_SRC_HSE | RCC_PLLCFGR_M(PLL_M) | RCC_PLLCFGR_N(PLL_N) |
                   RCC_PLLCFGR_P_2 | RCC_PLLCFGR_Q(PLL_Q),
        .wait_states = FLASH_WAIT_STATES,
        .acr = FLASH_ACR_PRFTEN | FLASH_ACR_ARTEN,
    };
    return hse_starts() ? overdrive_start(&tree) : BOARD_OSCILLATOR_DEAD;
}

uint32_t clocks_measure(void)
{
    RCC->APB1ENR |= RCC_APB1ENR_LPTIM1;
    RCC->DCKCFGR2 |= RCC_DCKCFGR2_LPTIM1_HSI;
    return lptim_core_hz(LPTIM1, HSI_HZ);
}
