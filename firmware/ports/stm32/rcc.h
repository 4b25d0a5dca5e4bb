/*
 * Reset and clock control, power control and flash interface of the STM32F446 and the STM32F746,
 * which are alike in all that is named here.
 * Source: ST RM0385, sections 3.7 (FLASH), 4.4 (PWR), 5.3 (RCC); RM0390, sections 3.8, 5.4, 6.3.
 */
#ifndef BENCH_STM32_RCC_H
#define BENCH_STM32_RCC_H

#include <stdint.h>

#include "board.h"

typedef struct {
    volatile uint32_t CR;
    volatile uint32_t PLLCFGR;
    volatile uint32_t CFGR;
    volatile uint32_t CIR;
    volatile uint32_t AHB1RSTR;
    volatile uint32_t AHB2RSTR;
    volatile uint32_t AHB3RSTR;
    uint32_t RESERVED0;
    volatile uint32_t APB1RSTR;
    volatile uint32_t APB2RSTR;
    uint32_t RESERVED1[2];
    volatile uint32_t AHB1ENR;
    volatile uint32_t AHB2ENR;
    volatile uint32_t AHB3ENR;
    uint32_t RESERVED2;
    volatile uint32_t APB1ENR;
    volatile uint32_t APB2ENR;
    uint32_t RESERVED3[2];
    volatile uint32_t AHB1LPENR;
    volatile uint32_t AHB2LPENR;
    volatile uint32_t AHB3LPENR;
    uint32_t RESERVED4;
    volatile uint32_t APB1LPENR;
    volatile uint32_t APB2LPENR;
    uint32_t RESERVED5[2];
    volatile uint32_t BDCR;
    volatile uint32_t CSR;
    uint32_t RESERVED6[2];
    volatile uint32_t SSCGR;
    volatile uint32_t PLLI2SCFGR;
    volatile uint32_t PLLSAICFGR;
    volatile uint32_t DCKCFGR1;
    volatile uint32_t DCKCFGR2;
} RCC_TypeDef;

typedef struct {
    volatile uint32_t CR1;
    volatile uint32_t CSR1;
} PWR_TypeDef;

typedef struct {
    volatile uint32_t ACR;
} FLASH_TypeDef;

#define RCC ((RCC_TypeDef *)0x40023800u)
#define PWR ((PWR_TypeDef *)0x40007000u)
#define FLASH ((FLASH_TypeDef *)0x40023C00u)

#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_HSEBYP (1u << 18)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)

#define RCC_PLLCFGR_M(m) ((uint32_t)(m))
#define RCC_PLLCFGR_N(n) ((uint32_t)(n) << 6)
#define RCC_PLLCFGR_P_2 (0u << 16)
#define RCC_PLLCFGR_SRC_HSE (1u << 22)
#define RCC_PLLCFGR_Q(q) ((uint32_t)(q) << 24)
#define RCC_PLLCFGR_R(r) ((uint32_t)(r) << 28) /* F446 alone; elsewhere reserved */

#define RCC_CFGR_SW_PLL (2u << 0)
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_HPRE_1 (0u << 4)
#define RCC_CFGR_PPRE1_4 (5u << 10)
#define RCC_CFGR_PPRE2_2 (4u << 13)

#define RCC_AHB1ENR_GPIOA (1u << 0)
#define RCC_AHB1ENR_GPIOB (1u << 1)
#define RCC_AHB1ENR_GPIOD (1u << 3)
#define RCC_APB1ENR_TIM2 (1u << 0)
#define RCC_APB1ENR_USART2 (1u << 17)
#define RCC_APB1ENR_USART3 (1u << 18)
#define RCC_APB1ENR_PWR (1u << 28)

#define RCC_CSR_RMVF (1u << 24)
#define RCC_CSR_BORRST (1u << 25)
#define RCC_CSR_PINRST (1u << 26)
#define RCC_CSR_PORRST (1u << 27)
#define RCC_CSR_SFTRST (1u << 28)
#define RCC_CSR_IWDGRST (1u << 29)
#define RCC_CSR_WWDGRST (1u << 30)
#define RCC_CSR_LPWRRST (1u << 31)

#define PWR_CR1_VOS_SCALE_1 (3u << 14)
#define PWR_CR1_ODEN (1u << 16)
#define PWR_CR1_ODSWEN (1u << 17)
#define PWR_CSR1_VOSRDY (1u << 14)
#define PWR_CSR1_ODRDY (1u << 16)
#define PWR_CSR1_ODSWRDY (1u << 17)

#define FLASH_ACR_LATENCY (0xFu << 0)
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ARTEN (1u << 9) /* F7 */
#define FLASH_ACR_ICEN (1u << 9)  /* F4 */
#define FLASH_ACR_DCEN (1u << 10) /* F4 */

/* Several may be set: what comes first here explains the others. Clears them. */
static inline reset_reason_t rcc_reset_reason(void)
{
    const uint32_t csr = RCC->CSR;
    RCC->CSR = csr | RCC_CSR_RMVF;
    if ((csr & (RCC_CSR_PORRST | RCC_CSR_BORRST)) != 0u) {
        return RESET_POWER;
    }
    if ((csr & (RCC_CSR_IWDGRST | RCC_CSR_WWDGRST)) != 0u) {
        return RESET_WATCHDOG;
    }
    if ((csr & RCC_CSR_SFTRST) != 0u) {
        return RESET_SOFTWARE;
    }
    if ((csr & RCC_CSR_LPWRRST) != 0u) {
        return RESET_LOW_POWER;
    }
    return (csr & RCC_CSR_PINRST) != 0u ? RESET_PIN : RESET_UNKNOWN;
}

#endif
