/*
 * From float32 to 8 bits for MVE. Only scalars can be divided, and the quotients must be those of
 * the reference, so a reciprocal would not do; what follows is done for four at a time. What
 * quantize.h says holds here too.
 */
#ifndef BENCH_KERNELS_MVE_QUANTIZE_H
#define BENCH_KERNELS_MVE_QUANTIZE_H

#include <arm_mve.h>

#include "../quantize.h"

/* VMAXNM makes a NaN the lowest value; VCVTA rounds halves away from zero. */
SHARED void mve_quantize_run(const quantize_t *p, int32_t size, const uint8_t *x, uint8_t *y)
{
    const output_t *out = &p->output;
    const float32x4_t low = vdupq_n_f32((float)(out->low - out->zero_point));
    const float32x4_t high = vdupq_n_f32((float)(out->high - out->zero_point));
    __asm__ volatile("wls lr, %[fours], 2f\n"
                     "1:\n"
                     "vldrb.8 q0, [%[x]], #16\n"
                     "vdiv.f32 s0, s0, %[scale]\n"
                     "vdiv.f32 s1, s1, %[scale]\n"
                     "vdiv.f32 s2, s2, %[scale]\n"
                     "vdiv.f32 s3, s3, %[scale]\n"
                     "vmaxnm.f32 q0, q0, %q[low]\n"
                     "vminnm.f32 q0, q0, %q[high]\n"
                     "vcvta.s32.f32 q0, q0\n"
                     "vadd.i32 q0, q0, %[zero_point]\n"
                     "vstrb.32 q0, [%[y]], #4\n"
                     "le lr, 1b\n"
                     "2:\n"
                     : [x] "+l"(x), [y] "+l"(y)
                     : [fours] "r"(size / 4), [scale] "t"(p->scale),
                       [zero_point] "r"(out->zero_point), [low] "w"(low), [high] "w"(high)
                     : "lr", "q0", "cc", "memory");
    quantize_run(p, size % 4, x, y);
}

KERNEL void mve_quantize(const quantize_t *p, const uint8_t *x, uint8_t *y)
{
    mve_quantize_run(p, p->size, x, y);
}

KERNEL void mve_quantize_row(const quantize_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    const int32_t size = (columns.last - columns.first) * (x.pixel_bytes / FLOAT_BYTES);
    mve_quantize_run(p, size, (const uint8_t *)pixel_at(&x, row, columns.first), (uint8_t *)y);
}

#endif
