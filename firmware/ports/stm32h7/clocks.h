/* The clock tree of an STM32H743 on a Nucleo-144. */
#ifndef BENCH_STM32H7_CLOCKS_H
#define BENCH_STM32H7_CLOCKS_H

#include "board.h"

enum {
    HSI_HZ = 64000000,
    HSE_HZ = 8000000, /* ST UM1974, 6.8.1: from the MCO of the ST-LINK */
    CORE_HZ = 400000000,
    FLASH_WAIT_STATES = 2, /* RM0433 table 17: scale 1, AXI above 185 MHz */
    TIMER_CYCLES = 2, /* core cycles to one of TIM2's clock: twice APB1's, which is a quarter */
};

/* Brings the core from HSI to 400 MHz; where it fails, the core stays on HSI. */
board_fault_t clocks_start(void);

/* Returns the core's frequency, counted against HSI; 0 when that could not be. Takes 1 ms. */
uint32_t clocks_measure(void);

#endif
