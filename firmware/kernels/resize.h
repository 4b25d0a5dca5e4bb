/*
 * Nearest-neighbour resize of [H, W, C], any element type. Which input row and column an output
 * takes was decided in float32 beforehand. Input and output must not overlap.
 */
#ifndef BENCH_KERNELS_RESIZE_H
#define BENCH_KERNELS_RESIZE_H

#include "window.h"

typedef struct {
    int32_t out_h, out_w;
    int32_t row_bytes;   /* of the input */
    int32_t pixel_bytes; /* of both */
    const uint16_t *rows;
    const uint16_t *columns;
} resize_t;

/* Columns of one output row; elements are addressed as bytes. */
KERNEL void resize_nearest_row(const resize_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    for (int32_t j = columns.first; j < columns.last; j++, y += p->pixel_bytes) {
        const int8_t *from = pixel_at(&x, p->rows[row], p->columns[j]);
        __builtin_memcpy(y, from, (uint32_t)p->pixel_bytes);
    }
}

KERNEL void resize_nearest(const resize_t *p, const uint8_t *x, uint8_t *y)
{
    const rows_t rows = {
        .base = (const int8_t *)x, .row_bytes = p->row_bytes, .pixel_bytes = p->pixel_bytes};
    for (int32_t i = 0; i < p->out_h; i++, y += p->out_w * p->pixel_bytes) {
        resize_nearest_row(p, rows, i, (span_t){0, p->out_w}, (int8_t *)y);
    }
}

#endif
