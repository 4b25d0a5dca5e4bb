/*
 * Reset and clock control, power control and flash interface of the STM32H743.
 * Source: ST RM0433, sections 4.9 (FLASH), 6.8 (PWR), 8.7 (RCC), 2.3 (memory map).
 */
#ifndef BENCH_STM32H7_RCC_H
#define BENCH_STM32H7_RCC_H

#include <stdint.h>

#define H7_REG(address) (*(volatile uint32_t *)(address))

#define RCC_CR H7_REG(0x58024400u)
#define RCC_CFGR H7_REG(0x58024410u)
#define RCC_D1CFGR H7_REG(0x58024418u)
#define RCC_D2CFGR H7_REG(0x5802441Cu)
#define RCC_D3CFGR H7_REG(0x58024420u)
#define RCC_PLLCKSELR H7_REG(0x58024428u)
#define RCC_PLLCFGR H7_REG(0x5802442Cu)
#define RCC_PLL1DIVR H7_REG(0x58024430u)
#define RCC_D2CCIP2R H7_REG(0x58024454u)
#define RCC_RSR H7_REG(0x580244D0u)
#define RCC_AHB4ENR H7_REG(0x580244E0u)
#define RCC_APB1LENR H7_REG(0x580244E8u)
#define PWR_CSR1 H7_REG(0x58024804u)
#define PWR_CR3 H7_REG(0x5802480Cu)
#define PWR_D3CR H7_REG(0x58024818u)
#define FLASH_ACR H7_REG(0x52002000u)

#define RCC_CR_HSEON (1u << 16)
#define RCC_CR_HSERDY (1u << 17)
#define RCC_CR_HSEBYP (1u << 18)
#define RCC_CR_PLL1ON (1u << 24)
#define RCC_CR_PLL1RDY (1u << 25)
#define RCC_CFGR_SW_PLL1 (3u << 0)
#define RCC_CFGR_SWS (7u << 3)
#define RCC_CFGR_SWS_PLL1 (3u << 3)
#define RCC_D1CFGR_HPRE_2 (8u << 0)
#define RCC_D1CFGR_D1PPRE_2 (4u << 4)
#define RCC_D2CFGR_D2PPRE1_2 (4u << 4)
#define RCC_D2CFGR_D2PPRE2_2 (4u << 8)
#define RCC_D3CFGR_D3PPRE_2 (4u << 4)
#define RCC_PLLCKSELR_SRC_HSE (2u << 0)
#define RCC_PLLCKSELR_DIVM1(m) ((uint32_t)(m) << 4)
#define RCC_PLLCFGR_PLL1RGE_2_4_MHZ (1u << 2)
#define RCC_PLLCFGR_DIVP1EN (1u << 16)
#define RCC_PLL1DIVR_N(n) ((uint32_t)(n)-1u)
#define RCC_PLL1DIVR_P(p) (((uint32_t)(p)-1u) << 9)
#define RCC_D2CCIP2R_USART234578_HSI (3u << 0)
#define RCC_D2CCIP2R_LPTIM1_PER (5u << 28) /* per_ck, which is HSI unless told otherwise */

#define RCC_RSR_RMVF (1u << 16)
#define RCC_RSR_BORRST (1u << 21)
#define RCC_RSR_PINRST (1u << 22)
#define RCC_RSR_PORRST (1u << 23)
#define RCC_RSR_SFTRST (1u << 24)
#define RCC_RSR_IWDG1RST (1u << 26)
#define RCC_RSR_WWDG1RST (1u << 28)
#define RCC_RSR_LPWRRST (1u << 30)

#define RCC_AHB4ENR_GPIOB (1u << 1)
#define RCC_AHB4ENR_GPIOD (1u << 3)
#define RCC_APB1LENR_TIM2 (1u << 0)
#define RCC_APB1LENR_LPTIM1 (1u << 9)
#define RCC_APB1LENR_USART3 (1u << 18)

#define PWR_CR3_LDOEN (1u << 1)
#define PWR_CSR1_ACTVOSRDY (1u << 13)
#define PWR_D3CR_VOSRDY (1u << 13)
#define PWR_D3CR_VOS_SCALE_1 (3u << 14)

#define FLASH_ACR_LATENCY (0xFu << 0)
#define FLASH_ACR_WRHIGHFREQ_2 (2u << 4)

#endif
