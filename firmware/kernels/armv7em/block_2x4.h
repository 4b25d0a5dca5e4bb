/*
 * The inner loop of convolutions for fewer cycles: all channels of two pixels, four channels at a
 * time, where block.h makes two channels of three pixels. It loads a word by each instruction: on a
 * Cortex-M4 a load right behind another takes one cycle, LDM and LDRD take one for each word and
 * one more (Arm DDI 0439B, 3.3.2). So products take 14 instructions and 15 cycles for 16 MACs
 * (0.875 and 0.938 a MAC), those of block.h 17 and 25 for 24 (0.708 and 1.042).
 *
 * Weights are packed as in block.h, which says how and why; two words of `x` side by side are of
 * the two pixels. Of four channels a, b, c, d the stream has where the sums begin, of each two
 * values the words of a and b and of c and d, and what turns the sums into outputs, as for pairs.
 */
#ifndef BENCH_KERNELS_ARMV7EM_BLOCK_2X4_H
#define BENCH_KERNELS_ARMV7EM_BLOCK_2X4_H

#include "armv7em/block.h"

/*
 * r0 and r1: a word before the values and the weights; r2, r3: values of the two pixels; r4, r5:
 * weights. r6-r9: sums of a, 256 * b + a, c, 256 * d + c of the first pixel; r10-r12 and lr: those
 * of the second.
 */
#define PRODUCTS_2x4                                                                               \
    "smlad   r7, r2, r4, r7             \n"                                                        \
    "smlad   r11, r3, r4, r11           \n"                                                        \
    "smlad   r9, r2, r5, r9             \n"                                                        \
    "smlad   lr, r3, r5, lr             \n"                                                        \
    "sxtb16  r4, r4                     \n"                                                        \
    "sxtb16  r5, r5                     \n"                                                        \
    "smlad   r6, r2, r4, r6             \n"                                                        \
    "smlad   r10, r3, r4, r10           \n"                                                        \
    "smlad   r8, r2, r5, r8             \n"                                                        \
    "smlad   r12, r3, r5, r12           \n"
/* Four values, in 100 bytes of code. */
#define UNIT_2x4                                                                                   \
    "ldr.n   r2, [r0, #4]               \n"                                                        \
    "ldr.n   r3, [r0, #8]               \n"                                                        \
    "ldr.n   r4, [r1, #4]               \n"                                                        \
    "ldr.n   r5, [r1, #8]               \n" PRODUCTS_2x4 "ldr.n   r2, [r0, #12]              \n"   \
    "ldr.w   r3, [r0, #16]!             \n"                                                        \
    "ldr.n   r4, [r1, #12]              \n"                                                        \
    "ldr.w   r5, [r1, #16]!             \n" PRODUCTS_2x4
/* The first unit, which begins the sums of the second pixel where those of the first do. */
#define FIRST_2x4                                                                                  \
    "ldr     r6, [r1, #4]               \n"                                                        \
    "ldr     r7, [r1, #8]               \n"                                                        \
    "ldr     r8, [r1, #12]              \n"                                                        \
    "ldr     r9, [r1, #16]              \n"                                                        \
    "ldr     r2, [r0, #4]               \n"                                                        \
    "ldr     r3, [r0, #8]               \n"                                                        \
    "ldr     r4, [r1, #20]              \n"                                                        \
    "ldr     r5, [r1, #24]              \n"                                                        \
    "smlad   r11, r3, r4, r7            \n"                                                        \
    "smlad   r7, r2, r4, r7             \n"                                                        \
    "smlad   lr, r3, r5, r9             \n"                                                        \
    "smlad   r9, r2, r5, r9             \n"                                                        \
    "sxtb16  r4, r4                     \n"                                                        \
    "sxtb16  r5, r5                     \n"                                                        \
    "smlad   r10, r3, r4, r6            \n"                                                        \
    "smlad   r6, r2, r4, r6             \n"                                                        \
    "smlad   r12, r3, r5, r8            \n"                                                        \
    "smlad   r8, r2, r5, r8             \n"                                                        \
    "ldr     r2, [r0, #12]              \n"                                                        \
    "ldr     r3, [r0, #16]!             \n"                                                        \
    "ldr     r4, [r1, #28]              \n"                                                        \
    "ldr     r5, [r1, #32]!             \n" PRODUCTS_2x4
#define SEPARATE_2x4                                                                               \
    "sub     r7, r7, r6                 \n"                                                        \
    "sub     r11, r11, r10              \n"                                                        \
    "sub     r9, r9, r8                 \n"                                                        \
    "sub     lr, lr, r12                \n"

