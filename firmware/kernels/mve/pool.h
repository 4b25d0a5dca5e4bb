/*
 * Average and maximum over windows for MVE, eight or sixteen channels at a time. Sums of up to 255
 * cells fit 16 bits. What pool.h says of padding, quantization and overlap holds here too.
 */
#ifndef BENCH_KERNELS_MVE_POOL_H
#define BENCH_KERNELS_MVE_POOL_H

#include <arm_mve.h>

#include "../pool.h"

/* The part of a window that lies on the tensor: rows from `top` on, cells from byte `at` on. */
typedef struct {
    int32_t top, height;
    int32_t at, width;
} mve_window_t;

/* All channels of a window, to y. */
typedef void mve_pool_pixel_t(const pool_t *p, const rows_t *x, const mve_window_t *w, int8_t *y);

SHARED void mve_average_pixel(const pool_t *p, const rows_t *x, const mve_window_t *w, int8_t *y)
{
    const int32_t channels = p->x.c, count = w->height * w->width;
#pragma GCC unroll 1
    for (int32_t c = 0; c < channels; c += 8) {
        const mve_pred16_t those = vctp16q((uint32_t)(channels - c));
        int16x8_t sums = vdupq_n_s16(0);
        int16_t sum[8];
#pragma GCC unroll 1
        for (int32_t k = 0; k < w->height; k++) {
            const int8_t *in = row_at(x, w->top + k) + w->at + c;
#pragma GCC unroll 4
            for (int32_t j = 0; j < w->width; j++, in += channels) {
                sums = vaddq_s16(sums, vldrbq_z_s16(in, those));
            }
        }
        vst1q_s16(sum, sums);
#pragma GCC unroll 1
        for (int32_t i = 0; i < lesser(8, channels - c); i++) {
            y[c + i] = (int8_t)clamp(rounded_quotient(sum[i], count), p->low, p->high);
        }
    }
}

SHARED void mve_maximum_pixel(const pool_t *p, const rows_t *x, const mve_window_t *w, int8_t *y)
{
    const int32_t channels = p->x.c;
    const int8x16_t low = vdupq_n_s8((int8_t)p->low), high = vdupq_n_s8((int8_t)p->high);
#pragma GCC unroll 1
    for (int32_t c = 0; c < channels; c += 16) {
        const mve_pred16_t those = vctp8q((uint32_t)(channels - c));
        int8x16_t maxima = low;
#pragma GCC unroll 1
        for (int32_t k = 0; k < w->height; k++) {
            const int8_t *in = row_at(x, w->top + k) + w->at + c;
#pragma GCC unroll 1
            for (int32_t j = 0; j < w->width; j++, in += channels) {
                maxima = vmaxq_s8(maxima, vldrbq_z_s8(in, those));
            }
        }
        vstrbq_p_s8(y + c, vminq_s8(maxima, high), those);
    }
}

/* Columns of one output row [W, C]. */
KERNEL void mve_pool_row(const pool_t *p, mve_pool_pixel_t *pixel, rows_t x, int32_t row,
                         span_t columns, int8_t *y)
{
    const window_t *w = &p->window;
    const span_t rows = kernel_rows(w, row, p->y.h, p->x.h);
    const int32_t top = row * w->stride.h - w->pad.h + rows.first;

    for (int32_t i = columns.first; i < columns.last; i++, y += p->y.c) {
        const span_t cells = kernel_columns(w, i, p->x.w);
        const int32_t left = i * w->stride.w - w->pad.w + cells.first - x.first;
        const mve_window_t window = {top, rows.last - rows.first, left * p->x.c,
                                     cells.last - cells.first};
        pixel(p, &x, &window, y);
    }
}

KERNEL void mve_average_pool_row(const pool_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    mve_pool_row(p, mve_average_pixel, x, row, columns, y);
}

KERNEL void mve_max_pool_row(const pool_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    mve_pool_row(p, mve_maximum_pixel, x, row, columns, y);
}

/* The whole op: x [H, W, C] to y [OH, OW, C]. */
KERNEL void mve_average_pool(const pool_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        mve_average_pool_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                             y + row * p->y.w * p->y.c);
    }
}

KERNEL void mve_max_pool(const pool_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        mve_max_pool_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                         y + row * p->y.w * p->y.c);
    }
}

#endif
