/* The clock tree of an STM32F746 on a Nucleo-144. */
#ifndef BENCH_STM32F7_CLOCKS_H
#define BENCH_STM32F7_CLOCKS_H

#include "board.h"
#include "stm32/rcc.h"

enum {
    HSI_HZ = 16000000,
    HSE_HZ = 8000000, /* ST UM1974, 6.8.1: from the MCO of the ST-LINK */
    CORE_HZ = 216000000,
    FLASH_WAIT_STATES = 7, /* RM0385 table 5: 2.7 to 3.6 V, above 210 MHz */
    TIMER_CYCLES = 2, /* core cycles to one of TIM2's clock: twice APB1's, which is a quarter */
};

/* Brings the core from HSI to 216 MHz; where it fails, the core stays on HSI. */
board_fault_t clocks_start(void);

/* Returns the core's frequency, counted against HSI; 0 when that could not be. Takes 1 ms. */
uint32_t clocks_measure(void);

#endif
