/*
 * From 32-bit accumulators to 8-bit activations, as TensorFlow Lite Micro's reference kernels
 * round (arXiv:1712.05877, section 2.2): the product with a Q31 multiplier is rounded once, the
 * division by a power of two again, halves away from zero.
 *
 * Signed shifts to the right are arithmetic, as GCC and Clang define them.
 */
#ifndef BENCH_KERNELS_REQUANTIZE_H
#define BENCH_KERNELS_REQUANTIZE_H

#include <stdbool.h>
#include <stdint.h>

/* Kernels are specialised by their constant arguments, so they must melt into their caller. */
#define KERNEL static inline __attribute__((always_inline))

/*
 * Kernels that ops share, to save flash. noinline alone would not do: where GCC sees what such a
 * function reads, it may drop stores before a call to it.
 */
#define SHARED static __attribute__((noipa, unused))

/* The same for what few channels need: the compiler makes it small instead of fast. */
#define SELDOM static __attribute__((noipa, unused, cold))

/* The real factor multiplier / 2^31 * 2^shift; shift is -31..30, multiplier is not INT32_MIN. */
typedef struct {
    int32_t multiplier;
    int32_t shift;
} factor_t;

/* x * multiplier / 2^31, halves upwards; within +-(2^31 - 2) if x is above INT32_MIN. */
KERNEL int32_t multiply_high(int32_t x, int32_t multiplier)
{
    return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^bits, halves away from zero; bits is 1..31, x within +-(2^31 - 2): nothing overflows. */
KERNEL int32_t shift_right_rounding(int32_t x, int32_t bits)
{
    return (((x + (x >> 31)) >> (bits - 1)) + 1) >> 1;
}

/* x times the factor; x is above INT32_MIN. A shift to the left drops what leaves 32 bits. */
KERNEL int32_t rescale(int32_t x, int32_t multiplier, int32_t shift)
{
    if (shift < 0) {
        return shift_right_rounding(multiply_high(x, multiplier), -shift);
    }
    return multiply_high((int32_t)((uint32_t)x << shift), multiplier);
}

KERNEL int32_t clamp(int32_t x, int32_t low, int32_t high)
{
    if (x < low) {
        return low;
    }
    return x > high ? high : x;
}

/* The quantization of an output, and the range that its activation leaves: low <= high. */
typedef struct {
    int32_t zero_point;
    int32_t low, high;
} output_t;

/* Adds the zero point and clamps; x may be any value, so the clamp comes first. */
KERNEL int8_t quantized(int32_t x, const output_t *p)
{
    return (int8_t)(clamp(x, p->low - p->zero_point, p->high - p->zero_point) + p->zero_point);
}

/*
 * What happens to the accumulators of a convolution. The arrays have one element a channel;
 * factor_step 0 says that all channels share the first multiplier and shift.
 */
typedef struct {
    const int32_t *bias; /* less the input's zero point times the sum of the channel's weights */
    const int32_t *multipliers;
    const int8_t *shifts;
    int32_t factor_step;
    bool has_left_shifts; /* whether any shift is 0 or more: seldom, and slower */
    output_t output;
} channels_t;

/* The output of a channel whose accumulator is complete. */
KERNEL int8_t requantize(const channels_t *p, int32_t accumulator, int32_t channel)
{
    const int32_t i = channel * p->factor_step;
    const int32_t multiplier = p->multipliers[i], shift = p->shifts[i];
    if (p->has_left_shifts) {
        return quantized(rescale(accumulator, multiplier, shift), &p->output);
    }
    const int32_t high = multiply_high(accumulator, multiplier);
    return quantized(shift_right_rounding(high, -shift), &p->output);
}

#endif
