/*
 * Nearest-neighbour resize of [H, W, C], any element type. Which input row and column an output
 * takes was decided in float32 beforehand. Input and output must not overlap.
 */
#ifndef BENCH_KERNELS_RESIZE_H
#define BENCH_KERNELS_RESIZE_H

#include "move.h"

typedef struct {
    int32_t out_h, out_w;
    int32_t row_bytes;   /* of the input */
    int32_t pixel_bytes; /* of both */
    const uint16_t *rows;
    const uint16_t *columns;
} resize_t;

KERNEL void resize_nearest(const resize_t *p, const uint8_t *x, uint8_t *y)
{
    for (int32_t i = 0; i < p->out_h; i++) {
        for (int32_t j = 0; j < p->out_w; j++, y += p->pixel_bytes) {
            copy(x + p->rows[i] * p->row_bytes + p->columns[j] * p->pixel_bytes, y, p->pixel_bytes);
        }
    }
}

#endif
