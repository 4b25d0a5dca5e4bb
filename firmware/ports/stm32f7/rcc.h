/*
 * Reset and clock control, power control and flash interface of the STM32F746.
 * Source: ST RM0385, sections 3.7 (FLASH), 4.4 (PWR), 5.3 (RCC), 22.7 (LPTIM), 2.2 (memory map).
 */
#ifndef BENCH_STM32F7_RCC_H
#define BENCH_STM32F7_RCC_H

#include <stdint.h>

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

#define RCC ((RCC_TypeDef *)0x40023800u)
#define PWR ((PWR_TypeDef *)0x40007000u)
#define FLASH ((FLASH_TypeDef *)0x40023C00u)
#define LPTIM1 ((LPTIM_TypeDef *)0x40002400u)

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

#define RCC_CFGR_SW_PLL (2u << 0)
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (2u << 2)
#define RCC_CFGR_HPRE_1 (0u << 4)
#define RCC_CFGR_PPRE1_4 (5u << 10)
#define RCC_CFGR_PPRE2_2 (4u << 13)

#define RCC_AHB1ENR_GPIOB (1u << 1)
#define RCC_AHB1ENR_GPIOD (1u << 3)
#define RCC_APB1ENR_TIM2 (1u << 0)
#define RCC_APB1ENR_LPTIM1 (1u << 9)
#define RCC_APB1ENR_USART3 (1u << 18)
#define RCC_APB1ENR_PWR (1u << 28)

#define RCC_DCKCFGR2_USART3_HSI (2u << 4)
#define RCC_DCKCFGR2_LPTIM1_HSI (2u << 24)

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
#define FLASH_ACR_ARTEN (1u << 9)

#define LPTIM_CFGR_PRESC_128 (7u << 9)
#define LPTIM_CR_ENABLE (1u << 0)
#define LPTIM_CR_CNTSTRT (1u << 2)

#endif
