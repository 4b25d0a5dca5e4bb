/*
 * Convolution and fully connected for MVE: the cells under windows are gathered into columns, which
 * columns.h multiplies. The cells of a 1x1 kernel without padding are columns already.
 *
 * Input and output must not overlap.
 */
#ifndef BENCH_KERNELS_MVE_CONV_H
#define BENCH_KERNELS_MVE_CONV_H

#include "columns.h"

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t padding;  /* what a padded cell holds: the input's zero point */
    int32_t gathered; /* columns that scratch has room for */
    columns_t columns;
} mve_conv_t;

typedef struct {
    int32_t batch;
    columns_t columns;
} mve_fully_connected_t;

/* Copies `size` bytes, 16 at a time, and returns where the copy ends. */
KERNEL int8_t *copy_bytes(const int8_t *x, int8_t *y, int32_t size)
{
    __asm__ volatile("wlstp.8 lr, %2, 2f\n"
                     "1:\n"
                     "vldrb.8 q0, [%0], #16\n"
                     "vstrb.8 q0, [%1], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : "+r"(x), "+r"(y)
                     : "r"(size)
                     : "lr", "q0", "cc", "memory");
    return y;
}

/* Fills `size` bytes, 16 at a time. */
KERNEL void fill_with(int8_t *y, int32_t value, int32_t size)
{
    __asm__ volatile("vdup.8 q0, %1\n"
                     "wlstp.8 lr, %2, 2f\n"
                     "1:\n"
                     "vstrb.8 q0, [%0], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : "+r"(y)
                     : "r"(value), "r"(size)
                     : "lr", "q0", "cc", "memory");
}

/* Gathers the window of the pixel in column i of an output row. */
KERNEL void gather_window(const mve_conv_t *p, const rows_t *x, span_t inside, int32_t top,
                          int32_t i, int8_t *to)
{
    const window_t *w = &p->window;
    const int32_t c = p->x.c, run = w->kernel.w * c;
    const int32_t left = i * w->stride.w - w->pad.w;
    const span_t cells = kernel_columns(w, i, p->x.w);
    const int32_t first = cells.first * c, last = cells.last * c;

    for (int32_t k = 0; k < w->kernel.h; k++, to += run) {
        if (!is_in(inside, k) || first >= last) {
            fill_with(to, p->padding, run);
            continue;
        }
        const int8_t *in = row_at(x, top + k * w->dilation.h) + (left - x->first) * c;
        if (w->dilation.w == 1) {
            copy_bytes(in + first, to + first, last - first);
        } else {
            for (int32_t j = cells.first; j < cells.last; j++) {
                copy_bytes(in + j * w->dilation.w * c, to + j * c, c);
            }
        }
        if (first > 0) {
            fill_with(to, p->padding, first);
        }
        if (last < run) {
            fill_with(to + last, p->padding, run - last);
        }
    }
}

/* Columns of one output row. `scratch` has room for `gathered` windows. */
SHARED void mve_conv_row(const mve_conv_t *p, rows_t x, int32_t row, span_t columns_made, int8_t *y,
                         int8_t *scratch)
{
    const window_t *w = &p->window;
    const int32_t top = row * w->stride.h - w->pad.h, depth = p->columns.depth;
    const span_t inside = kernel_rows(w, row, p->y.h, p->x.h);

    for (int32_t i = columns_made.first; i < columns_made.last; i += p->gathered) {
        const int32_t count = lesser(p->gathered, columns_made.last - i);
        for (int32_t j = 0; j < count; j++) {
            gather_window(p, &x, inside, top, i + j, scratch + j * depth);
        }
        columns(&p->columns, count, scratch, depth, y);
        y += count * p->y.c;
    }
}

KERNEL void mve_conv(const mve_conv_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        mve_conv_row(p, whole_rows(x, &p->x), row, all_columns(&p->y), y + row * p->y.w * p->y.c,
                     scratch);
    }
}

/* A 1x1 kernel without padding, any stride. */
KERNEL void mve_pointwise_row(const mve_conv_t *p, rows_t x, int32_t row, span_t made, int8_t *y)
{
    const pair_t stride = p->window.stride;
    const int8_t *from = pixel_at(&x, row * stride.h, made.first * stride.w);
    columns(&p->columns, made.last - made.first, from, stride.w * p->x.c, y);
}

KERNEL void mve_pointwise(const mve_conv_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        mve_pointwise_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                          y + row * p->y.w * p->y.c);
    }
}

KERNEL void mve_fully_connected(const mve_fully_connected_t *p, const int8_t *x, int8_t *y)
{
    columns(&p->columns, p->batch, x, p->columns.depth, y);
}

/* The one pixel of a tensor that has no more. */
KERNEL void mve_fully_connected_row(const mve_fully_connected_t *p, rows_t x, int32_t row,
                                    span_t made, int8_t *y)
{
    columns(&p->columns, 1, pixel_at(&x, row, made.first), 0, y);
}

#endif
