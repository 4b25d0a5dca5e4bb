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
#define PRODUCTS_2X4                                                                               \
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
#define UNIT_2X4                                                                                   \
    "ldr.n   r2, [r0, #4]               \n"                                                        \
    "ldr.n   r3, [r0, #8]               \n"                                                        \
    "ldr.n   r4, [r1, #4]               \n"                                                        \
    "ldr.n   r5, [r1, #8]               \n" PRODUCTS_2X4 "ldr.n   r2, [r0, #12]              \n"   \
    "ldr.w   r3, [r0, #16]!             \n"                                                        \
    "ldr.n   r4, [r1, #12]              \n"                                                        \
    "ldr.w   r5, [r1, #16]!             \n" PRODUCTS_2X4
/* The first unit, which begins the sums of the second pixel where those of the first do. */
#define FIRST_2X4                                                                                  \
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
    "ldr     r5, [r1, #32]!             \n" PRODUCTS_2X4
#define ENTRY_2X4 ENTRY_BY("100")
#define SEPARATE_2X4                                                                               \
    "sub     r7, r7, r6                 \n"                                                        \
    "sub     r11, r11, r10              \n"                                                        \
    "sub     r9, r9, r8                 \n"                                                        \
    "sub     lr, lr, r12                \n"

/*
 * r0, r2, r3: multiplier and addend of a, multiplier of b; then r4, r2, r5: those of c and d. The
 * brief ones have their addend in the last bits of the multiplier of b or d.
 */
#define LINE_2X4_packed(SHIFT)                                                                     \
    "ldr     r0, [r1, #4]               \n"                                                        \
    "ldr     r2, [r1, #8]               \n"                                                        \
    "ldr     r3, [r1, #12]              \n"                                                        \
    "ldr     r4, [r1, #16]              \n" LINES_AB_2X4 "ldr     r2, [r1, #20]              \n"   \
    "ldr     r5, [r1, #24]!             \n" LINES_CD_2X4                                           \
    SATURATE_2X4(SHIFT, SHIFT " + 7")
#define LINE_2X4_brief(SHIFT)                                                                      \
    "ldr     r0, [r1, #4]               \n"                                                        \
    "ldr     r3, [r1, #8]               \n"                                                        \
    "ldr     r4, [r1, #12]              \n"                                                        \
    "ldr     r5, [r1, #16]!             \n"                                                        \
    "ubfx    r2, r3, #0, #22            \n" LINES_AB_2X4                                           \
    "ubfx    r2, r5, #0, #22            \n" LINES_CD_2X4                                           \
    SATURATE_2X4(SHIFT, SHIFT " + 8")
#define LINES_AB_2X4                                                                               \
    "smmlar  r6, r6, r0, r2             \n"                                                        \
    "smmlar  r10, r10, r0, r2           \n"                                                        \
    "smmlar  r7, r7, r3, r2             \n"                                                        \
    "smmlar  r11, r11, r3, r2           \n"
#define LINES_CD_2X4                                                                               \
    "smmlar  r8, r8, r4, r2             \n"                                                        \
    "smmlar  r12, r12, r4, r2           \n"                                                        \
    "smmlar  r9, r9, r5, r2             \n"                                                        \
    "smmlar  lr, lr, r5, r2             \n"
#define SATURATE_2X4(SHIFT_A, SHIFT_B)                                                             \
    "ssat    r6, #8, r6, asr #" SHIFT_A "\n"                                                       \
    "ssat    r7, #8, r7, asr #" SHIFT_B "\n"                                                       \
    "ssat    r8, #8, r8, asr #" SHIFT_A "\n"                                                       \
    "ssat    r9, #8, r9, asr #" SHIFT_B "\n"                                                       \
    "ssat    r10, #8, r10, asr #" SHIFT_A "\n"                                                     \
    "ssat    r11, #8, r11, asr #" SHIFT_B "\n"                                                     \
    "ssat    r12, #8, r12, asr #" SHIFT_A "\n"                                                     \
    "ssat    lr, #8, lr, asr #" SHIFT_B "\n"

