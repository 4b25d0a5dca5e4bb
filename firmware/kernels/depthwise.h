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

#define DEPTHWISE_LINES 16

/* The input rows under the window of an output row, looked up once for all columns. */
typedef struct {
    const rows_t *x;
    int32_t top;                          /* the input row under the first kernel row */
    span_t inside;                        /* the kernel rows that lie on the tensor */
    const int8_t *known[DEPTHWISE_LINES]; /* of those, if the kernel has no more rows than this */
} lines_t;

KERNEL lines_t depthwise_lines(const depthwise_t *p, const rows_t *x, int32_t row)
{
    const window_t *w = &p->window;
    lines_t lines = {.x = x, .top = row * w->stride.h - w->pad.h};
    lines.inside = kernel_rows(w, row, p->y.h, p->x.h);
    for (int32_t k = 0; k < lesser(w->kernel.h, DEPTHWISE_LINES); k++) {
        lines.known[k] =
            is_in(lines.inside, k) ? row_at(x, lines.top + k * w->dilation.h) : x->base;
    }
    return lines;
}

/* The input row under kernel row k, which lies on the tensor. */
KERNEL const int8_t *line_at(const depthwise_t *p, const lines_t *lines, int32_t k)
{
    return p->window.kernel.h <= DEPTHWISE_LINES
               ? lines->known[k]
               : row_at(lines->x, lines->top + k * p->window.dilation.h);
}

/* What one kernel row adds that lies in the padding. */
KERNEL int32_t depthwise_padding(const depthwise_t *p, const int8_t *weights)
{
    int32_t sum = 0;
    for (int32_t j = 0; j < p->window.kernel.w; j++) {
        sum += weights[j * p->y.c];
    }
    return p->padding * sum;
}

/* All channels of the pixel in column i, whose window may lie at the border, at y. */
KERNEL void depthwise_border(const depthwise_t *p, const lines_t *lines, int32_t i, int8_t *y)
{
    const window_t *w = &p->window;
    const int32_t in_c = p->x.c, out_c = p->y.c;
    const int32_t left = i * w->stride.w - w->pad.w - lines->x->first;
    const span_t columns = kernel_columns(w, i, p->x.w);

    for (int32_t c = 0; c < out_c; c++) {
        const int32_t in_channel = c / p->depth_multiplier;
        int32_t sum = p->channels.bias[c];

        for (int32_t k = 0; k < w->kernel.h; k++) {
            const int8_t *weights = p->weights + k * w->kernel.w * out_c + c;
            if (!is_in(lines->inside, k)) {
                sum += depthwise_padding(p, weights);
                continue;
            }
            const int8_t *in = line_at(p, lines, k) + in_channel;
#pragma GCC unroll 8
            for (int32_t j = 0; j < w->kernel.w; j++) {
                const int32_t cell =
                    is_in(columns, j) ? in[(left + j * w->dilation.w) * in_c] : p->padding;
                sum += cell * weights[j * out_c];
            }
        }
        y[c] = requantize(&p->channels, sum, c);
    }
}

/*
 * One channel of the pixels in columns i0 and i1. `rows` are the kernel rows that lie on the
 * tensor, `bias` what the others add to the bias.
 */
KERNEL void depthwise_pixels(const depthwise_t *p, const lines_t *lines, span_t rows, int32_t c,
                             int32_t bias, int32_t i0, int32_t i1, int8_t *y0, int8_t *y1)
{
    const window_t *w = &p->window;
    const int32_t in_c = p->x.c, out_c = p->y.c, step = w->dilation.w * in_c;
    const int32_t left = -w->pad.w - lines->x->first;
    const int32_t x0 = (i0 * w->stride.w + left) * in_c + c / p->depth_multiplier;
    const int32_t x1 = (i1 * w->stride.w + left) * in_c + c / p->depth_multiplier;
    int32_t sum0 = bias, sum1 = bias;

    for (int32_t k = rows.first; k < rows.last; k++) {
        const int8_t *in0 = line_at(p, lines, k) + x0, *in1 = line_at(p, lines, k) + x1;
        const int8_t *weights = p->weights + k * w->kernel.w * out_c + c;
#pragma GCC unroll 8
        for (int32_t j = 0; j < w->kernel.w; j++) {
            const int32_t weight = weights[j * out_c];
            sum0 += in0[j * step] * weight;
            sum1 += in1[j * step] * weight;
        }
    }
    y0[c] = requantize(&p->channels, sum0, c);
    y1[c] = requantize(&p->channels, sum1, c);
}

/*
 * The pixels in columns whose windows lie between the left and the right border, channel by
 * channel, so that a channel's constants are loaded once; an odd last pixel is paired with itself.
 */
KERNEL void depthwise_inner(const depthwise_t *p, const lines_t *lines, span_t rows, span_t columns,
                            int8_t *y)
{
    const window_t *w = &p->window;
    for (int32_t c = 0; c < p->y.c; c++) {
        int32_t bias = p->channels.bias[c], i = columns.first;
        for (int32_t k = 0; k < w->kernel.h; k++) {
            if (!is_in(rows, k)) {
                bias += depthwise_padding(p, p->weights + k * w->kernel.w * p->y.c + c);
            }
        }
        int8_t *to = y;
        for (; i + 1 < columns.last; i += 2, to += 2 * p->y.c) {
            depthwise_pixels(p, lines, rows, c, bias, i, i + 1, to, to + p->y.c);
        }
        if (i < columns.last) {
            depthwise_pixels(p, lines, rows, c, bias, i, i, to, to);
        }
    }
}

/* Columns of one output row [W, OC]. The output must not overlap the input's rows. */
KERNEL void depthwise_row(const depthwise_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    const int32_t c = p->y.c;
    const lines_t lines = depthwise_lines(p, &x, row);
    const span_t inner = overlap(columns_inside(&p->window, p->y.w, p->x.w), columns);
    const span_t all_rows = {0, p->window.kernel.h};
    const bool is_inner_row = lines.inside.first == 0 && lines.inside.last == all_rows.last;
    int32_t i = columns.first;

    for (; i < lesser(inner.first, columns.last); i++, y += c) {
        depthwise_border(p, &lines, i, y);
    }
    if (i < inner.last) {
        if (is_inner_row) {
            depthwise_inner(p, &lines, all_rows, inner, y);
        } else {
            depthwise_inner(p, &lines, lines.inside, inner, y);
        }
        y += (inner.last - i) * c;
        i = inner.last;
    }
    for (; i < columns.last; i++, y += c) {
        depthwise_border(p, &lines, i, y);
    }
}

/* The whole op: x [H, W, C] to y [OH, OW, OC], which must not overlap. */
KERNEL void depthwise(const depthwise_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        depthwise_row(p, whole_rows(x, &p->x), row, all_columns(&p->y), y + row * p->y.w * p->y.c);
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
        int32_t gathered = 0; /* rows so far; the first is input row -pad.h */
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
