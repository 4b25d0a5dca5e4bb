/*
 * HSE 8 MHz / 4 * 216 / 2 = 216 MHz, with over-drive; APB1 at 54 MHz, APB2 at 108 MHz. The second
 * opinion on that is a low-power timer on HSI.
 * Source: ST RM0385, table 5 (wait states), 5.3.23 (kernel clocks), 22.7 (LPTIM).
 */
#include "clocks.h"

#include "stm32/laps.h"
#include "stm32/overdrive.h"

typedef struct {
    volatile uint32_t ISR;
    volatile uint32_t ICR;
    volatile uint32_t IER;
    volatile uint32_t CFGR;
    volatile uint32_t CR;
    volatile uint32_t CMP;
    volatile uint32_t ARR;
    volatile uint32_t CNT;
} LPTIM_TypeDef;

#define LPTIM1 ((LPTIM_TypeDef *)0x40002400u)

#define RCC_APB1ENR_LPTIM1 (1u << 9)
#define RCC_DCKCFGR2_LPTIM1_HSI (2u << 24)
#define LPTIM_CFGR_PRESC_128 (7u << 9)
#define LPTIM_CR_ENABLE (1u << 0)
#define LPTIM_CR_CNTSTRT (1u << 2)

enum {
    PLL_M = 4,
    PLL_N = 216,
    PLL_Q = 9,             /* 48 MHz, which nothing here uses; it must not be above that */
    REFERENCE_TICKS = 125, /* of HSI / 128: 1 ms */
    REFERENCES_A_SECOND = 1000,
    REFERENCE_POLLS_MAX = 4000, /* a tick takes 1,728 core cycles, a poll at least 10 */
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
