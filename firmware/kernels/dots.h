/*
 * Convolutions and fully connected ops as dot products of columns, on cores without DSP
 * instructions: DOTS_COLUMNS columns of cells with the weights of DOTS_CHANNELS channels at a time.
 *
 * dots_block() and dots_scale(), which the instruction set has above this, do the work. A pixel of
 * a 1x1 kernel is a column where it lies; else windows are gathered into scratch first.
 *
 * Input and output must not overlap.
 */
#ifndef BENCH_KERNELS_DOTS_H
#define BENCH_KERNELS_DOTS_H

#include "window.h"

/*
 * Weights are [blocks][depth][DOTS_CHANNELS], each plus DOTS_WEIGHT_OFFSET and then as bytes: as
 * many times the sum of the cells is taken off the biases. Arrays are filled up to whole blocks.
 *
 * If the channels have a form, an output is low + (t >> shift), clamped, with t = addend +
 * dots_scale(x, multiplier, intercept - (x < 0 ? step : 0)). Else it is requantized as ever.
 */
typedef struct {
    int32_t depth, channels;
    const int8_t *weights;
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

KERNEL int32_t sum_of_cells(const int8_t *x, int32_t depth)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < depth; i++) {
        sum += x[i];
    }
    return sum;
}

/* The output pixels of `count` columns, which lie `step` bytes apart. */
SHARED void dots_columns(const dots_t *p, const int8_t *x, int32_t step, int32_t count, int8_t *y)
{
    const int32_t depth = p->depth;
    for (; count > 0; count -= DOTS_COLUMNS, x += DOTS_COLUMNS * step) {
        /* What is missing in the last group is done with its first column, and left. */
        const int32_t columns = lesser(count, DOTS_COLUMNS);
        const int32_t to_next = columns == DOTS_COLUMNS ? step : 0;
        const int32_t offset =
            DOTS_WEIGHT_OFFSET ? -DOTS_WEIGHT_OFFSET * sum_of_cells(x, depth) : 0;
        const int8_t *weights = p->weights;
        for (int32_t i = 0; i < p->channels; i += DOTS_CHANNELS) {
            int32_t sums[DOTS_COLUMNS * DOTS_CHANNELS];
#pragma GCC unroll 8
            for (int32_t j = 0; j < DOTS_COLUMNS * DOTS_CHANNELS; j++) {
                sums[j] = p->exact.bias[i + j % DOTS_CHANNELS] + offset;
            }
            dots_block(weights, x, to_next, depth, sums);
            for (int32_t j = 0; j < columns; j++) {
                dots_requantize(p, sums + j * DOTS_CHANNELS, i, y + j * p->channels);
            }
            weights += DOTS_CHANNELS * depth;
        }
        y += DOTS_COLUMNS * p->channels;
    }
}

_Static_assert(DOTS_COLUMNS == 1 || DOTS_WEIGHT_OFFSET == 0, "one column's cells are summed");

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

/* Columns of one output row; scratch has room for DOTS_COLUMNS windows. */
SHARED void dots_conv_row(const dots_conv_t *p, rows_t x, int32_t row, span_t columns, int8_t *y,
                          int8_t *scratch)
{
    const int32_t top = row * p->window.stride.h - p->window.pad.h;
    const span_t inside = kernel_rows(&p->window, row, p->y.h, p->x.h);
    for (int32_t i = columns.first; i < columns.last; i += DOTS_COLUMNS) {
        const int32_t count = lesser(DOTS_COLUMNS, columns.last - i);
        for (int32_t j = 0; j < count; j++) {
            gather_window(p, &x, inside, top, i + j, scratch + j * p->dots.depth);
        }
        dots_columns(&p->dots, scratch, p->dots.depth, count, y);
        y += count * p->y.c;
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
    dots_columns(&p->dots, from, stride.w * p->x.c, columns.last - columns.first, y);
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
    dots_columns(&p->dots, x, p->dots.depth, p->batch, y);
}

/* The one pixel of a tensor that has no more. */
KERNEL void dots_fully_connected_row(const dots_fully_connected_t *p, rows_t x, int32_t row,
                                     span_t columns, int8_t *y)
{
    dots_columns(&p->dots, pixel_at(&x, row, columns.first), 0, 1, y);
}

#endif
