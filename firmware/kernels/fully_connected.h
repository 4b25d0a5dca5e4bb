/*
 * Fully connected op: rows of x [batch, IN] times weights [OUT, IN], int8.
 *
 * The input's zero point is folded into the bias. Input and output must not overlap.
 */
#ifndef BENCH_KERNELS_FULLY_CONNECTED_H
#define BENCH_KERNELS_FULLY_CONNECTED_H

#include "window.h"

typedef struct {
    int32_t batch;
    int32_t in, out;
    const int8_t *weights;
    channels_t channels;
} fully_connected_t;

/* Two channels of one row; an odd last channel is computed twice. */
KERNEL void fully_connected_pair(const fully_connected_t *p, const int8_t *x, int32_t c0,
                                 int32_t c1, int8_t *y)
{
    const int8_t *w0 = p->weights + c0 * p->in, *w1 = p->weights + c1 * p->in;
    int32_t sum0 = p->channels.bias[c0], sum1 = p->channels.bias[c1];

#pragma GCC unroll 4
    for (int32_t i = 0; i < p->in; i++) {
        sum0 += x[i] * w0[i];
        sum1 += x[i] * w1[i];
    }
    y[c0] = requantize(&p->channels, sum0, c0);
    y[c1] = requantize(&p->channels, sum1, c1);
}

/* The one pixel of a tensor that has no more. */
KERNEL void fully_connected_row(const fully_connected_t *p, rows_t x, int32_t row, span_t columns,
                                int8_t *y)
{
    const int8_t *from = pixel_at(&x, row, columns.first);
    for (int32_t c = 0; c < p->out; c += 2) {
        fully_connected_pair(p, from, c, c + 1 < p->out ? c + 1 : c, y);
    }
}

KERNEL void fully_connected(const fully_connected_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->batch; row++, x += p->in, y += p->out) {
        for (int32_t c = 0; c < p->out; c += 2) {
            fully_connected_pair(p, x, c, c + 1 < p->out ? c + 1 : c, y);
        }
    }
}

#endif
