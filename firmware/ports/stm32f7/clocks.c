/*
 * HSE 8 MHz / 4 * 216 / 2 = 216 MHz, with over-drive; APB1 at 54 MHz, APB2 at 108 MHz.
 * Source: ST RM0385, 4.1.4 (entering over-drive mode: the order of what follows), 3.3.2 (wait
 * states before the frequency), 5.3.2 (the PLL's input best at 2 MHz).
 */
#include "clocks.h"

#include "stm32/cycles.h"
#include "stm32/poll.h"

enum {
    PLL_M = 4,
    PLL_N = 216,
    PLL_Q = 9,             /* 48 MHz, which nothing here uses; it must not be above that */
    REFERENCE_TICKS = 125, /* of HSI / 128: 1 ms */
    REFERENCES_A_SECOND = 1000,
    REFERENCE_POLLS_MAX = 4000, /* a tick takes 1,728 core cycles, a poll at least 10 */
};

static board_fault_t switch_over(void)
{
    PWR->CR1 |= PWR_CR1_ODEN;
    if (!reads_soon(&PWR->CSR1, PWR_CSR1_ODRDY, PWR_CSR1_ODRDY)) {
        return BOARD_OVERDRIVE_DEAD;
    }
    PWR->CR1 |= PWR_CR1_ODSWEN;
    if (!reads_soon(&PWR->CSR1, PWR_CSR1_ODSWRDY, PWR_CSR1_ODSWRDY)) {
        return BOARD_OVERDRIVE_DEAD;
    }
    FLASH->ACR = FLASH_WAIT_STATES | FLASH_ACR_PRFTEN | FLASH_ACR_ARTEN;
    if (!reads_soon(&FLASH->ACR, FLASH_ACR_LATENCY, FLASH_WAIT_STATES)) {
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

board_fault_t clocks_start(void)
{
    RCC->CR |= RCC_CR_HSEBYP;
    RCC->CR |= RCC_CR_HSEON;
    if (!reads_soon(&RCC->CR, RCC_CR_HSERDY, RCC_CR_HSERDY)) {
        return BOARD_OSCILLATOR_DEAD;
    }
    /* The regulator's scale can only be chosen while the PLL is off, and takes hold once it is on.
     */
    PWR->CR1 |= PWR_CR1_VOS_SCALE_1;
    RCC->PLLCFGR = RCC_PLLCFGR_SRC_HSE | RCC_PLLCFGR_M(PLL_M) | RCC_PLLCFGR_N(PLL_N) |
                   RCC_PLLCFGR_P_2 | RCC_PLLCFGR_Q(PLL_Q);
    RCC->CR |= RCC_CR_PLLON;
    return switch_over();
}

/* Counted asynchronously: a value counts when it reads the same twice (RM0385, 22.7.8). */
static uint32_t reference_count(void)
{
    uint32_t count = LPTIM1->CNT;
    for (uint32_t polls = 0; polls < REFERENCE_POLLS_MAX; polls++) {
        const uint32_t again = LPTIM1->CNT;
        if (again == count) {
            return count;
        }
        count = again;
    }
    return 0;
}

/* Waits until the reference has moved on from `from`. Whether it did. */
static bool reference_moves(uint32_t from)
{
    for (uint32_t polls = 0; polls < REFERENCE_POLLS_MAX; polls++) {
        if (reference_count() != from) {
            return true;
        }
    }
    return false;
}

uint32_t clocks_measure(void)
{
    RCC->APB1ENR |= RCC_APB1ENR_LPTIM1;
    RCC->DCKCFGR2 |= RCC_DCKCFGR2_LPTIM1_HSI;
    LPTIM1->CFGR = LPTIM_CFGR_PRESC_128;
    LPTIM1->CR = LPTIM_CR_ENABLE;
    LPTIM1->ARR = UINT16_MAX;
    LPTIM1->CR = LPTIM_CR_ENABLE | LPTIM_CR_CNTSTRT;

    cycles_start_fine();
    uint32_t cycles = 0;
    if (reference_moves(reference_count())) {
        const uint32_t first = reference_count(), begin = DWT_CYCCNT;
        uint32_t ticks = 0;
        while (ticks < REFERENCE_TICKS && reference_moves(first + ticks)) {
            ticks = (reference_count() - first) & UINT16_MAX;
        }
        cycles = ticks < REFERENCE_TICKS ? 0 : (DWT_CYCCNT - begin) / ticks * REFERENCE_TICKS;
    }
    LPTIM1->CR = 0;
    return cycles * REFERENCES_A_SECOND;
}
