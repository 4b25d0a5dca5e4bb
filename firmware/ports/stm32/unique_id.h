/*
 * The chip's unique identifier: 96 bits, at another address in each family.
 * Source: ST RM0385, section 41.1.
 */
#ifndef BENCH_STM32_UNIQUE_ID_H
#define BENCH_STM32_UNIQUE_ID_H

#include <string.h>

#include "board.h"

static inline void unique_id_read(const volatile uint32_t *words, uint8_t *id)
{
    for (uint32_t i = 0; i < BOARD_CHIP_ID_BYTES / sizeof(uint32_t); i++) {
        const uint32_t word = words[i];
        memcpy(&id[i * sizeof word], &word, sizeof word);
    }
}

#endif
