/*
 * Average and maximum over windows of int8 tensors [H, W, C]. Padded cells are not seen. The
 * output has the input's quantization and must not overlap it.
 */
#ifndef BENCH_KERNELS_POOL_H
#define BENCH_KERNELS_POOL_H

#include "window.h"

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t low, high; /* the activation's clamp */
} pool_t;

/*
 * The part of a window that lies on the tensor, for one channel: `height` rows from input row
 * `top` on, `width` cells from byte `at` of each on, `step` bytes apart.
 */
typedef struct {
    int32_t top, height;
    int32_t at, width, step;
} pool_window_t;

/* The nearest integer to the mean, halves away from zero. */
KERNEL int32_t window_average(const rows_t *x, pool_window_t w)
{
    const int32_t count = w.height * w.width;
    int32_t sum = 0;
    for (int32_t k = 0; k < w.height; k++) {
        const int8_t *in = row_at(x, w.top + k) + w.at;
        for (int32_t j = 0; j < w.width; j++) {
            sum += in[j * w.step];
        }
    }
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

KERNEL int32_t window_maximum(const rows_t *x, pool_window_t w)
{
    int32_t maximum = INT8_MIN;
    for (int32_t k = 0; k < w.height; k++) {
        const int8_t *in = row_at(x, w.top + k) + w.at;
        for (int32_t j = 0; j < w.width; j++) {
            maximum = in[j * w.step] > maximum ? in[j * w.step] : maximum;
        }
    }
    return maximum;
}

KERNEL void pool_row(const pool_t *p, int32_t (*result)(const rows_t *, pool_window_t), rows_t x,
                     int32_t row, int8_t *y)
{
    const window_t *w = &p->window;
    const int32_t top = row * w->stride.h - w->pad.h;
    const span_t rows = kernel_rows(w, row, p->y.h, p->x.h);
    const span_t inner = columns_inside(w, p->y.w, p->x.w);

    for (int32_t i = 0; i < p->y.w; i++) {
        const int32_t left = i * w->stride.w - w->pad.w;
        const span_t columns =
            is_in(inner, i) ? (span_t){0, w->kernel.w} : kernel_columns(w, i, p->x.w);
        for (int32_t c = 0; c < p->y.c; c++) {
            const pool_window_t window = {
                .top = top + rows.first,
                .height = rows.last - rows.first,
                .at = (left + columns.first) * p->x.c + c,
                .width = columns.last - columns.first,
                .step = p->x.c,
            };
            *y++ = (int8_t)clamp(result(&x, window), p->low, p->high);
        }
    }
}

/* One output row [W, C]. */
KERNEL void average_pool_row(const pool_t *p, rows_t x, int32_t row, int8_t *y)
{
    pool_row(p, window_average, x, row, y);
}

KERNEL void max_pool_row(const pool_t *p, rows_t x, int32_t row, int8_t *y)
{
    pool_row(p, window_maximum, x, row, y);
}

/* The whole op: x [H, W, C] to y [OH, OW, C]. */
KERNEL void average_pool(const pool_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        average_pool_row(p, whole_rows(x, &p->x), row, y + row * p->y.w * p->y.c);
    }
}

KERNEL void max_pool(const pool_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        max_pool_row(p, whole_rows(x, &p->x), row, y + row * p->y.w * p->y.c);
    }
}

#endif
