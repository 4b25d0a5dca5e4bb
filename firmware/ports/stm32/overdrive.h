/*
 * From HSI to the highest frequency, by way of over-drive, on the STM32F446 and the STM32F746.
 * Source: ST RM0385, 4.1.4 and RM0390, 5.1.4 (entering over-drive mode: the order of what follows),
 * RM0385, 3.3.2 (wait states before the frequency), 5.3.2 (the PLL's input best at 2 MHz).
 */
#ifndef BENCH_STM32_OVERDRIVE_H
#define BENCH_STM32_OVERDRIVE_H

#include "common/poll.h"
#include "stm32/rcc.h"

typedef struct {
    uint32_t pllcfgr;
    uint32_t wait_states;
    uint32_t acr; /* what else of flash is switched on */
} clock_tree_t;

static inline board_fault_t overdrive_switch(const clock_tree_t *tree)
{
    PWR->CR1 |= PWR_CR1_ODEN;
    if (!reads_soon(&PWR->CSR1, PWR_CSR1_ODRDY, PWR_CSR1_ODRDY)) {
        return BOARD_OVERDRIVE_DEAD;
    }
    PWR->CR1 |= PWR_CR1_ODSWEN;
    if (!reads_soon(&PWR->CSR1, PWR_CSR1_ODSWRDY, PWR_CSR1_ODSWRDY)) {
        return BOARD_OVERDRIVE_DEAD;
    }
    FLASH->ACR = tree->wait_states | tree->acr;
    if (!reads_soon(&FLASH->ACR, FLASH_ACR_LATENCY, tree->wait_states)) {
        return BOARD_FLASH_TOO_FAST;
    }
    RCC->CFGR = RCC_CFGR_HPRE_1 | RCC_CFGR_PPRE1_4 | RCC_CFGR_PPRE2_2;
    if (!reads_soon(&RCC->CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY)) {
        return BOARD_PLL_UNLOCKED;
    }
    if (!reads_soon(&PWR->CSR1, PWR_CSR1_VOSRDY, PWR_CSR1_VOSRDY)) {
        return BOARD_REGULATOR_LOW;
    }
    RCC->CFGR |= RCC_CFGR_SW_PLL;
    return reads_soon(&RCC->CFGR, RCC_CFGR_SWS, RCC_CFGR_SWS_PLL) ? BOARD_UP
                                                                  : BOARD_CLOCK_NOT_SWITCHED;
}

/* The clock that the ST-LINK gives to a Nucleo's HSE input. Whether it is there. */
static inline bool hse_starts(void)
{
    RCC->CR |= RCC_CR_HSEBYP;
    RCC->CR |= RCC_CR_HSEON;
    return reads_soon(&RCC->CR, RCC_CR_HSERDY, RCC_CR_HSERDY);
}

/* HSE runs already, and the power controller has its clock. */
static inline board_fault_t overdrive_start(const clock_tree_t *tree)
{
    /* The regulator's scale can only be chosen while the PLL is off; it takes hold once that is on.
     */
    PWR->CR1 |= PWR_CR1_VOS_SCALE_1;
    RCC->PLLCFGR = tree->pllcfgr;
    RCC->CR |= RCC_CR_PLLON;
    const board_fault_t fault = overdrive_switch(tree);
    if (fault != BOARD_UP) {
        RCC->CFGR = 0; /* HSI, undivided, so that the console knows its clock */
    }
    return fault;
}

#endif
