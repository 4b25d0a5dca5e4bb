/*
 * Addition and subtraction of int8 tensors for MVE, four elements at a time.
 *
 * The reference rounds three times. One linear function with well chosen constants gives the same
 * outputs, which is proved for all pairs of values at code generation. Its integer part is reached
 * by two narrowing shifts, which round and saturate (the ones that cut are out of reach: GNU
 * as 2.40 encodes VQSHRN as VQRSHRN); it is clamped before, where the activation asks for it.
 */
#ifndef BENCH_KERNELS_MVE_ELEMENTWISE_H
#define BENCH_KERNELS_MVE_ELEMENTWISE_H

#include "vector.h"

#include "../elementwise.h"

/* saturate(round(clamp(a * a_factor + b * b_factor + addend) / 2^MVE_ADD_SHIFT)), halves upwards.
 */
typedef struct {
    broadcast_t shape;
    int32_t a_factor, b_factor;
    int32_t addend;
    int32_t low, high; /* of the sum before it is shifted */
    bool clamps;       /* whether int8 does not clamp alike */
} mve_add_t;

#define MVE_ADD_SHIFT 21 /* 16 and 5 below */

/* clamp(y + product((a + a_offset) * (b + b_offset))) */
typedef struct {
    broadcast_t shape;
    int32_t a_offset, b_offset;
    int32_t multiplier, shift; /* shift is below 0 */
    output_t output;
} mve_mul_t;

#define MVE_ADD_LOOP(clamp)                                                                        \
    "vdup.32 q2, %[a_factor]\n"                                                                    \
    "wlstp.32 lr, %[n], 2f\n"                                                                      \
    "1:\n"                                                                                         \
    "vldrb.s32 q0, [%[a]], #4\n"                                                                   \
    "vldrb.s32 q1, [%[b]], #4\n"                                                                   \
    "vmlas.s32 q0, q2, %[addend]\n"                                                                \
    "vmla.s32 q0, q1, %[b_factor]\n" clamp "vqrshrnb.s32 q0, q0, #16\n"                            \
    "vqrshrnb.s16 q0, q0, #5\n"                                                                    \
    "vstrb.32 q0, [%[y]], #4\n"                                                                    \
    "letp lr, 1b\n"                                                                                \
    "2:\n"

/* Runs of n elements. */
SHARED void mve_add_run(const mve_add_t *p, const int8_t *a, const int8_t *b, int8_t *y, int32_t n)
{
    if (p->clamps) {
        const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high);
        __asm__ volatile(MVE_ADD_LOOP("vmax.s32 q0, q0, %q[low]\n"
                                      "vmin.s32 q0, q0, %q[high]\n")
                         : [a] "+l"(a), [b] "+l"(b), [y] "+l"(y)
                         : [a_factor] "r"(p->a_factor), [b_factor] "r"(p->b_factor),
                           [addend] "r"(p->addend), [n] "r"(n), [low] "w"(low), [high] "w"(high)
                         : "lr", "q0", "q1", "q2", "cc", "memory");
        return;
    }
    __asm__ volatile(MVE_ADD_LOOP("")
                     : [a] "+l"(a), [b] "+l"(b), [y] "+l"(y)
                     : [a_factor] "r"(p->a_factor), [b_factor] "r"(p->b_factor),
                       [addend] "r"(p->addend), [n] "r"(n)
                     : "lr", "q0", "q1", "q2", "cc", "memory");
}

SHARED void mve_mul_run(const mve_mul_t *p, const int8_t *a, const int8_t *b, int8_t *y, int32_t n)
{
    const rescale_t rescale = {0, p->multiplier, p->shift};
#pragma GCC unroll 1
    for (; n > 0; n -= 8, a += 8, b += 8, y += 8) {
        const mve_pred16_t those = vctp16q((uint32_t)n);
        const int16x8_t a8 = vaddq_n_s16(vldrbq_z_s16(a, those), (int16_t)p->a_offset);
        const int16x8_t b8 = vaddq_n_s16(vldrbq_z_s16(b, those), (int16_t)p->b_offset);
        const int32x4_t even = vmullbq_int_s16(a8, b8), odd = vmulltq_int_s16(a8, b8);
        vstrbq_p_s16(y, rescaled(even, odd, &rescale, false, &p->output), those);
    }
}

/* Where runs of both operands begin: the last axis is one. */
#define MVE_FOR_RUNS(s, a, b, y, run)                                                              \
    for (int32_t i = 0; i < (s)->length[0]; i++) {                                                 \
        for (int32_t j = 0; j < (s)->length[1]; j++) {                                             \
            for (int32_t k = 0; k < (s)->length[2]; k++, y += (s)->length[3]) {                    \
                run(p, a + i * (s)->a_step[0] + j * (s)->a_step[1] + k * (s)->a_step[2],           \
                    b + i * (s)->b_step[0] + j * (s)->b_step[1] + k * (s)->b_step[2], y,           \
                    (s)->length[3]);                                                               \
            }                                                                                      \
        }                                                                                          \
    }

KERNEL void mve_add(const mve_add_t *p, const int8_t *a, const int8_t *b,
                    int8_t *y){MVE_FOR_RUNS(&p->shape, a, b, y, mve_add_run)}

KERNEL void mve_mul(const mve_mul_t *p, const int8_t *a, const int8_t *b,
                    int8_t *y){MVE_FOR_RUNS(&p->shape, a, b, y, mve_mul_run)}

/* Columns of one output row; operands and output have one shape. */
KERNEL
    void mve_add_row(const mve_add_t *p, rows_t a, rows_t b, int32_t row, span_t columns, int8_t *y)
{
    mve_add_run(p, pixel_at(&a, row, columns.first), pixel_at(&b, row, columns.first), y,
                (columns.last - columns.first) * a.pixel_bytes);
}

KERNEL void mve_mul_row(const mve_mul_t *p, rows_t a, rows_t b, int32_t row, span_t columns,
                        int8_t *y)
{
    mve_mul_run(p, pixel_at(&a, row, columns.first), pixel_at(&b, row, columns.first), y,
                (columns.last - columns.first) * a.pixel_bytes);
}

#endif
