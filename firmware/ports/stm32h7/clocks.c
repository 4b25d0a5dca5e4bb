/*
 * HSE 8 MHz / 4 * 400 / 2 = 400 MHz, which every revision reaches without the overdrive of scale 0;
 * AXI at 200 MHz, all APB at 100 MHz. The second opinion on that is a low-power timer on HSI.
 * Source: ST RM0433, 6.4.1 (the supply is chosen once), 6.6.2 (voltage scaling), 8.5.5 (PLL: input
 * range 2 to 4 MHz, wide VCO), table 17 (wait states and programming delay).
 */
#include "clocks.h"

#include "common/poll.h"
#include "rcc.h"
#include "stm32/lptim.h"

#define LPTIM1 ((LPTIM_TypeDef *)0x40002400u)

enum { PLL_M = 4, PLL_N = 400, PLL_P = 2 };

static board_fault_t supply_start(void)
{
    PWR_CR3 = PWR_CR3_LDOEN;
    if (!reads_soon(&PWR_CSR1, PWR_CSR1_ACTVOSRDY, PWR_CSR1_ACTVOSRDY)) {
        return BOARD_REGULATOR_LOW;
    }
    PWR_D3CR = PWR_D3CR_VOS_SCALE_1;
    return reads_soon(&PWR_D3CR, PWR_D3CR_VOSRDY, PWR_D3CR_VOSRDY) ? BOARD_UP : BOARD_REGULATOR_LOW;
}

static board_fault_t pll_start(void)
{
    RCC_CR |= RCC_CR_HSEBYP;
    RCC_CR |= RCC_CR_HSEON;
    if (!reads_soon(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY)) {
        return BOARD_OSCILLATOR_DEAD;
    }
    RCC_PLLCKSELR = RCC_PLLCKSELR_SRC_HSE | RCC_PLLCKSELR_DIVM1(PLL_M);
    RCC_PLLCFGR = RCC_PLLCFGR_PLL1RGE_2_4_MHZ | RCC_PLLCFGR_DIVP1EN;
    RCC_PLL1DIVR = RCC_PLL1DIVR_N(PLL_N) | RCC_PLL1DIVR_P(PLL_P);
    RCC_CR |= RCC_CR_PLL1ON;
    return reads_soon(&RCC_CR, RCC_CR_PLL1RDY, RCC_CR_PLL1RDY) ? BOARD_UP : BOARD_PLL_UNLOCKED;
}

board_fault_t clocks_start(void)
{
    board_fault_t fault = supply_start();
    if (fault == BOARD_UP) {
        fault = pll_start();
    }
    if (fault != BOARD_UP) {
        return fault;
    }
    FLASH_ACR = FLASH_WAIT_STATES | FLASH_ACR_WRHIGHFREQ_2;
    if (!reads_soon(&FLASH_ACR, FLASH_ACR_LATENCY, FLASH_WAIT_STATES)) {
        return BOARD_FLASH_TOO_FAST;
    }
    RCC_D1CFGR = RCC_D1CFGR_HPRE_2 | RCC_D1CFGR_D1PPRE_2;
    RCC_D2CFGR = RCC_D2CFGR_D2PPRE1_2 | RCC_D2CFGR_D2PPRE2_2;
    RCC_D3CFGR = RCC_D3CFGR_D3PPRE_2;
    RCC_CFGR |= RCC_CFGR_SW_PLL1;
    return reads_soon(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL1) ? BOARD_UP
                                                                  : BOARD_CLOCK_NOT_SWITCHED;
}

uint32_t clocks_measure(void)
{
    RCC_APB1LENR |= RCC_APB1LENR_LPTIM1;
    RCC_D2CCIP2R |= RCC_D2CCIP2R_LPTIM1_PER;
    return lptim_core_hz(LPTIM1, HSI_HZ);
}
