/* The clock tree of an STM32L4R5 on a Nucleo-144. */
#ifndef BENCH_STM32L4_CLOCKS_H
#define BENCH_STM32L4_CLOCKS_H

#include "board.h"

enum {
    MSI_HZ = 4000000, /* what the core starts with */
    HSI_HZ = 16000000,
    CORE_HZ = 120000000,
    FLASH_WAIT_STATES = 5, /* RM0432 table 12: range 1 boost, above 100 MHz */
    TIMER_CYCLES = 1,      /* core cycles to one of TIM2's clock: APB1 is undivided */
};

/* HSI, which the console and the second clock live on. */
board_fault_t clocks_start_hsi(void);

/* Brings the core from MSI to 120 MHz; where it fails, the core stays on MSI. */
board_fault_t clocks_start(void);

/* Returns the core's frequency, counted against HSI; 0 when that could not be. Takes 1 ms. */
uint32_t clocks_measure(void);

#endif
