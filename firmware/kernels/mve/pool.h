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

#define RAISED 129

/*
 * sums / count, rounded to the nearest, halves away from zero, and clamped. With RAISED added to
 * each of the cells nothing is below 0, so VRMULH by `reciprocal` = ceil(2^32 / count) rounds them,
 * halves upwards; 1 less moves a negative half down, which only an even count has.
 */
KERNEL int16x8_t averages(const pool_t *p, int16x8_t sums, int32_t count, uint32_t reciprocal)
{
    const int16x8_t even = vdupq_n_s16((int16_t)(count % 2 - 1));
    const int16x8_t down = vandq_s16(vshrq_n_s16(sums, 15), even);
    const int16x8_t raised = vaddq_n_s16(vaddq_s16(sums, down), (int16_t)(RAISED * count));
    const uint16x8_t x = vreinterpretq_u16_s16(raised);
    const uint32x4_t by = vdupq_n_u32(reciprocal);
    const uint32x4_t low = vrmulhq_u32(vmovlbq_u16(x), by);
    const uint32x4_t high = vrmulhq_u32(vmovltq_u16(x), by);
    const uint16x8_t both = vmovntq_u32(vreinterpretq_u16_u32(low), high);
    const int16x8_t y = vsubq_n_s16(vreinterpretq_s16_u16(both), RAISED);
    return vminq_s16(vmaxq_s16(y, vdupq_n_s16((int16_t)p->low)), vdupq_n_s16((int16_t)p->high));
}

SHARED void mve_average_pixel(const pool_t *p, const rows_t *x, const mve_window_t *w, int8_t *y)
{
    const int32_t channels = p->x.c, count = w->height * w->width;
    const uint32_t reciprocal = UINT32_MAX / (uint32_t)count + (count > 1);
#pragma GCC unroll 1
    for (int32_t c = 0; c < channels; c += 8) {
        const mve_pred16_t those = vctp16q((uint32_t)(channels - c));
        int16x8_t sums = vdupq_n_s16(0);
#pragma GCC unroll 1
        for (int32_t k = 0; k < w->height; k++) {
            const int8_t *in = row_at(x, w->top + k) + w->at + c;
#pragma GCC unroll 4
            for (int32_t j = 0; j < w->width; j++, in += channels) {
                sums = vaddq_s16(sums, vldrbq_z_s16(in, those));
            }
        }
        vstrbq_p_s16(y + c, averages(p, sums, count, reciprocal), those);
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
    const span_t inner = columns_inside(w, p->y.w, p->x.w);

    for (int32_t i = columns.first; i < columns.last; i++, y += p->y.c) {
        const span_t cells =
            is_in(inner, i) ? (span_t){0, w->kernel.w} : kernel_columns(w, i, p->x.w);
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