/*
 * r2, r3: multipliers of a and b; r4: their shifts, or one of them, which brief multipliers have in
 * their last bits; r5: the addend of one of them.
 */
#define ROUNDED_2X4(SUM, TWICE, MULTIPLIER)                                                        \
    TWICE(SUM)                                                                                     \
    "smmlar  r0, " SUM ", " MULTIPLIER ", r5\n"                                                    \
    "add     r0, r0, " SUM ", asr #31   \n"                                                        \
    "asr     r0, r0, r4                 \n"                                                        \
    "ssat    " SUM ", #8, r0, asr #1    \n"
#define ROUND_FIRST_2X4_packed                                                                     \
    "ldr     r2, [r1, #4]               \n"                                                        \
    "ldr     r3, [r1, #8]               \n"                                                        \
    "ldr     r4, [r1, #12]!             \n"                                                        \
    "ldr     r0, [sp, #28]              \n"
#define ROUND_SECOND_2X4_packed "lsr     r4, r4, #8                 \n"
#define ROUND_FIRST_2X4_brief                                                                      \
    "ldr     r2, [r1, #4]               \n"                                                        \
    "ldr     r3, [r1, #8]!              \n"                                                        \
    "ldr     r0, [sp, #28]              \n"                                                        \
    "and     r4, r2, #15                \n"
#define ROUND_SECOND_2X4_brief "and     r4, r3, #15                \n"
#define ADDEND_2X4 "lsl     r5, r0, r4                 \n"
#define ROUND_PAIR_2X4(KIND, FIRST_A, SECOND_A, FIRST_B, SECOND_B)                                 \
    ROUND_FIRST_2X4_##KIND ADDEND_2X4 ROUNDED_2X4(FIRST_A, TWICE, "r2") ROUNDED_2X4(               \
        SECOND_A, TWICE,                                                                           \
        "r2") "ldr     r0, [sp, #28]              \n" ROUND_SECOND_2X4_##KIND ADDEND_2X4           \
    ROUNDED_2X4(FIRST_B, TWICE_OF_256, "r3") ROUNDED_2X4(SECOND_B, TWICE_OF_256, "r3")
#define ROUND_2X4(KIND)                                                                            \
    ROUND_PAIR_2X4(KIND, "r6", "r10", "r7", "r11") ROUND_PAIR_2X4(KIND, "r8", "r12", "r9", "lr")

#define KEEP_2X4_int8
#define KEEP_2X4_clamp "str     r9, [sp, #36]              \n"
#define CLAMP_2X4_int8
#define CLAMP_2X4_clamp                                                                            \
    "ldr     r2, [sp, #32]              \n"                                                        \
    "ldr     r3, [sp, #36]              \n"                                                        \
    "qsub8   r6, r6, r2                 \n"                                                        \
    "qsub8   r10, r10, r2               \n"                                                        \
    "sadd8   r6, r6, r3                 \n"                                                        \
    "sadd8   r10, r10, r3               \n"
#define PACK_2X4                                                                                   \
    "bfi     r6, r7, #8, #8             \n"                                                        \
    "bfi     r6, r8, #16, #8            \n"                                                        \
    "bfi     r6, r9, #24, #8            \n"                                                        \
    "bfi     r10, r11, #8, #8           \n"                                                        \
    "bfi     r10, r12, #16, #8          \n"                                                        \
    "bfi     r10, lr, #24, #8           \n"
/* The second pixel first: where there is one only, both are the same. */
#define STORE_2X4                                                                                  \
    "ldr     r2, [sp]                   \n"                                                        \
    "ldr     r3, [sp, #8]               \n"                                                        \
    "ldr     r4, [sp, #4]               \n"                                                        \
    "str     r10, [r2, r3]              \n"                                                        \
    "str     r6, [r2], #4               \n"                                                        \
    "str     r2, [sp]                   \n"

/*
 * On the stack: [0] y, [4] its end, [8] where the second pixel lies, [16] a word before x, [20] a
 * word before its end, [24] where the first round begins, [28] the point, [32] the clamp. The loop
 * has no register for a counter, so it compares where it is.
 */