/* r0, r2, r3: multiplier and addend of a, multiplier of b; r4, r5, r0: those of c and d. */
#define LINE_2x4(SHIFT)                                                                            \
    "ldr     r0, [r1, #4]               \n"                                                        \
    "ldr     r2, [r1, #8]               \n"                                                        \
    "ldr     r3, [r1, #12]              \n"                                                        \
    "ldr     r4, [r1, #16]              \n"                                                        \
    "ldr     r5, [r1, #20]              \n"                                                        \
    "smmlar  r6, r6, r0, r2             \n"                                                        \
    "smmlar  r10, r10, r0, r2           \n"                                                        \
    "ldr     r0, [r1, #24]!             \n"                                                        \
    "smmlar  r7, r7, r3, r2             \n"                                                        \
    "smmlar  r11, r11, r3, r2           \n"                                                        \
    "smmlar  r8, r8, r4, r5             \n"                                                        \
    "smmlar  r12, r12, r4, r5           \n"                                                        \
    "smmlar  r9, r9, r0, r5             \n"                                                        \
    "smmlar  lr, lr, r0, r5             \n"                                                        \
    "ssat    r6, #8, r6, asr #" SHIFT " \n"                                                        \
    "ssat    r7, #8, r7, asr #" SHIFT " + 7\n"                                                     \
    "ssat    r8, #8, r8, asr #" SHIFT " \n"                                                        \
    "ssat    r9, #8, r9, asr #" SHIFT " + 7\n"                                                     \
    "ssat    r10, #8, r10, asr #" SHIFT "\n"                                                       \
    "ssat    r11, #8, r11, asr #" SHIFT " + 7\n"                                                   \
    "ssat    r12, #8, r12, asr #" SHIFT "\n"                                                       \
    "ssat    lr, #8, lr, asr #" SHIFT " + 7\n"

/* r2, r3: multipliers of a and b; r4: their shifts; r5: the addend of one of them. */
#define ROUNDED_2x4(SUM, TWICE, MULTIPLIER)                                                        \
    TWICE(SUM)                                                                                     \
    "smmlar  r0, " SUM ", " MULTIPLIER ", r5\n"                                                    \
    "add     r0, r0, " SUM ", asr #31   \n"                                                        \
    "asr     r0, r0, r4                 \n"                                                        \
    "ssat    " SUM ", #8, r0, asr #1    \n"
#define ROUND_PAIR_2x4(FIRST_A, SECOND_A, FIRST_B, SECOND_B)                                       \
    "ldr     r2, [r1, #4]               \n"                                                        \
    "ldr     r3, [r1, #8]               \n"                                                        \
    "ldr     r4, [r1, #12]!             \n"                                                        \
    "ldr     r0, [sp, #28]              \n"                                                        \
    "lsl     r5, r0, r4                 \n" ROUNDED_2x4(FIRST_A, TWICE, "r2")                      \
        ROUNDED_2x4(SECOND_A, TWICE, "r2") "ldr     r0, [sp, #28]              \n"                 \
                                           "lsr     r4, r4, #8                 \n"                 \
                                           "lsl     r5, r0, r4                 \n" ROUNDED_2x4(    \
                                               FIRST_B, TWICE_OF_256, "r3")                        \
                                               ROUNDED_2x4(SECOND_B, TWICE_OF_256, "r3")
#define ROUND_2x4 ROUND_PAIR_2x4("r6", "r10", "r7", "r11") ROUND_PAIR_2x4("r8", "r12", "r9", "lr")

#define KEEP_2x4_int8
#define KEEP_2x4_clamp "str     r9, [sp, #36]              \n"
#define CLAMP_2x4_int8
#define CLAMP_2x4_clamp                                                                            \
    "ldr     r2, [sp, #32]              \n"                                                        \
    "ldr     r3, [sp, #36]              \n"                                                        \
    "qsub8   r6, r6, r2                 \n"                                                        \
    "qsub8   r10, r10, r2               \n"                                                        \
    "sadd8   r6, r6, r3                 \n"                                                        \
    "sadd8   r10, r10, r3               \n"
