/*
 * HSE 8 MHz / 4 * 180 / 2 = 180 MHz, with over-drive; APB1 at 45 MHz, APB2 at 90 MHz.
 *
 * No timer can count against HSI once the PLL runs the core. So HSE is counted before that, while
 * the core is on HSI: TIM11 captures HSE / 8, each 8th edge.
 * Source: ST RM0390, table 5 (wait states), 6.3.3 (RTCPRE), 17.5.11 (TIM11_OR: HSE_RTC),
 * 17.5 (registers of TIM11).
 */
#include "clocks.h"

#include "divide.h"
#include "stm32/laps.h"
#include "stm32/overdrive.h"

#define TIM11 ((TIM_TypeDef *)0x40014800u)
#define TIM11_CCR1 (*(volatile uint32_t *)0x40014834u)
#define TIM11_OR (*(volatile uint32_t *)0x40014850u)

#define RCC_APB2ENR_TIM11 (1u << 18)
#define RCC_CFGR_RTCPRE_8 (8u << 16)
#define TIM11_OR_HSE_RTC 2u
#define TIM_CCMR1_CC1S_TI1 (1u << 0)
#define TIM_CCMR1_IC1PSC_8 (3u << 2)
#define TIM_CCER_CC1E (1u << 0)
#define TIM_SR_CC1IF (1u << 1)

enum {
    PLL_M = 4,
    PLL_N = 180,
    PLL_Q = 8,      /* 45 MHz, which nothing here uses; it must not be above 48 */
    PLL_R = 2,      /* likewise; 0 and 1 are not allowed */
    HSE_EDGES = 64, /* of HSE, from one capture to the next: 8 of HSE / 8 */
    CAPTURES = 16,
    CAPTURE_POLLS_MAX = 2000, /* a capture comes each 128 cycles of HSI */
};

/* The timer's reading at the next capture. Whether one came. */
static bool next_capture(uint32_t *reading)
{
    if (!reads_soon_within(&TIM11->SR, TIM_SR_CC1IF, TIM_SR_CC1IF, CAPTURE_POLLS_MAX)) {
        return false;
    }
    *reading = TIM11_CCR1; /* also clears the flag */
    return true;
}

/* HSE in Hz, counted in cycles of HSI; 0 when no edges come. */
static uint32_t measure_hse(void)
{
    RCC->APB2ENR |= RCC_APB2ENR_TIM11;
    RCC->CFGR |= RCC_CFGR_RTCPRE_8;
    TIM11_OR = TIM11_OR_HSE_RTC;
    TIM11->PSC = 0;
    TIM11->ARR = UINT16_MAX;
    TIM11->EGR = TIM_EGR_UG;
    TIM11->CCMR[0] = TIM_CCMR1_CC1S_TI1 | TIM_CCMR1_IC1PSC_8;
    TIM11->CCER = TIM_CCER_CC1E;
    TIM11->CR1 = TIM_CR1_CEN;

    uint32_t first = 0, last = 0;
    bool has_come = next_capture(&first);
    for (uint32_t i = 0; has_come && i < CAPTURES; i++) {
        has_come = next_capture(&last);
    }
    TIM11->CR1 = 0;
    const uint32_t cycles = (last - first) & UINT16_MAX;
    if (!has_come || cycles == 0u) {
        return 0;
    }
    return (uint32_t)divide((uint64_t)HSI_HZ * HSE_EDGES * CAPTURES, cycles);
}

board_fault_t clocks_start(uint32_t *measured_hz)
{
    static const clock_tree_t tree = {
        .pllcfgr = RCC_PLLCFGR_SRC_HSE | RCC_PLLCFGR_M(PLL_M) | RCC_PLLCFGR_N(PLL_N) |
                   RCC_PLLCFGR_P_2 | RCC_PLLCFGR_Q(PLL_Q) | RCC_PLLCFGR_R(PLL_R),
        .wait_states = FLASH_WAIT_STATES,
        .acr = FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN,
    };
    if (!hse_starts()) {
        return BOARD_OSCILLATOR_DEAD;
    }
    *measured_hz = measure_hse() / PLL_M * PLL_N / 2u;
    return overdrive_start(&tree);
}
