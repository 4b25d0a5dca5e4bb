/*
 * Ops on one 8-bit value, as tables of 256 results: logistic, tanh, quantize between 8-bit types.
 * The output may lie exactly over the input.
 */
#ifndef BENCH_KERNELS_LOOKUP_H
#define BENCH_KERNELS_LOOKUP_H

#include "window.h"

typedef struct {
    int32_t size;
    uint8_t lowest;       /* the bit pattern of the lowest input: 0x80 for int8, 0 for uint8 */
    const uint8_t *table; /* [256], from the lowest input upwards */
} lookup_t;

KERNEL uint8_t lookup_element(const lookup_t *p, uint8_t x)
{
    return p->table[x ^ p->lowest];
}

KERNEL void lookup(const lookup_t *p, const uint8_t *x, uint8_t *y)
{
    for (int32_t i = 0; i < p->size; i++) {
        y[i] = lookup_element(p, x[i]);
    }
}

/* Columns of one row. */
KERNEL void lookup_row(const lookup_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    const int8_t *from = pixel_at(&x, row, columns.first);
    const int32_t size = (columns.last - columns.first) * x.pixel_bytes;
    for (int32_t i = 0; i < size; i++) {
        y[i] = (int8_t)lookup_element(p, (uint8_t)from[i]);
    }
}

#endif
