/*
 * Expanding int8 activations to the 16 bits that SMLAD multiplies.
 *
 * Of four values side by side SXTB16 takes the first and the third, and after a rotation the second
 * and the fourth; weights are laid out in that order. Three pixels lie word by word side by side,
 * as the inner loop of block.h takes them.
 */
#ifndef BENCH_KERNELS_ARMV7EM_EXPAND_H
#define BENCH_KERNELS_ARMV7EM_EXPAND_H

#include "window.h"

#define LANES 3

/* Values 0 and 2 of a word of four. */
KERNEL int32_t even_values(int32_t four)
{
    int32_t two;
    __asm("sxtb16 %0, %1" : "=r"(two) : "r"(four));
    return two;
}

/* Values 1 and 3. */
KERNEL int32_t odd_values(int32_t four)
{
    int32_t two;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(two) : "r"(four));
    return two;
}

/* Four values, which need not be aligned. */
KERNEL int32_t load_word(const int8_t *x)
{
    int32_t word;
    __builtin_memcpy(&word, x, sizeof word);
    return word;
}

/*
 * Expands `words` times four values, words > 0, of each of three pixels, and returns where it
 * ended. The loop is unrolled by four, 40 bytes each, and entered where the first round has as
 * many as are too few for a whole one.
 */
__attribute__((naked, noipa, unused, aligned(4))) static int32_t *
expand_lanes(UNUSED int32_t *to, UNUSED const int8_t *x0, UNUSED const int8_t *x1,
             UNUSED const int8_t *x2, UNUSED int32_t words)
{
    __asm volatile("push    {r4-r9}            \n"
                   "ldr     r12, [sp, #24]     \n"
                   "rsb     r4, r12, #0        \n"
                   "and     r4, r4, #3         \n"
                   "add     r12, r12, r4       \n"
                   "adr.w   r5, 1f             \n"
                   "mov     r6, #40            \n"
                   "mla     r4, r4, r6, r5     \n"
                   "orr     r4, r4, #1         \n"
                   "bx      r4                 \n"
                   ".balign 4                  \n"
                   "1:                         \n"
                   ".rept   4                  \n"
                   "ldr.w   r7, [r1], #4       \n"
                   "ldr.w   r8, [r2], #4       \n"
                   "ldr.w   r9, [r3], #4       \n"
                   "sxtb16  r4, r7             \n"
                   "sxtb16  r5, r8             \n"
                   "sxtb16  r6, r9             \n"
                   "sxtb16  r7, r7, ror #8     \n"
                   "sxtb16  r8, r8, ror #8     \n"
                   "sxtb16  r9, r9, ror #8     \n"
                   "stmia.w r0!, {r4-r9}       \n"
                   ".endr                      \n"
                   "subs    r12, r12, #4       \n"
                   "bne.w   1b                 \n"
                   "pop     {r4-r9}            \n"
                   "bx      lr                 \n");
}

/* Expands as many of one pixel, to every third word. */
SHARED int32_t *expand_lane(int32_t *to, const int8_t *x, int32_t words)
{
#pragma GCC unroll 2
    for (; words > 0; words--, x += 4, to += 2 * LANES) {
        const int32_t four = load_word(x);
        to[0] = even_values(four);
        to[LANES] = odd_values(four);
    }
    return to;
}

#endif
