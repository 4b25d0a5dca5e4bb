/*
 * Ops that put int8 pixels in their place, row by row: padding, and concatenation over channels.
 */
#ifndef BENCH_KERNELS_PLACE_H
#define BENCH_KERNELS_PLACE_H

#include "window.h"

/* y [OH, OW, OC] is x with `top` rows, `left` columns and `front` channels before it. */
typedef struct {
    shape_t x;
    int32_t y_c;
    int32_t top, left, front;
    int32_t value;
} pad_t;

/* x [H, W, C] is channels front..front + C - 1 of y [H, W, OC]. */
typedef struct {
    int32_t x_c, y_c;
    int32_t front;
} place_t;

KERNEL void fill_bytes(int8_t *y, int32_t value, int32_t size)
{
    __builtin_memset(y, value, (uint32_t)size);
}

/* Columns of one output row. */
KERNEL void pad_row(const pad_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    const span_t rows = {p->top, p->top + p->x.h};
    const span_t inner = {p->left, p->left + p->x.w};
    const int32_t behind = p->front + p->x.c;

    for (int32_t i = columns.first; i < columns.last; i++, y += p->y_c) {
        if (is_in(rows, row) && is_in(inner, i)) {
            fill_bytes(y, p->value, p->front);
            __builtin_memcpy(y + p->front, pixel_at(&x, row - p->top, i - p->left),
                             (uint32_t)p->x.c);
            fill_bytes(y + behind, p->value, p->y_c - behind);
        } else {
            fill_bytes(y, p->value, p->y_c);
        }
    }
}

/* Columns of one output row, one operand at a time. */
KERNEL void place_row(const place_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    const int8_t *from = pixel_at(&x, row, columns.first);
    for (int32_t i = columns.first; i < columns.last; i++, from += p->x_c, y += p->y_c) {
        __builtin_memcpy(y + p->front, from, (uint32_t)p->x_c);
    }
}

#endif