/* The second pixel first: where there is one only, both are the same. */
#define STORE_2x4(CLAMP)                                                                           \
    "bfi     r6, r7, #8, #8             \n"                                                        \
    "bfi     r6, r8, #16, #8            \n"                                                        \
    "bfi     r6, r9, #24, #8            \n"                                                        \
    "bfi     r10, r11, #8, #8           \n"                                                        \
    "bfi     r10, r12, #16, #8          \n"                                                        \
    "bfi     r10, lr, #24, #8           \n" CLAMP_2x4_##CLAMP                                      \
        "ldr     r2, [sp]                   \n"                                                    \
        "ldr     r3, [sp, #8]               \n"                                                    \
        "ldr     r4, [sp, #4]               \n"                                                    \
        "str     r10, [r2, r3]              \n"                                                    \
        "str     r6, [r2], #4               \n"                                                    \
        "str     r2, [sp]                   \n"

/*
 * On the stack: [0] y, [4] its end, [8] where the second pixel lies, [16] a word before x, [20] a
 * word before its end, [24] where the first round begins, [28] the point, [32] the clamp. The loop
 * has no register for a counter, so it compares where it is.
 */
#define BLOCK_2x4(NAME, CLAMP, RESCALE)                                                            \
    NAKED void NAME(UNUSED const dot_t *p, UNUSED const void *x, UNUSED int8_t *y,                 \
                    UNUSED int32_t one, UNUSED int32_t two)                                        \
    {                                                                                              \
        __asm volatile("push    {r4-r11, lr}               \n"                                     \
                       "sub     sp, sp, #40                \n"                                     \
                       "str     r3, [sp, #8]               \n"                                     \
                       "ldm     r0, {r3-r9}                \n"                                     \
                       "str     r7, [sp, #28]              \n"                                     \
                       "str     r8, [sp, #32]              \n" KEEP_2x4_##CLAMP                    \
                       "add     r6, r2, r6                 \n"                                     \
                       "str     r2, [sp]                   \n"                                     \
                       "str     r6, [sp, #4]               \n"                                     \
                       "sub     r1, r1, #4                 \n"                                     \
                       "rsb     r5, r4, r5, lsl #3         \n"                                     \
                       "add     r5, r5, #1                 \n"                                     \
                       "add     r5, r1, r5, lsl #4         \n"                                     \
                       "str     r1, [sp, #16]              \n"                                     \
                       "str     r5, [sp, #20]              \n"                                     \
                       "adr.w   r7, 2f                     \n" ENTRY_BY(                           \
                           "100") "orr     r4, r4, #1                 \n"                          \
                                  "str     r4, [sp, #24]              \n"                          \
                                  "sub     r1, r3, #4                 \n"                          \
                                  "1:                                 \n" /* four channels */      \
                                  "ldr     r0, [sp, #16]              \n" FIRST_2x4                \
                                  "ldr.w   pc, [sp, #24]              \n"                          \
                                  ".balign 4                          \n"                          \
                                  "2:                                 \n"                          \
                                  ".rept   8                          \n" UNIT_2x4                 \
                                  ".endr                              \n"                          \
                                  "3:                                 \n"                          \
                                  ".if     3b - 2b - 8 * 100          \n"                          \
                                  ".error  \"a unit has another length\"\n"                        \
                                  ".endif                             \n"                          \
                                  "ldr     r2, [sp, #20]              \n"                          \
                                  "cmp     r0, r2                     \n"                          \
                                  "bne.w   2b                         \n" SEPARATE_2x4 RESCALE     \
                                      STORE_2x4(CLAMP) "cmp     r2, r4                     \n"     \
                                                       "bne.w   1b                         \n"     \
                                                       "add     sp, sp, #40                \n"     \
                                                       "pop     {r4-r11, pc}               \n");   \
    }

BLOCK_2x4(block_2x4_round_int8, int8, ROUND_2x4) BLOCK_2x4(block_2x4_round_clamp, clamp, ROUND_2x4)

#define BLOCKS_2x4(SHIFT)                                                                          \
    BLOCK_2x4(block_2x4_line_int8_##SHIFT, int8, LINE_2x4(#SHIFT))                                 \
        BLOCK_2x4(block_2x4_line_clamp_##SHIFT, clamp, LINE_2x4(#SHIFT))

    BLOCKS_2x4(1) BLOCKS_2x4(2) BLOCKS_2x4(3) BLOCKS_2x4(4) BLOCKS_2x4(5) BLOCKS_2x4(6)
        BLOCKS_2x4(7) BLOCKS_2x4(8) BLOCKS_2x4(9) BLOCKS_2x4(10) BLOCKS_2x4(11) BLOCKS_2x4(12)
            BLOCKS_2x4(13) BLOCKS_2x4(14) BLOCKS_2x4(15)

#endif
