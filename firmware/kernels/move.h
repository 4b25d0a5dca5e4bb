/*
 * Ops that only move elements: transpose, strided slice, concatenation, split, pack, unpack, pad.
 * They differ in their steps alone, which are in bytes. Input and output must not overlap.
 */
#ifndef BENCH_KERNELS_MOVE_H
#define BENCH_KERNELS_MOVE_H

#include "requantize.h"

#define MOVE_AXES 5

/* Runs of `run` bytes, one for each position of the axes, the last one running fastest. */
typedef struct {
    int32_t run;
    int32_t length[MOVE_AXES];
    int32_t x_step[MOVE_AXES];
    int32_t y_step[MOVE_AXES];
} move_t;

/* `size` bytes, each element of which is the same 1, 2 or 4 bytes. */
typedef struct {
    int32_t size;
    int32_t element_bytes;
    uint8_t element[4];
} fill_t;

KERNEL void fill(const fill_t *p, uint8_t *y)
{
    for (int32_t i = 0; i < p->size; i += p->element_bytes) {
        __builtin_memcpy(y + i, p->element, (uint32_t)p->element_bytes);
    }
}

KERNEL void copy(const uint8_t *x, uint8_t *y, int32_t size)
{
    __builtin_memcpy(y, x, (uint32_t)size);
}

KERNEL void move(const move_t *p, const uint8_t *x, uint8_t *y)
{
    const int32_t *xs = p->x_step, *ys = p->y_step;

    for (int32_t i = 0; i < p->length[0]; i++) {
        for (int32_t j = 0; j < p->length[1]; j++) {
            for (int32_t k = 0; k < p->length[2]; k++) {
                for (int32_t l = 0; l < p->length[3]; l++) {
                    const uint8_t *from = x + i * xs[0] + j * xs[1] + k * xs[2] + l * xs[3];
                    uint8_t *to = y + i * ys[0] + j * ys[1] + k * ys[2] + l * ys[3];
                    for (int32_t m = 0; m < p->length[4]; m++, from += xs[4], to += ys[4]) {
                        copy(from, to, p->run);
                    }
                }
            }
        }
    }
}

#endif
