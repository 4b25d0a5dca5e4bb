/*
 * Mean of int8 elements over some axes. Input and output must not overlap.
 */
#ifndef BENCH_KERNELS_MEAN_H
#define BENCH_KERNELS_MEAN_H

#include "requantize.h"

#define MEAN_AXES 3

/* Lengths and steps, in elements, of the axes that stay and of those that are averaged. */
typedef struct {
    int32_t kept[MEAN_AXES], kept_step[MEAN_AXES];
    int32_t reduced[MEAN_AXES], reduced_step[MEAN_AXES];
    int32_t sum_offset; /* minus the zero points of all elements of a sum */
    factor_t factor;    /* the division by their number included */
    output_t output;
} mean_t;

KERNEL int32_t mean_sum(const mean_t *p, const int8_t *x)
{
    int32_t sum = p->sum_offset;
    for (int32_t i = 0; i < p->reduced[0]; i++) {
        for (int32_t j = 0; j < p->reduced[1]; j++) {
            const int8_t *run = x + i * p->reduced_step[0] + j * p->reduced_step[1];
            for (int32_t k = 0; k < p->reduced[2]; k++) {
                sum += run[k * p->reduced_step[2]];
            }
        }
    }
    return sum;
}

KERNEL int8_t mean_of_sum(factor_t factor, const output_t *output, int32_t sum)
{
    return quantized(rescale(sum, factor.multiplier, factor.shift), output);
}

KERNEL void mean(const mean_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < p->kept[0]; i++) {
        for (int32_t j = 0; j < p->kept[1]; j++) {
            const int8_t *run = x + i * p->kept_step[0] + j * p->kept_step[1];
            for (int32_t k = 0; k < p->kept[2]; k++) {
                const int32_t sum = mean_sum(p, run + k * p->kept_step[2]);
                *y++ = mean_of_sum(p->factor, &p->output, sum);
            }
        }
    }
}

#endif
