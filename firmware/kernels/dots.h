/*
 * Convolutions and fully connected ops as dot products of columns, on cores without DSP
 * instructions: a column of cells with the weights of eight channels at a time.
 *
 * dots_block() and dots_scale(), which the instruction set has above this, do the work. A pixel of
 * a 1x1 kernel is a column where it lies; else a window is gathered into scratch first.
 *
 * Input and output must not overlap.
 */
#ifndef BENCH_KERNELS_DOTS_H
#define BENCH_KERNELS_DOTS_H

#include "window.h"

#define DOTS_CHANNELS 8

/*
 * Weights are [blocks][depth][8], each plus 128: so 128 times the sum of the cells is taken off the
 * biases. Arrays are filled up to whole blocks.
 *
 * If the channels have a form, an output is low + (t >> shift), clamped, with t = addend +
 * dots_scale(x, multiplier, intercept - (x < 0 ? step : 0)). Else it is requantized as ever.
 */
typedef struct {
    int32_t depth, channels;
    const uint8_t *weights;
    const int32_t *form; /* [channels]: multiplier, intercept, and the step if `has_steps` */
    int32_t addend, shift;
    bool has_form, has_steps;
    channels_t exact;
} dots_t;

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t padding; /* what a padded cell holds: the input's zero point */
    dots_t dots;
} dots_conv_t;

typedef struct {
    int32_t batch;
    dots_t dots;
} dots_fully_connected_t;

KERNEL void dots_rescale(const dots_t *p, const int32_t *form, bool has_steps, const int32_t *sums,
                         int32_t count, int8_t *y)
{
    const int32_t addend = p->addend, shift = p->shift, low = p->exact.output.low;
    const int32_t span = p->exact.output.high - low;
#pragma GCC unroll 1
    do {
        const int32_t x = *sums++, multiplier = *form++;
        int32_t intercept = *form++;
        if (has_steps) {
            intercept -= *form++ & x >> 31;
        }
        int32_t above = (dots_scale(x, multiplier, intercept) + addend) >> shift;
        if ((uint32_t)above > (uint32_t)span) {
            above = above < 0 ? 0 : span;
        }
        *y++ = (int8_t)(low + above);
    } while (--count > 0);
}

/* Channels from `first` on. */
KERNEL void dots_requantize(const dots_t *p, const int32_t *sums, int32_t first, int8_t *y)
{
    const int32_t count = lesser(DOTS_CHANNELS, p->channels - first);
    if (p->has_steps) {
        dots_rescale(p, p->form + 3 * first, true, sums, count, y + first);
    } else if (p->has_form) {
        dots_rescale(p, p->form + 2 * first, false, sums, count, y + first);
    } else {
        for (int32_t i = 0; i < count; i++) {
            y[first + i] = requantize(&p->exact, sums[i], first + i);
        }
    }
}

/* One output pixel of one column. */
SHARED void dots_column(const dots_t *p, const int8_t *x, int8_t *y)
{
    const int32_t depth = p->depth;
    const uint8_t *weights = p->weights;
    int32_t offset = 0;
    for (int32_t i = 0; i < depth; i++) {
        offset -= x[i];
    }
    offset *= 128;

    for (int32_t i = 0; i < p->channels; i += DOTS_CHANNELS, weights += DOTS_CHANNELS * depth) {
        int32_t sums[DOTS_CHANNELS];
#pragma GCC unroll 8
        for (int32_t j = 0; j < DOTS_CHANNELS; j++) {
            sums[j] = p->exact.bias[i + j] + offset;
        }
        dots_block(weights, x, depth, sums);
        dots_requantize(p, sums, i, y);
    }
}

KERNEL void copy_cells(const int8_t *x, int8_t *y, int32_t size)
{
#pragma GCC unroll 4
    for (int32_t i = 0; i < size; i++) {
        y[i] = x[i];
    }
}

KERNEL void fill_cells(int8_t *y, int32_t value, int32_t size)
{
#pragma GCC unroll 1
    for (int32_t i = 0; i < size; i++) {
        y[i] = (int8_t)value;
    }
}

/* Gathers the window of the pixel in column i of an output row, whose top is on input row `top`. */
KERNEL void gather_window(const dots_conv_t *p, const rows_t *x, span_t inside, int32_t top,
                          int32_t i, int8_t *to)
{
    const window_t *w = &p->window;
    const int32_t c = p->x.c, run = w->kernel.w * c, dilation = w->dilation.w;
    const int32_t left = i * w->stride.w - w->pad.w;
    const span_t cells = kernel_columns(w, i, p->x.w);
    const int32_t first = cells.first * c, last = cells.last * c;
    /* Without dilation the cells of a row are neighbours, and one run. */
    const int32_t piece = dilation == 1 ? last - first : c;

    for (int32_t k = 0; k < w->kernel.h; k++, to += run) {
        if (!is_in(inside, k) || first >= last) {
            fill_cells(to, p->padding, run);
            continue;
        }
        const int8_t *in = row_at(x, top + k * w->dilation.h) + (left - x->first) * c;
        fill_cells(to, p->padding, first);
        for (int32_t j = first; j < last; j += piece) {
            copy_cells(in + j * dilation, to + j, piece);
        }
        fill_cells(to + last, p->padding, run - last);
    }
}

/* Columns of one output row; scratch has room for a column. */
SHARED void dots_conv_row(const dots_conv_t *p, rows_t x, int32_t row, span_t columns, int8_t *y,
                          int8_t *scratch)
{
    const int32_t top = row * p->window.stride.h - p->window.pad.h;
    const span_t inside = kernel_rows(&p->window, row, p->y.h, p->x.h);
    for (int32_t i = columns.first; i < columns.last; i++, y += p->y.c) {
        gather_window(p, &x, inside, top, i, scratch);
        dots_column(&p->dots, scratch, y);
    }
}

KERNEL void dots_conv(const dots_conv_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        dots_conv_row(p, whole_rows(x, &p->x), row, all_columns(&p->y), y + row * p->y.w * p->y.c,
                      scratch);
    }
}

/* A 1x1 kernel without padding, any stride. */
KERNEL void dots_pointwise_row(const dots_conv_t *p, rows_t x, int32_t row, span_t columns,
                               int8_t *y)
{
    const pair_t stride = p->window.stride;
    const int8_t *from = pixel_at(&x, row * stride.h, columns.first * stride.w);
    for (int32_t i = columns.first; i < columns.last; i++, y += p->y.c) {
        dots_column(&p->dots, from, y);
        from += stride.w * p->x.c;
    }
}

KERNEL void dots_pointwise(const dots_conv_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        dots_pointwise_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                           y + row * p->y.w * p->y.c);
    }
}

KERNEL void dots_fully_connected(const dots_fully_connected_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < p->batch; i++) {
        dots_column(&p->dots, x + i * p->dots.depth, y + i * p->dots.channels);
    }
}

/* The one pixel of a tensor that has no more. */
KERNEL void dots_fully_connected_row(const dots_fully_connected_t *p, rows_t x, int32_t row,
                                     span_t columns, int8_t *y)
{
    dots_column(&p->dots, pixel_at(&x, row, columns.first), y);
}

#endif
