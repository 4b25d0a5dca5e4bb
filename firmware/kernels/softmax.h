/*
 * Softmax of int8 rows [rows, depth]. The output has scale 1/256 and zero point -128 and may lie
 * exactly over the input.
 *
 * Only differences to a row's maximum matter, so the exponentials are a table. What is left is
 * their sum and its reciprocal, in gemmlowp's fixed point: Qm.n is value * 2^n in 32 bits.
 */
#ifndef BENCH_KERNELS_SOFTMAX_H
#define BENCH_KERNELS_SOFTMAX_H

#include "requantize.h"

typedef struct {
    int32_t rows, depth;
    const int32_t *exponentials; /* of 0, -1, -2, ... steps of the input, in Q0.31 */
    int32_t exponentials_length; /* beyond it they are 0 */
} softmax_t;

#define SOFTMAX_SUM_BITS 12 /* the sum is Q12.19 */

/* 1 / (1 + x) in Q0.31, for x in [0, 1] as Q0.31: three Newton steps from 48/17 - 32/17 * d. */
KERNEL int32_t one_over_one_plus(int32_t x)
{
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
    int32_t y = multiply_high(half, -1010580540) + 1515870810; /* Q2.29 */
    for (int32_t step = 0; step < 3; step++) {
        const int32_t error = (1 << 29) - multiply_high(half, y);
        y += multiply_high(y, error) * 4;
    }
    return y > INT32_MAX / 2 ? INT32_MAX : y * 2;
}

KERNEL int32_t softmax_exponential(const softmax_t *p, int32_t difference)
{
    return difference < p->exponentials_length ? p->exponentials[difference] : 0;
}

KERNEL void softmax_row(const softmax_t *p, const int8_t *x, int8_t *y)
{
    int32_t maximum = INT8_MIN;
    for (int32_t i = 0; i < p->depth; i++) {
        maximum = x[i] > maximum ? x[i] : maximum;
    }

    int32_t sum = 0;
    for (int32_t i = 0; i < p->depth; i++) {
        sum += shift_right_rounding(softmax_exponential(p, maximum - x[i]), SOFTMAX_SUM_BITS);
    }

    /* The sum is scale * 2^-zeros with scale in [1, 2); what is over 1 goes to the reciprocal. */
    const int32_t zeros = __builtin_clz((uint32_t)sum);
    const int32_t excess = (int32_t)(((uint32_t)sum << zeros) - (UINT32_C(1) << 31));
    const int32_t reciprocal = one_over_one_plus(excess);
    const int32_t bits = SOFTMAX_SUM_BITS - zeros + 31 - 8;

    for (int32_t i = 0; i < p->depth; i++) {
        const int32_t exponential = softmax_exponential(p, maximum - x[i]);
        const int32_t product = multiply_high(reciprocal, exponential);
        const int32_t share = bits > 31 ? 0 : shift_right_rounding(product, bits);
        y[i] = (int8_t)clamp(share + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

KERNEL void softmax(const softmax_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->rows; row++) {
        softmax_row(p, x + row * p->depth, y + row * p->depth);
    }
}

#endif
