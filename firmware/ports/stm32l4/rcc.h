/*
 * Reset and clock control, power control and flash interface of the STM32L4+.
 * Source: ST RM0432, sections 3.7 (FLASH), 5.4 (PWR), 6.4 (RCC), 2.2 (memory map).
 */
#ifndef BENCH_STM32L4_RCC_H
#define BENCH_STM32L4_RCC_H

#include <stdint.h>

#define L4_REG(address) (*(volatile uint32_t *)(address))

#define RCC_CR L4_REG(0x40021000u)
#define RCC_CFGR L4_REG(0x40021008u)
#define RCC_PLLCFGR L4_REG(0x4002100Cu)
#define RCC_AHB2ENR L4_REG(0x4002104Cu)
#define RCC_APB1ENR1 L4_REG(0x40021058u)
#define RCC_APB1ENR2 L4_REG(0x4002105Cu)
#define RCC_CCIPR L4_REG(0x40021088u)
#define RCC_CSR L4_REG(0x40021094u)
#define PWR_CR1 L4_REG(0x40007000u)
#define PWR_CR2 L4_REG(0x40007004u)
#define PWR_SR2 L4_REG(0x40007014u)
#define PWR_CR5 L4_REG(0x40007080u)
#define FLASH_ACR L4_REG(0x40022000u)

#define RCC_CR_HSION (1u << 8)
#define RCC_CR_HSIRDY (1u << 10)
#define RCC_CR_PLLON (1u << 24)
#define RCC_CR_PLLRDY (1u << 25)
#define RCC_CFGR_SW_PLL (3u << 0)
#define RCC_CFGR_SWS (3u << 2)
#define RCC_CFGR_SWS_PLL (3u << 2)
#define RCC_CFGR_HPRE (0xFu << 4)
#define RCC_CFGR_HPRE_2 (8u << 4)
#define RCC_PLLCFGR_SRC_MSI (1u << 0)
#define RCC_PLLCFGR_M(m) (((uint32_t)(m)-1u) << 4)
#define RCC_PLLCFGR_N(n) ((uint32_t)(n) << 8)
#define RCC_PLLCFGR_REN (1u << 24)
#define RCC_PLLCFGR_R_2 (0u << 25)

#define RCC_AHB2ENR_GPIOB (1u << 1)
#define RCC_AHB2ENR_GPIOG (1u << 6)
#define RCC_APB1ENR1_TIM2 (1u << 0)
#define RCC_APB1ENR1_PWR (1u << 28)
#define RCC_APB1ENR1_LPTIM1 (1u << 31)
#define RCC_APB1ENR2_LPUART1 (1u << 0)
#define RCC_CCIPR_LPUART1_HSI (2u << 10)
#define RCC_CCIPR_LPTIM1_HSI (2u << 18)

#define RCC_CSR_RMVF (1u << 23)
#define RCC_CSR_PINRST (1u << 26)
#define RCC_CSR_BORRST (1u << 27)
#define RCC_CSR_SFTRST (1u << 28)
#define RCC_CSR_IWDGRST (1u << 29)
#define RCC_CSR_WWDGRST (1u << 30)
#define RCC_CSR_LPWRRST (1u << 31)

#define PWR_CR1_VOS (3u << 9)
#define PWR_CR1_VOS_RANGE_1 (1u << 9)
#define PWR_CR2_IOSV (1u << 9)
#define PWR_SR2_VOSF (1u << 10)
#define PWR_CR5_R1MODE (1u << 8)

#define FLASH_ACR_LATENCY (0xFu << 0)
#define FLASH_ACR_PRFTEN (1u << 8)
#define FLASH_ACR_ICEN (1u << 9)
#define FLASH_ACR_DCEN (1u << 10)

#endif
