/*
 * Ops on one 8-bit value, as tables of 256 results: logistic, tanh, quantize between 8-bit types.
 * The output may lie exactly over the input.
 */
#ifndef BENCH_KERNELS_LOOKUP_H
#define BENCH_KERNELS_LOOKUP_H

#include "requantize.h"

typedef struct {
    int32_t size;
    uint8_t lowest;       /* the bit pattern of the lowest input: 0x80 for int8, 0 for uint8 */
    const uint8_t *table; /* [256], from the lowest input upwards */
} lookup_t;

KERNEL void lookup(const lookup_t *p, const uint8_t *x, uint8_t *y)
{
    for (int32_t i = 0; i < p->size; i++) {
        y[i] = p->table[x[i] ^ p->lowest];
    }
}

#endif
