/*
 * Addition, subtraction and multiplication of int8 tensors on ARMv7E-M, four elements at a time.
 *
 * A word holds four elements. AND with 0xFF00FF00 leaves two of them as halfwords, with their signs
 * and times 256, and the two others after a shift that AND does by the way: one instruction makes
 * two operands of multiplications by halfwords.
 *
 * The constants are proved at code generation, for all pairs of values or at every threshold. The
 * output may lie exactly over an operand that has its shape; otherwise it must not overlap.
 */
#ifndef BENCH_KERNELS_ARMV7EM_ELEMENTWISE_H
#define BENCH_KERNELS_ARMV7EM_ELEMENTWISE_H

#include <arm_acle.h>

#include "../elementwise.h"

/* saturate((addend + (a_factor * a >> 8) + (b_factor * b >> 8)) >> ADD_SHORT_SHIFT) */
typedef struct {
    broadcast_t shape;
    int32_t a_factor, b_factor, addend;
} add_short_t;

#define ADD_SHORT_SHIFT 20

/*
 * saturate((addend + ((product * multiplier + 2^31) >> 32) - (product < 0)) >> shift), where
 * product is (a - a_zero) * (b - b_zero) * 2.
 */
typedef struct {
    broadcast_t shape;
    int32_t a_zero, b_zero;
    int32_t multiplier, addend;
    int32_t shift;
} mul_short_t;

/* How two runs of elements become one. */
typedef void run_t(const void *parameters, const int8_t *a, const int8_t *b, int8_t *y, int32_t n);

#define HIGH_BYTES 0xFF00FF00u /* of halfwords */

/* value >> shift, with the clamp to int8. */
KERNEL int32_t shift_saturating(int32_t value, int32_t shift)
{
    int32_t y;
    __asm__("ssat %0, #8, %1, asr %2" : "=r"(y) : "r"(value), "i"(shift));
    return y;
}

KERNEL uint32_t load_elements(const int8_t *x)
{
    uint32_t word;
    __builtin_memcpy(&word, x, sizeof word);
    return word;
}

KERNEL void insert_byte(uint32_t *word, int32_t byte, int32_t at)
{
    __asm__("bfi %0, %1, %2, #8" : "+r"(*word) : "r"(byte), "i"(at));
}

KERNEL void store_elements(int8_t *y, int32_t y0, int32_t y1, int32_t y2, int32_t y3)
{
    uint32_t word = (uint32_t)y0;
    insert_byte(&word, y1, 8);
    insert_byte(&word, y2, 16);
    insert_byte(&word, y3, 24);
    __builtin_memcpy(y, &word, sizeof word);
}

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)
#define ADD_SATURATE ", asr #" TEXT_OF(ADD_SHORT_SHIFT) "\n"

/* Four elements in 22 instructions. */
#define ADD_ELEMENTS                                                                               \
    "ldr %[odd], [%[a]], #4\n"                                                                     \
    "ldr %[b_odd], [%[b]], #4\n"                                                                   \
    "and %[even], %[mask], %[odd], lsl #8\n"                                                       \
    "and %[b_even], %[mask], %[b_odd], lsl #8\n"                                                   \
    "and %[odd], %[mask], %[odd]\n"                                                                \
    "and %[b_odd], %[mask], %[b_odd]\n"                                                            \
    "smlawb %[word], %[a_factor], %[even], %[addend]\n"                                            \
    "smlawt %[even], %[a_factor], %[even], %[addend]\n"                                            \
    "smlawb %[word], %[b_factor], %[b_even], %[word]\n"                                            \
    "smlawt %[even], %[b_factor], %[b_even], %[even]\n"                                            \
    "smlawb %[b_even], %[a_factor], %[odd], %[addend]\n"                                           \
    "smlawt %[odd], %[a_factor], %[odd], %[addend]\n"                                              \
    "smlawb %[b_even], %[b_factor], %[b_odd], %[b_even]\n"                                         \
    "smlawt %[odd], %[b_factor], %[b_odd], %[odd]\n"                                               \
    "ssat %[word], #8, %[word]" ADD_SATURATE "ssat %[b_even], #8, %[b_even]" ADD_SATURATE          \
    "ssat %[even], #8, %[even]" ADD_SATURATE "ssat %[odd], #8, %[odd]" ADD_SATURATE                \
    "bfi %[word], %[b_even], #8, #8\n"                                                             \
    "bfi %[word], %[even], #16, #8\n"                                                              \
    "bfi %[word], %[odd], #24, #8\n"                                                               \
    "str %[word], [%[y]], #4\n"

