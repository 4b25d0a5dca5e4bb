/*
 * Eight dot products at a time on ARMv6-M, which loads signed bytes only from the sum of two
 * registers, multiplies only 32 bits by 32 bits to 32, over one factor, and adds to registers
 * above r7 without flags. So weights are unsigned, which has immediate offsets, a product takes
 * the place of its weight, and five of the sums are up there: three instructions a product.
 */
#ifndef BENCH_KERNELS_ARMV6M_DOTS_H
#define BENCH_KERNELS_ARMV6M_DOTS_H

#include "../window.h"

#define DOTS_COLUMNS 1
#define DOTS_CHANNELS 8
#define DOTS_WEIGHT_OFFSET 128

#define UNUSED __attribute__((unused)) /* by the compiler: assembly takes it from its register */
__attribute__((unused)) /* by the compiler: the assembly takes it from its register */

/* One weight at r0 + offset, times the cell in r3, is added to a sum. */
#define DOTS_PRODUCT(add, sum, offset)                                                             \
    "ldrb r4, [r0, #" #offset "]\n"                                                                \
    "muls r4, r3\n" add " " sum ", r4\n"

/* The next cell, with eight weights. */
#define DOTS_CELL(o0, o1, o2, o3, o4, o5, o6, o7)                                                  \
    "ldrsb r3, [r1, r2]\n"                                                                         \
    "adds r2, #1\n" DOTS_PRODUCT("adds", "r5", o0) DOTS_PRODUCT("adds", "r6", o1)                  \
        DOTS_PRODUCT("adds", "r7", o2) DOTS_PRODUCT("add", "r8", o3) DOTS_PRODUCT("add", "r9", o4) \
            DOTS_PRODUCT("add", "r10", o5) DOTS_PRODUCT("add", "r11", o6)                          \
                DOTS_PRODUCT("add", "r12", o7)

/*
 * Adds to sums[8] the products of x[depth] with weights[depth][8]; there is one column, and no
 * step. Of four cells each it takes 106 instructions for 32 products.
 */
SHARED __attribute__((naked)) void
dots_block(const int8_t *weights UNUSED, const int8_t *x UNUSED, int32_t step UNUSED,
           int32_t depth UNUSED, int32_t *sums UNUSED)
{
    __asm__(".syntax unified\n"
            "push {r4-r7, lr}\n"
            "mov r4, r8\n"
            "mov r5, r9\n"
            "mov r6, r10\n"
            "mov r7, r11\n"
            "push {r4-r7}\n"
            "mov r2, r3\n"
            "ldr r3, [sp, #36]\n"
            "mov lr, r3\n"
            "ldm r3!, {r5-r7}\n"
            "ldm r3!, {r4}\n"
            "mov r8, r4\n"
            "ldm r3!, {r4}\n"
            "mov r9, r4\n"
            "ldm r3!, {r4}\n"
            "mov r10, r4\n"
            "ldm r3!, {r4}\n"
            "mov r11, r4\n"
            "ldm r3!, {r4}\n"
            "mov r12, r4\n"
            "adds r1, r1, r2\n" /* cells are counted up to 0 before their end */
            "rsbs r2, r2, #0\n"
            "b 2f\n"
            "1:\n" DOTS_CELL(
                0, 1, 2, 3, 4, 5, 6,
                7) "adds r0, #8\n"
                   "2:\n"
                   "lsls r3, r2, #30\n" /* what is more than a multiple of four comes first */
                   "bne 1b\n"
                   "cmp r2, #0\n"
                   "beq 4f\n"
                   "3:\n" DOTS_CELL(0, 1, 2, 3, 4, 5, 6, 7) DOTS_CELL(8, 9, 10, 11, 12, 13, 14, 15)
                       DOTS_CELL(16, 17, 18, 19, 20, 21, 22, 23)
                           DOTS_CELL(24, 25, 26, 27, 28, 29, 30, 31) "adds r0, #32\n"
                                                                     "cmp r2, #0\n"
                                                                     "bne 3b\n"
                                                                     "4:\n"
                                                                     "mov r3, lr\n"
                                                                     "stm r3!, {r5-r7}\n"
                                                                     "mov r4, r8\n"
                                                                     "mov r5, r9\n"
                                                                     "mov r6, r10\n"
                                                                     "mov r7, r11\n"
                                                                     "stm r3!, {r4-r7}\n"
                                                                     "mov r4, r12\n"
                                                                     "stm r3!, {r4}\n"
                                                                     "pop {r4-r7}\n"
                                                                     "mov r8, r4\n"
                                                                     "mov r9, r5\n"
                                                                     "mov r10, r6\n"
                                                                     "mov r11, r7\n"
                                                                     "pop {r4-r7, pc}\n");
}

/*
 * (x * multiplier + intercept * 2^16) / 2^32, rounded down, of four products of halves. Below 2^27,
 * 2^30 and 2^29 they and their sums fit 32 bits.
 */
KERNEL int32_t dots_scale(int32_t x, int32_t multiplier, int32_t intercept)
{
    const uint32_t x_low = (uint32_t)x & 0xFFFFu, low = (uint32_t)multiplier & 0xFFFFu;
    const int32_t x_high = x >> 16, high = multiplier >> 16;
    const int32_t middle =
        (int32_t)(x_low * low >> 16) + (int32_t)x_low * high + x_high * (int32_t)low + intercept;
    return x_high * high + (middle >> 16);
}

#include "../dots.h"

#endif
