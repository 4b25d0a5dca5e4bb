/*
 * Convolution of int8 tensors [H, W, C] with weights [OC, KH, KW, C].
 *
 * The input's zero point is folded into the bias: a multiply-accumulate then needs no addition,
 * and a padded cell counts as one that holds the zero point. Two pixels and two channels are
 * computed together, since each value loaded then serves twice. An odd last channel is paired with
 * itself.
 *
 * Input and output must not overlap.
 */
#ifndef BENCH_KERNELS_CONV_H
#define BENCH_KERNELS_CONV_H

#include "window.h"

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t padding; /* what a padded cell holds: the input's zero point */
    const int8_t *weights;
    channels_t channels;
} conv2d_t;

/* Accumulators [pixel][channel]. */
typedef struct {
    int32_t s00, s01, s10, s11;
} block_t;

/* Adds n products: x0 and x1 are cells of two pixels, w0 and w1 weights of two channels. */
KERNEL void multiply_block(block_t *block, const int8_t *x0, const int8_t *x1, const int8_t *w0,
                           const int8_t *w1, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t a0 = x0[i], a1 = x1[i], b0 = w0[i], b1 = w1[i];
        block->s00 += a0 * b0;
        block->s01 += a0 * b1;
        block->s10 += a1 * b0;
        block->s11 += a1 * b1;
    }
}

/* Adds the products of n padded cells. */
KERNEL void multiply_padding(block_t *block, int32_t padding, const int8_t *w0, const int8_t *w1,
                             int32_t n)
{
    int32_t sum0 = 0, sum1 = 0;
    for (int32_t i = 0; i < n; i++) {
        sum0 += w0[i];
        sum1 += w1[i];
    }
    block->s00 += padding * sum0;
    block->s01 += padding * sum1;
    block->s10 += padding * sum0;
    block->s11 += padding * sum1;
}

/*
 * Adds one kernel row: `in` is the input row, x0 and x1 are the offsets at which the windows begin
 * (below 0 in the padding), `cells` the kernel columns on the tensor.
 */
KERNEL void multiply_row(const conv2d_t *p, block_t *block, const int8_t *in, int32_t x0,
                         int32_t x1, const int8_t *w0, const int8_t *w1, span_t cells)
{
    const int32_t c = p->x.c, dilation = p->window.dilation.w;
    const int32_t first = cells.first * c, last = cells.last * c, all = p->window.kernel.w * c;
    /* Without dilation the cells of a row are neighbours, and one run. */
    const int32_t run = dilation == 1 ? last - first : c;

    multiply_padding(block, p->padding, w0, w1, first);
    for (int32_t i = first; i < last; i += run) {
        multiply_block(block, in + (x0 + i * dilation), in + (x1 + i * dilation), w0 + i, w1 + i,
                       run);
    }
    multiply_padding(block, p->padding, w0 + last, w1 + last, all - last);
}

/*
 * All channels of the pixels in columns i0 and i1 of an output row. `cells` are the kernel
 * columns that both windows have on the tensor.
 */
KERNEL void conv2d_pixels(const conv2d_t *p, const rows_t *x, int32_t row, int32_t i0, int32_t i1,
                          span_t cells, int8_t *y)
{
    const window_t *w = &p->window;
    const int32_t c = p->x.c, row_taps = w->kernel.w * c, taps = w->kernel.h * row_taps;
    const int32_t x0 = (i0 * w->stride.w - w->pad.w) * c;
    const int32_t x1 = (i1 * w->stride.w - w->pad.w) * c;
    const int32_t top = row * w->stride.h - w->pad.h;
    const span_t inside = kernel_rows(w, row, p->y.h, p->x.h);

    for (int32_t c0 = 0; c0 < p->y.c; c0 += 2) {
        const int32_t c1 = c0 + 1 < p->y.c ? c0 + 1 : c0;
        const int32_t bias0 = p->channels.bias[c0], bias1 = p->channels.bias[c1];
        const int8_t *w0 = p->weights + c0 * taps, *w1 = p->weights + c1 * taps;
        block_t block = {bias0, bias1, bias0, bias1};

        for (int32_t k = 0; k < w->kernel.h; k++, w0 += row_taps, w1 += row_taps) {
            if (is_in(inside, k)) {
                const int8_t *in = row_at(x, top + k * w->dilation.h);
                multiply_row(p, &block, in, x0, x1, w0, w1, cells);
            } else {
                multiply_padding(&block, p->padding, w0, w1, row_taps);
            }
        }
        y[i0 * p->y.c + c0] = requantize(&p->channels, block.s00, c0);
        y[i0 * p->y.c + c1] = requantize(&p->channels, block.s01, c1);
        y[i1 * p->y.c + c0] = requantize(&p->channels, block.s10, c0);
        y[i1 * p->y.c + c1] = requantize(&p->channels, block.s11, c1);
    }
}

/* The pixel in column i, which may lie at the border: paired with itself, it is computed once. */
KERNEL void conv2d_pixel(const conv2d_t *p, const rows_t *x, int32_t row, int32_t i, int8_t *y)
{
    conv2d_pixels(p, x, row, i, i, kernel_columns(&p->window, i, p->x.w), y);
}

/* One output row [W, OC]. */
KERNEL void conv2d_row(const conv2d_t *p, rows_t x, int32_t row, int8_t *y)
{
    const span_t inner = columns_inside(&p->window, p->y.w, p->x.w);
    const span_t all = {0, p->window.kernel.w};
    int32_t i = 0;

    for (; i < inner.first; i++) {
        conv2d_pixel(p, &x, row, i, y);
    }
    for (; i + 1 < inner.last; i += 2) {
        conv2d_pixels(p, &x, row, i, i + 1, all, y);
    }
    for (; i < p->y.w; i++) {
        conv2d_pixel(p, &x, row, i, y);
    }
}

/* The whole op: x [H, W, C] to y [OH, OW, OC]. */
KERNEL void conv2d(const conv2d_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        conv2d_row(p, whole_rows(x, &p->x), row, y + row * p->y.w * p->y.c);
    }
}

#endif
