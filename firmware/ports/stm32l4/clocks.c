/*
 * MSI 4 MHz * 60 / 2 = 120 MHz in range 1 boost mode; the buses are undivided. MSI and HSI are
 * oscillators of their own, so each tells of the other.
 * Source: ST RM0432, 5.1.8 (boost mode, and the order of its steps), 6.2.9 (going above 80 MHz with
 * the AHB divided by 2 for a microsecond), table 12 (wait states).
 */
#include "clocks.h"

#include "common/poll.h"
#include "rcc.h"
#include "stm32/lptim.h"

#define LPTIM1 ((LPTIM_TypeDef *)0x40007C00u)

enum {
    PLL_M = 1,
    PLL_N = 60,
    BOOST_SETTLE_CYCLES = 120, /* 1 us and more at 60 MHz */
};

board_fault_t clocks_start_hsi(void)
{
    RCC_CR |= RCC_CR_HSION;
    return reads_soon(&RCC_CR, RCC_CR_HSIRDY, RCC_CR_HSIRDY) ? BOARD_UP : BOARD_OSCILLATOR_DEAD;
}

static void wait_cycles(uint32_t cycles)
{
    cycles_start_fine();
    for (uint32_t polls = 0; polls < POLLS_MAX && DWT_CYCCNT < cycles; polls++) {
    }
}

board_fault_t clocks_start(void)
{
    PWR_CR1 = (PWR_CR1 & ~PWR_CR1_VOS) | PWR_CR1_VOS_RANGE_1;
    if (!reads_soon(&PWR_SR2, PWR_SR2_VOSF, 0)) {
        return BOARD_REGULATOR_LOW;
    }
    PWR_CR5 &= ~PWR_CR5_R1MODE; /* boost */
    RCC_PLLCFGR = RCC_PLLCFGR_SRC_MSI | RCC_PLLCFGR_M(PLL_M) | RCC_PLLCFGR_N(PLL_N) |
                  RCC_PLLCFGR_R_2 | RCC_PLLCFGR_REN;
    RCC_CR |= RCC_CR_PLLON;
    FLASH_ACR = FLASH_WAIT_STATES | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    if (!reads_soon(&FLASH_ACR, FLASH_ACR_LATENCY, FLASH_WAIT_STATES)) {
        return BOARD_FLASH_TOO_FAST;
    }
    if (!reads_soon(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) {
        return BOARD_PLL_UNLOCKED;
    }
    RCC_CFGR = RCC_CFGR_HPRE_2;
    RCC_CFGR |= RCC_CFGR_SW_PLL;
    if (!reads_soon(&RCC_CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL)) {
        return BOARD_CLOCK_NOT_SWITCHED;
    }
    wait_cycles(BOOST_SETTLE_CYCLES);
    RCC_CFGR &= ~RCC_CFGR_HPRE;
    return BOARD_UP;
}

uint32_t clocks_measure(void)
{
    RCC_APB1ENR1 |= RCC_APB1ENR1_LPTIM1;
    RCC_CCIPR |= RCC_CCIPR_LPTIM1_HSI;
    return lptim_core_hz(LPTIM1, HSI_HZ);
}
