/*
 * Dot products of two columns with four channels at a time on ARMv7-M. Each value that is loaded
 * serves two or four times, and all registers are taken: 1.8 instructions a product.
 */
#ifndef BENCH_KERNELS_ARMV7M_DOTS_H
#define BENCH_KERNELS_ARMV7M_DOTS_H

#include "../window.h"

#define DOTS_COLUMNS 2
#define DOTS_CHANNELS 4
#define DOTS_WEIGHT_OFFSET 0 /* weights are signed */

#define UNUSED __attribute__((unused)) /* by the compiler: assembly takes it from its register */

#define DOTS_PRODUCTS(sum0, sum1)                                                                  \
    "ldrsb lr, [r0], #1\n"                                                                         \
    "mla " sum0 ", r3, lr, " sum0 "\n"                                                             \
    "mla " sum1 ", r12, lr, " sum1 "\n"

/* The next cell of both columns, with four weights. */
#define DOTS_CELL                                                                                  \
    "ldrsb r3, [r1], #1\n"                                                                         \
    "ldrsb r12, [r2], #1\n" DOTS_PRODUCTS("r4", "r8") DOTS_PRODUCTS("r5", "r9")                    \
        DOTS_PRODUCTS("r6", "r10") DOTS_PRODUCTS("r7", "r11")

/*
 * Adds to sums[2][4] the products of the columns x[depth] and (x + step)[depth] with
 * weights[depth][4]. Of eight cells each it takes 115 instructions for 64 products.
 */
SHARED __attribute__((naked)) void dots_block(const int8_t *weights UNUSED, const int8_t *x UNUSED,
                                              int32_t step UNUSED, int32_t depth UNUSED,
                                              int32_t *sums UNUSED)
{
    __asm__("push {r4-r11, lr}\n"
            "ldr r12, [sp, #36]\n"
            "add r2, r1, r2\n"
            "add lr, r1, r3\n"
            "and r3, r3, #7\n" /* what is more than a multiple of eight comes first */
            "add r3, r1, r3\n"
            "push {r3, lr}\n"
            "ldm r12, {r4-r11}\n"
            "b 2f\n"
            "1:\n" DOTS_CELL "2:\n"
            "ldr lr, [sp]\n"
            "cmp r1, lr\n"
            "bne 1b\n"
            "b 4f\n"
            "3:\n" DOTS_CELL DOTS_CELL DOTS_CELL DOTS_CELL DOTS_CELL DOTS_CELL DOTS_CELL DOTS_CELL
            "4:\n"
            "ldr lr, [sp, #4]\n"
            "cmp r1, lr\n"
            "bne 3b\n"
            "add sp, #8\n"
            "ldr r12, [sp, #36]\n"
            "stm r12, {r4-r11}\n"
            "pop {r4-r11, pc}\n");
}

/* (x * multiplier + intercept * 2^16) / 2^32, rounded down: SMULL and SMLAL. */
KERNEL int32_t dots_scale(int32_t x, int32_t multiplier, int32_t intercept)
{
    return (int32_t)(((int64_t)x * multiplier + (int64_t)intercept * 65536) >> 32);
}

#include "../dots.h"

#endif
