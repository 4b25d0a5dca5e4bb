/* The clock tree of an STM32F446 on a Nucleo-64. */
#ifndef BENCH_STM32F4_CLOCKS_H
#define BENCH_STM32F4_CLOCKS_H

#include "board.h"

enum {
    HSI_HZ = 16000000,
    HSE_HZ = 8000000, /* ST UM1724, 6.7.1: from the MCO of the ST-LINK */
    CORE_HZ = 180000000,
    APB1_HZ = 45000000,
    FLASH_WAIT_STATES = 5, /* RM0390 table 5: 2.7 to 3.6 V, above 150 MHz */
    TIMER_CYCLES = 2, /* core cycles to one of TIM2's clock: twice APB1's, which is a quarter */
};

/*
 * Brings the core from HSI to 180 MHz; where it fails, the core stays on HSI. `measured_hz` becomes
 * the core's frequency if HSE is what it reads on HSI, 0 when that could not be counted.
 */
board_fault_t clocks_start(uint32_t *measured_hz);

#endif