SHARED void add_run(const void *parameters, const int8_t *a, const int8_t *b, int8_t *y, int32_t n)
{
    const add_short_t *p = parameters;
    const int32_t a_factor = p->a_factor, b_factor = p->b_factor, addend = p->addend;
    const int8_t *end = a + n / 8 * 8;
    if (n >= 8) {
        uint32_t odd, even, b_odd, b_even, word;
        __asm__ volatile(
            "1:\n" ADD_ELEMENTS ADD_ELEMENTS "cmp %[a], %[end]\n"
            "bne 1b\n"
            : [a] "+r"(a), [b] "+r"(b), [y] "+r"(y), [odd] "=&r"(odd), [even] "=&r"(even),
              [b_odd] "=&r"(b_odd), [b_even] "=&r"(b_even), [word] "=&r"(word)
            : [a_factor] "r"(a_factor), [b_factor] "r"(b_factor), [addend] "r"(addend),
              [mask] "r"(HIGH_BYTES), [end] "r"(end)
            : "cc", "memory");
    }
#pragma GCC unroll 1
    for (n %= 8; n > 0; n--) {
        const int32_t sum = __smlawb(b_factor, *b++ * 256, __smlawb(a_factor, *a++ * 256, addend));
        *y++ = (int8_t)shift_saturating(sum, ADD_SHORT_SHIFT);
    }
}

KERNEL int32_t multiply_bottoms(int32_t a, int32_t b)
{
    int32_t product;
    __asm__("smulbb %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
    return product;
}

KERNEL int32_t multiply_tops(int32_t a, int32_t b)
{
    int32_t product;
    __asm__("smultt %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
    return product;
}

/* Minus a zero point, in both halfwords. */
KERNEL int32_t mul_offsets(int32_t zero)
{
    return (int32_t)((uint32_t)-zero % 0x10000u * 0x10001u);
}

KERNEL int32_t mul_twice(int32_t halfwords)
{
    return __sadd16(halfwords, halfwords);
}

KERNEL int32_t mul_rescale(const mul_short_t *p, int32_t product)
{
    int32_t high;
    __asm__("smmlar %0, %1, %2, %3"
            : "=r"(high)
            : "r"(product), "r"(p->multiplier), "r"(p->addend));
    return shift_saturating(high + (product >> 31), p->shift);
}

/* 28 instructions for four elements, and the loop's; the shift is part of one of them. */
KERNEL void mul_run(const void *parameters, const int8_t *a, const int8_t *b, int8_t *y, int32_t n)
{
    const mul_short_t *p = parameters;
    const int32_t a_offsets = mul_offsets(p->a_zero), b_offsets = mul_offsets(p->b_zero);
#pragma GCC unroll 1
    for (; n >= 4; n -= 4, a += 4, b += 4, y += 4) {
        const uint32_t a_word = load_elements(a), b_word = load_elements(b);
        const int32_t a_even = __sxtab16(a_offsets, (int8x4_t)a_word);
        const int32_t a_odd = __sxtab16(a_offsets, (int8x4_t)(a_word >> 8 | a_word << 24));
        const int32_t b_even = mul_twice(__sxtab16(b_offsets, (int8x4_t)b_word));
        const int32_t b_odd =
            mul_twice(__sxtab16(b_offsets, (int8x4_t)(b_word >> 8 | b_word << 24)));
        store_elements(y, mul_rescale(p, multiply_bottoms(a_even, b_even)),
                       mul_rescale(p, multiply_bottoms(a_odd, b_odd)),
                       mul_rescale(p, multiply_tops(a_even, b_even)),
                       mul_rescale(p, multiply_tops(a_odd, b_odd)));
    }
#pragma GCC unroll 1
    for (; n > 0; n--) {
        *y++ = (int8_t)mul_rescale(p, (*a++ - p->a_zero) * (*b++ - p->b_zero) * 2);
    }
}

/* Calls `run` for all that lies in one piece in both operands. */
KERNEL void elementwise_runs(const broadcast_t *s, run_t *run, const void *parameters,
                             const int8_t *a, const int8_t *b, int8_t *y)
{
    const int32_t n = s->length[3];
    for (int32_t i = 0; i < s->length[0]; i++) {
        for (int32_t j = 0; j < s->length[1]; j++) {
            for (int32_t k = 0; k < s->length[2]; k++, y += n) {
                run(parameters, a + i * s->a_step[0] + j * s->a_step[1] + k * s->a_step[2],
                    b + i * s->b_step[0] + j * s->b_step[1] + k * s->b_step[2], y, n);
            }
        }
    }
}

/* Columns of one output row; operands and output have one shape. */
KERNEL void elementwise_run_row(run_t *run, const void *parameters, const rows_t *a,
                                const rows_t *b, int32_t row, span_t columns, int8_t *y)
{
    run(parameters, pixel_at(a, row, columns.first), pixel_at(b, row, columns.first), y,
        (columns.last - columns.first) * a->pixel_bytes);
}

KERNEL void add_short(const add_short_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    elementwise_runs(&p->shape, add_run, p, a, b, y);
}

KERNEL void add_short_row(const add_short_t *p, rows_t a, rows_t b, int32_t row, span_t columns,
                          int8_t *y)
{
    elementwise_run_row(add_run, p, &a, &b, row, columns, y);
}

KERNEL void mul_short(const mul_short_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    elementwise_runs(&p->shape, mul_run, p, a, b, y);
}

KERNEL void mul_short_row(const mul_short_t *p, rows_t a, rows_t b, int32_t row, span_t columns,
                          int8_t *y)
{
    elementwise_run_row(mul_run, p, &a, &b, row, columns, y);
}

#endif
