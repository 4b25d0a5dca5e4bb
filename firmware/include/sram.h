/*
 * Where the RAM that is not the model's lies.
 *
 *     stack | .data | arena | .bss | staging
 *
 * The stack stands at the bottom of RAM, so that an overflow faults instead of overwriting data.
 * Staging is all that the image leaves of the board's RAM: the harness keeps uploaded inputs
 * there, and no figure counts it as the model's.
 */
#ifndef BENCH_SRAM_H
#define BENCH_SRAM_H

#include <stdint.h>

typedef struct {
    uint8_t *begin;
    uint32_t size_bytes;
} sram_region_t;

/* Returns the RAM after the image. */
sram_region_t sram_staging(void);

/* Returns the stack, its lowest address first; empty where the stack is not ours to measure. */
sram_region_t sram_stack(void);

/*
 * Returns the stack pointer of the caller: all of the stack below it is free, until the caller
 * calls something. Null where the stack is not ours to measure.
 */
uint8_t *sram_stack_pointer(void);

#endif
