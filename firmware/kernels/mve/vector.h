/*
 * What kernels for Armv8.1-M MVE share: lanes, and rescaling in vectors.
 */
#ifndef BENCH_KERNELS_MVE_VECTOR_H
#define BENCH_KERNELS_MVE_VECTOR_H

#include <arm_mve.h>

#include "../requantize.h"

/* How all accumulators of a vector are rescaled; shift is at most 0. */
typedef struct {
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
} rescale_t;

/* A vector of four scalars. GCC 12 builds it on the stack. */
KERNEL int32x4_t lanes(int32_t a, int32_t b, int32_t c, int32_t d)
{
    int32x4_t vector;
    __asm__("vmov %q0[2], %q0[0], %1, %3\n\t"
            "vmov %q0[3], %q0[1], %2, %4"
            : "=&w"(vector)
            : "r"(a), "r"(b), "r"(c), "r"(d));
    return vector;
}

/* 0, step, ... 7 * step. */
KERNEL uint16x8_t multiples(uint16_t step)
{
    return vmulq_n_u16(vidupq_n_u16(0, 1), step);
}

/*
 * x times multiplier / 2^31 * 2^shift, rounded as rescale() does. If what is negative is clamped to
 * 0 anyway its rounding does not matter; else shift must be below 0.
 */
KERNEL int32x4_t rescale_vector(int32x4_t x, const rescale_t *r, bool is_rectified)
{
    const int32x4_t high = vqrdmulhq_n_s32(vaddq_n_s32(x, r->bias), r->multiplier);
    const int32x4_t away = is_rectified ? high : vaddq_s32(high, vshrq_n_s32(high, 31));
    return vrshlq_n_s32(away, r->shift);
}

/* Clamps lanes that lack the zero point. */
KERNEL int16x8_t clamp_vector(int16x8_t x, const output_t *p)
{
    const int16x8_t y = vqaddq_n_s16(x, (int16_t)p->zero_point);
    const int16x8_t high = vdupq_n_s16((int16_t)p->high);
    return vminq_s16(vmaxq_s16(y, vdupq_n_s16((int16_t)p->low)), high);
}

/* The outputs of two vectors of accumulators, those of `even` in the even lanes. */
KERNEL int16x8_t rescaled(int32x4_t even, int32x4_t odd, const rescale_t *r, bool is_rectified,
                          const output_t *output)
{
    const int32x4_t low = rescale_vector(even, r, is_rectified);
    const int16x8_t bottom = vqmovnbq_s32(vreinterpretq_s16_s32(low), low);
    const int16x8_t both = vqmovntq_s32(bottom, rescale_vector(odd, r, is_rectified));
    return clamp_vector(both, output);
}

#endif