#define BLOCK_2X4(NAME, CLAMP, RESCALE)                                                            \
    NAKED void NAME(UNUSED const dot_t *p, UNUSED const void *x, UNUSED int8_t *y,                 \
                    UNUSED int32_t one, UNUSED int32_t two)                                        \
    {                                                                                              \
        __asm volatile("push    {r4-r11, lr}               \n"                                     \
                       "sub     sp, sp, #40                \n"                                     \
                       "str     r3, [sp, #8]               \n"                                     \
                       "ldm     r0, {r3-r9}                \n"                                     \
                       "str     r7, [sp, #28]              \n"                                     \
                       "str     r8, [sp, #32]              \n" KEEP_2X4_##CLAMP                    \
                       "add     r6, r2, r6                 \n"                                     \
                       "str     r2, [sp]                   \n"                                     \
                       "str     r6, [sp, #4]               \n"                                     \
                       "sub     r1, r1, #4                 \n"                                     \
                       "rsb     r5, r4, r5, lsl #3         \n"                                     \
                       "add     r5, r5, #1                 \n"                                     \
                       "add     r5, r1, r5, lsl #4         \n"                                     \
                       "str     r1, [sp, #16]              \n"                                     \
                       "str     r5, [sp, #20]              \n"                                     \
                       "adr.w   r7, 2f + 1                 \n" ENTRY_2X4                           \
                       "str     r4, [sp, #24]              \n"                                     \
                       "sub     r1, r3, #4                 \n"                                     \
                       "1:                                 \n" /* four channels */                 \
                       "ldr     r0, [sp, #16]              \n" FIRST_2X4                           \
                       "ldr.w   pc, [sp, #24]              \n"                                     \
                       ".balign 4                          \n"                                     \
                       "2:                                 \n"                                     \
                       ".rept   8                          \n" UNIT_2X4                            \
                       ".endr                              \n"                                     \
                       "3:                                 \n"                                     \
                       ".if     3b - 2b - 8 * 100          \n"                                     \
                       ".error  \"a unit has another length\"\n"                                   \
                       ".endif                             \n"                                     \
                       "ldr     r2, [sp, #20]              \n"                                     \
                       "cmp     r0, r2                     \n"                                     \
                       "bne.w   2b                         \n" SEPARATE_2X4 RESCALE PACK_2X4       \
                           CLAMP_2X4_##CLAMP STORE_2X4 "cmp     r2, r4                     \n"     \
                                                       "bne.w   1b                         \n"     \
                                                       "add     sp, sp, #40                \n"     \
                                                       "pop     {r4-r11, pc}               \n");   \
    }

BLOCK_2X4(block_2x4_round_int8, int8, ROUND_2X4(packed))
BLOCK_2X4(block_2x4_round_clamp, clamp, ROUND_2X4(packed))
BLOCK_2X4(block_2x4_brief_round_int8, int8, ROUND_2X4(brief))
BLOCK_2X4(block_2x4_brief_round_clamp, clamp, ROUND_2X4(brief))

#define BLOCKS_2X4(SHIFT)                                                                          \
    BLOCK_2X4(block_2x4_line_int8_##SHIFT, int8, LINE_2X4_packed(#SHIFT))                          \
    BLOCK_2X4(block_2x4_line_clamp_##SHIFT, clamp, LINE_2X4_packed(#SHIFT))                        \
    BLOCK_2X4(block_2x4_brief_line_int8_##SHIFT, int8, LINE_2X4_brief(#SHIFT))                     \
    BLOCK_2X4(block_2x4_brief_line_clamp_##SHIFT, clamp, LINE_2X4_brief(#SHIFT))

BLOCKS_2X4(1)
BLOCKS_2X4(2)
BLOCKS_2X4(3)
BLOCKS_2X4(4)
BLOCKS_2X4(5)
BLOCKS_2X4(6)
BLOCKS_2X4(7)
BLOCKS_2X4(8)
BLOCKS_2X4(9)
BLOCKS_2X4(10)
BLOCKS_2X4(11)
BLOCKS_2X4(12)
BLOCKS_2X4(13)
BLOCKS_2X4(14)
BLOCKS_2X4(15)

#endif
