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

/* Copies `count` runs of at most 16 bytes, which lie x_step bytes apart, to y_step bytes apart. */
KERNEL void copy_runs(const int8_t *x, int32_t x_step, int8_t *y, int32_t y_step, int32_t size,
                      int32_t count)
{
    __asm__ volatile(
        "vctp.8 %[size]\n"
        "wls lr, %[count], 2f\n"
        "1:\n"
        "vpstt\n"
        "vldrbt.8 q0, [%[x]]\n"
        "vstrbt.8 q0, [%[y]]\n"
        "add %[x], %[x_step]\n"
        "add %[y], %[y_step]\n"
        "le lr, 1b\n"
        "2:\n"
        : [x] "+r"(x), [y] "+r"(y)
        : [x_step] "r"(x_step), [y_step] "r"(y_step), [size] "r"(size), [count] "r"(count)
        : "lr", "q0", "cc", "memory");
}

/* Gathers the windows of `count` columns, all of whose cells lie on the tensor's columns. */
KERNEL void gather_windows(const mve_conv_t *p, const rows_t *x, span_t inside, int32_t top,
                           int32_t i, int32_t count, int8_t *to)
{
    const window_t *w = &p->window;
    const int32_t c = p->x.c, run = w->kernel.w * c, x_step = w->stride.w * c;
    const int32_t left = i * w->stride.w - w->pad.w - x->first, y_step = p->columns.depth;

    for (int32_t k = 0; k < w->kernel.h; k++, to += run) {
        if (!is_in(inside, k)) {
            for (int32_t j = 0; j < count; j++) {
                fill_with(to + j * y_step, p->padding, run);
            }
            continue;
        }
        const int8_t *in = row_at(x, top + k * w->dilation.h) + left * c;
        if (run <= 16) {
            copy_runs(in, x_step, to, y_step, run, count);
        } else {
            for (int32_t j = 0; j < count; j++) {
                copy_bytes(in + j * x_step, to + j * y_step, run);
            }
        }
    }
}

/* Columns of one output row. `scratch` has room for `gathered` windows. */
SHARED void mve_conv_row(const mve_conv_t *p, rows_t x, int32_t row, span_t made, int8_t *y,
                         int8_t *scratch)
{
    const window_t *w = &p->window;
    const int32_t top = row * w->stride.h - w->pad.h, depth = p->columns.depth;
    const span_t inside = kernel_rows(w, row, p->y.h, p->x.h);
    const span_t inner =
        w->dilation.w == 1 ? columns_inside(w, p->y.w, p->x.w) : (span_t){made.last, made.last};

    for (int32_t i = made.first; i < made.last; i += p->gathered) {
        const int32_t end = lesser(i + p->gathered, made.last);
        int8_t *to = scratch;
        int32_t j = i;
        for (; j < lesser(inner.first, end); j++, to += depth) {
            gather_window(p, &x, inside, top, j, to);
        }
        if (j < lesser(inner.last, end)) {
            const int32_t count = lesser(inner.last, end) - j;
            gather_windows(p, &x, inside, top, j, count, to);
            to += count * depth;
            j += count;
        }
        for (; j < end; j++, to += depth) {
            gather_window(p, &x, inside, top, j, to);
        }
        columns(&p->columns, end - i, scratch, depth, y);
        y += (end - i) * p->y.c;
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
