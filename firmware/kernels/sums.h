/*
 * Mean and average over all rows and columns of int8 [H, W, C], which may come row by row: sums of
 * the channels are kept in between, int32 [C].
 */
#ifndef BENCH_KERNELS_SUMS_H
#define BENCH_KERNELS_SUMS_H

#include "mean.h"
#include "pool.h"

/* The arena is bytes, and here they are read and written as words. */
typedef int32_t __attribute__((may_alias)) sum_t;

typedef struct {
    shape_t x;
    int32_t sum_offset; /* minus the zero points of all elements of a sum */
    factor_t factor;    /* the division by their number included */
    output_t output;
} mean_sums_t;

typedef struct {
    shape_t x;
    int32_t low, high; /* the activation's clamp */
} average_sums_t;

KERNEL void sums_clear(const shape_t *shape, sum_t *sums)
{
    for (int32_t c = 0; c < shape->c; c++) {
        sums[c] = 0;
    }
}

KERNEL void sums_add_row(const shape_t *shape, rows_t x, int32_t row, sum_t *sums)
{
    const int8_t *from = pixel_at(&x, row, 0);
    for (int32_t c = 0; c < shape->c; c++) {
        int32_t sum = sums[c];
        for (int32_t i = 0; i < shape->w; i++) {
            sum += from[i * shape->c + c];
        }
        sums[c] = sum;
    }
}

/* y [C], as mean() of all rows. */
KERNEL void mean_sums(const mean_sums_t *p, const sum_t *sums, int8_t *y)
{
    for (int32_t c = 0; c < p->x.c; c++) {
        y[c] = mean_of_sum(p->factor, &p->output, sums[c] + p->sum_offset);
    }
}

/* y [C], as average_pool() of all rows. */
KERNEL void average_sums(const average_sums_t *p, const sum_t *sums, int8_t *y)
{
    for (int32_t c = 0; c < p->x.c; c++) {
        y[c] = (int8_t)clamp(rounded_quotient(sums[c], p->x.h * p->x.w), p->low, p->high);
    }
}

#endif
