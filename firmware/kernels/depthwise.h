/*
 * Depthwise convolution of int8 tensors: each input channel has its own kernels [KH, KW], as many
 * as the depth multiplier says; output channel o belongs to input channel o / depth multiplier.
 *
 * As in conv.h the input's zero point is folded into the bias, and padded cells hold it.
 */
#ifndef BENCH_KERNELS_DEPTHWISE_H
#define BENCH_KERNELS_DEPTHWISE_H

#include "window.h"

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t depth_multiplier; /* output channels of an input channel */
    int32_t padding;          /* what a padded cell holds: the input's zero point */
    const int8_t *weights;    /* [KH, KW, OC]; for depthwise_inplace() [OC, KH, KW] */
    channels_t channels;
} depthwise_t;

/*
 * All channels of the pixel in column i of an output row. `rows` and `columns` are the kernel's
 * cells that the window has on the tensor.
 */
KERNEL void depthwise_pixel(const depthwise_t *p, const rows_t *x, int32_t row, int32_t i,
                            span_t rows, span_t columns, int8_t *y)
{
    const window_t *w = &p->window;
    const int32_t in_c = p->x.c, out_c = p->y.c;
    const int32_t top = row * w->stride.h - w->pad.h;
    const int32_t left = i * w->stride.w - w->pad.w;

    for (int32_t c = 0; c < out_c; c++) {
        const int8_t *weight = p->weights + c;
        const int32_t in_channel = c / p->depth_multiplier;
        int32_t sum = p->channels.bias[c];

        for (int32_t k = 0; k < w->kernel.h; k++) {
            const bool is_row = is_in(rows, k);
            const int8_t *in = is_row ? row_at(x, top + k * w->dilation.h) : x->base;
#pragma GCC unroll 8
            for (int32_t j = 0; j < w->kernel.w; j++) {
                const bool is_cell = is_row && is_in(columns, j);
                sum += (is_cell ? in[(left + j * w->dilation.w) * in_c + in_channel] : p->padding) *
                       weight[(k * w->kernel.w + j) * out_c];
            }
        }
        y[i * out_c + c] = requantize(&p->channels, sum, c);
    }
}

/* One output row [W, OC]. The output must not overlap the input's rows. */
KERNEL void depthwise_row(const depthwise_t *p, rows_t x, int32_t row, int8_t *y)
{
    const window_t *w = &p->window;
    const span_t inner = columns_inside(w, p->y.w, p->x.w);
    const span_t rows = kernel_rows(w, row, p->y.h, p->x.h);
    const span_t all_rows = {0, w->kernel.h}, all_columns = {0, w->kernel.w};
    const bool is_inner_row = rows.first == 0 && rows.last == w->kernel.h;

    for (int32_t i = 0; i < p->y.w; i++) {
        if (is_inner_row && is_in(inner, i)) {
            depthwise_pixel(p, &x, row, i, all_rows, all_columns, y);
        } else {
            depthwise_pixel(p, &x, row, i, rows, kernel_columns(w, i, p->x.w), y);
        }
    }
}

/* The whole op: x [H, W, C] to y [OH, OW, OC], which must not overlap. */
KERNEL void depthwise(const depthwise_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        depthwise_row(p, whole_rows(x, &p->x), row, y + row * p->y.w * p->y.c);
    }
}

/*
 * Copies one channel of input row r to `line`, which starts under the first window's first cell
 * and has `columns` cells; those outside of the tensor get the padding.
 */
KERNEL void depthwise_gather(const depthwise_t *p, const int8_t *x, int32_t r, int32_t columns,
                             int8_t *line)
{
    const int32_t first = p->window.pad.w, end = first + p->x.w;
    const bool is_row = 0 <= r && r < p->x.h;
    const int32_t filled = is_row && first < columns ? first : columns;
    const int32_t last = end < columns ? end : columns;

    for (int32_t i = 0; i < filled; i++) {
        line[i] = (int8_t)p->padding;
    }
    for (int32_t i = filled; i < last; i++) {
        line[i] = x[(r * p->x.w + i - first) * p->x.c];
    }
    for (int32_t i = filled < last ? last : filled; i < columns; i++) {
        line[i] = (int8_t)p->padding;
    }
}

/*
 * One channel of the pixels in columns i0 and i1 of an output row. `lines` is the ring of gathered
 * rows, whose first row is in slot `slot`; w is the channel's kernel.
 */
KERNEL void depthwise_pair(const depthwise_t *p, const int8_t *lines, int32_t columns,
                           int32_t slots, int32_t slot, const int8_t *w, int32_t c, int32_t i0,
                           int32_t i1, int8_t *y)
{
    const window_t *window = &p->window;
    int32_t sum0 = p->channels.bias[c], sum1 = sum0, at = slot;

    for (int32_t k = 0; k < window->kernel.h; k++) {
        const int8_t *line0 = lines + at * columns + i0 * window->stride.w;
        const int8_t *line1 = lines + at * columns + i1 * window->stride.w;
#pragma GCC unroll 8
        for (int32_t j = 0; j < window->kernel.w; j++) {
            const int32_t weight = w[k * window->kernel.w + j];
            sum0 += line0[j * window->dilation.w] * weight;
            sum1 += line1[j * window->dilation.w] * weight;
        }
        at += window->dilation.h;
        at -= at >= slots ? slots : 0;
    }
    y[i0 * p->y.c] = requantize(&p->channels, sum0, c);
    y[i1 * p->y.c] = requantize(&p->channels, sum1, c);
}

/* One channel of one output row; an odd last pixel, paired with itself, is computed once. */
KERNEL void depthwise_line(const depthwise_t *p, const int8_t *lines, int32_t columns,
                           int32_t slots, int32_t slot, const int8_t *w, int32_t c, int8_t *y)
{
    int32_t i = 0;
    for (; i + 1 < p->y.w; i += 2) {
        depthwise_pair(p, lines, columns, slots, slot, w, c, i, i + 1, y);
    }
    if (i < p->y.w) {
        depthwise_pair(p, lines, columns, slots, slot, w, c, i, i, y);
    }
}

/*
 * The whole op over its own input, with a depth multiplier of 1: y [OH, OW, C] begins where
 * x [H, W, C] begins. Channel by channel, the rows that a window spans are gathered in `scratch`
 * before an output row is written; it is int8 [slots, columns] with
 *
 *     slots   = (KH - 1) * dilation.h + 1
 *     columns = (OW - 1) * stride.w + (KW - 1) * dilation.w + 1
 *
 * No output row may reach an input row that later windows still need; whoever calls this has
 * checked it.
 */
KERNEL void depthwise_inplace(const depthwise_t *p, int8_t *x, int8_t *scratch)
{
    const window_t *w = &p->window;
    const int32_t slots = (w->kernel.h - 1) * w->dilation.h + 1;
    const int32_t columns = (p->y.w - 1) * w->stride.w + (w->kernel.w - 1) * w->dilation.w + 1;
    const int32_t taps = w->kernel.h * w->kernel.w;

    for (int32_t c = 0; c < p->y.c; c++) {
        int32_t gathered = 0; /* rows so far; the first is input row -pad_top */
        for (int32_t row = 0; row < p->y.h; row++) {
            const int32_t first = row * w->stride.h;
            for (; gathered < first + slots; gathered++) {
                int8_t *line = scratch + gathered % slots * columns;
                depthwise_gather(p, x + c, gathered - w->pad.h, columns, line);
            }
            depthwise_line(p, scratch, columns, slots, first % slots, p->weights + c * taps, c,
                           x + row * p->y.w * p->y.c + c);
        }
    }
}

#endif
