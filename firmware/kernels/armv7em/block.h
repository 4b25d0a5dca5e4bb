/*
 * The inner loop of convolutions on cores with the DSP extension (Armv7-M reference manual,
 * DDI 0403E, A7): all channels of three pixels, two channels at a time.
 *
 * Activations have been expanded to 16 bits: a word of `x` holds two values of one pixel, and three
 * words side by side are the three pixels', so that one LDM fetches what two weights meet.
 *
 * A word of weights is that of two values and two channels, a and b, in 4 bytes: its halfwords are
 * 256 * b + a. SMLAD with the word as it is sums up 256 * B + A; SXTB16 leaves a, and SMLAD again
 * sums up A; a subtraction at the end leaves 256 * B. That is one instruction less than taking
 * the word apart, and the sums may wrap: only 256 * B must fit 32 bits. Where it may not, or
 * where 256 * b + a does not fit a halfword, the word is taken apart ("plain": the bytes are
 * a0, b0, a1, b1).
 *
 * There are two ways from a sum to an output. "line" is (sum * multiplier + addend * 2^32 + 2^31)
 * >> 32, of which SSAT takes the bits above a shift: its numbers were chosen so that the result is
 * the reference's for every sum that can occur (harness/kernels/requantization.py). The shift is
 * part of the instruction, so there is a function for each; what is not called is not linked.
 * "round" does what the reference does, for channels that have no such numbers. "Brief" ones of
 * either have a word a channel: what else they need is in the last bits of the multipliers
 * (harness/kernels/armv7em/brief.py).
 */
#ifndef BENCH_KERNELS_ARMV7EM_BLOCK_H
#define BENCH_KERNELS_ARMV7EM_BLOCK_H

#include "armv7em/naked.h"
#include "requantize.h"

/*
 * `stream` has for each pair of channels: where the two sums begin, the weights, and what turns the
 * sums into outputs; packed weights begin with a unit before the sums, for one load of both.
 * Weights come in units of 4 values. After the first, the loop over them is unrolled by 8 units;
 * `skip` of the first of `loops` rounds are left out.
 */
typedef struct {
    const int32_t *stream;
    int32_t skip;
    int32_t loops;
    int32_t channels; /* even */
    int32_t point;    /* the zero point and half a unit, doubled: for rounding */
    int32_t high;     /* bytes, all alike: how much is subtracted from outputs, saturating, ... */
    int32_t low;      /* ... and added again, to clamp them */
} dot_t;

/* The outputs of lane 0 go to y, those of lane 1 and 2 to y + one and y + two; lane 0 is last. */
typedef void block_fn_t(const dot_t *p, const void *x, int8_t *y, int32_t one, int32_t two);

struct filters;
struct part;

/* Makes channels that have no such function in C. */
typedef void exactly_fn_t(const struct filters *p, const struct part *part, const void *x,
                          int8_t *y, int32_t one, int32_t two);

/* Channels that are rounded alike, from `first` on; without `block` they are rounded in C. */
typedef struct part {
    block_fn_t *block;
    block_fn_t *two_lanes; /* 0 where three do it */
    int32_t first;
    dot_t dot;
} part_t;

typedef struct filters {
    int32_t count;
    const part_t *parts;
    exactly_fn_t *exactly; /* for parts without a block: 0 and not linked if there are none */
    block_fn_t *sums;
    const channels_t *exact; /* what the reference does with the sums */
} filters_t;

/* r4-r6: values of the three pixels; r7-r9: their sums of a; r10-r12: those of 256 * b + a. */
#define SECOND_HALF_packed                                                                         \
    "ldmia.n r0!, {r4, r5, r6}          \n"                                                        \
    "smlad   r10, r4, r3, r10           \n"                                                        \
    "smlad   r11, r5, r3, r11           \n"                                                        \
    "smlad   r12, r6, r3, r12           \n"                                                        \
    "sxtb16  r3, r3                     \n"                                                        \
    "smlad   r7, r4, r3, r7             \n"                                                        \
    "smlad   r8, r5, r3, r8             \n"                                                        \
    "smlad   r9, r6, r3, r9             \n"
#define UNIT_packed                                                                                \
    "ldrd    r2, r3, [r1], #8           \n"                                                        \
    "ldmia.n r0!, {r4, r5, r6}          \n"                                                        \
    "smlad   r10, r4, r2, r10           \n"                                                        \
    "smlad   r11, r5, r2, r11           \n"                                                        \
    "smlad   r12, r6, r2, r12           \n"                                                        \
    "sxtb16  r2, r2                     \n"                                                        \
    "smlad   r7, r4, r2, r7             \n"                                                        \
    "smlad   r8, r5, r2, r8             \n"                                                        \
    "smlad   r9, r6, r2, r9             \n" SECOND_HALF_packed
/* The first unit, which loads where the sums begin, r7 and r10, and spreads them to all lanes. */
#define FIRST_packed                                                                               \
    "ldmia.w r1!, {r2, r3, r7, r10}     \n"                                                        \
    "ldmia.n r0!, {r4, r5, r6}          \n"                                                        \
    "smlad   r11, r5, r2, r10           \n"                                                        \
    "smlad   r12, r6, r2, r10           \n"                                                        \
    "smlad   r10, r4, r2, r10           \n"                                                        \
    "sxtb16  r2, r2                     \n"                                                        \
    "smlad   r8, r5, r2, r7             \n"                                                        \
    "smlad   r9, r6, r2, r7             \n"                                                        \
    "smlad   r7, r4, r2, r7             \n" SECOND_HALF_packed
#define UNIT_BYTES_packed "64"
#define ENTRY_packed "add     r4, r7, r4, lsl #6         \n"
#define SEPARATE_packed                                                                            \
    "sub     r10, r10, r7               \n"                                                        \
    "sub     r11, r11, r8               \n"                                                        \
    "sub     r12, r12, r9               \n"

/* r7: where the first unit lies; r4: how many are left out, to where the first round begins. */
#define ENTRY_BY(BYTES)                                                                            \
    "mov     r8, #" BYTES "\n"                                                                     \
    "mla     r4, r4, r8, r7             \n"

/* r10-r12: sums of b. */
#define HALF_UNIT_plain                                                                            \
    "ldr.w   r2, [r1], #4               \n"                                                        \
    "ldmia.n r0!, {r4, r5, r6}          \n"                                                        \
    "sxtb16  r3, r2                     \n"                                                        \
    "sxtb16  r2, r2, ror #8             \n"                                                        \
    "smlad   r7, r4, r3, r7             \n"                                                        \
    "smlad   r8, r5, r3, r8             \n"                                                        \
    "smlad   r9, r6, r3, r9             \n"                                                        \
    "smlad   r10, r4, r2, r10           \n"                                                        \
    "smlad   r11, r5, r2, r11           \n"                                                        \
    "smlad   r12, r6, r2, r12           \n"
#define UNIT_plain HALF_UNIT_plain HALF_UNIT_plain
#define FIRST_plain                                                                                \
    "ldrd    r7, r10, [r1], #8          \n"                                                        \
    "mov     r8, r7                     \n"                                                        \
    "mov     r9, r7                     \n"                                                        \
    "mov     r11, r10                   \n"                                                        \
    "mov     r12, r10                   \n" UNIT_plain
#define UNIT_BYTES_plain "76"
#define ENTRY_plain ENTRY_BY("76")
#define SEPARATE_plain

/*
 * r2, r3: multiplier and addend of a; r4: multiplier of b. If weights are packed, b has the same
 * addend, as a line of 256 * B can mostly do with any; its multiplier is twice as large, and more.
 * Else r5 is its own.
 */
#define LINE(SHIFT_A, SHIFT_B, ADDEND_B)                                                           \
    "smmlar  r7, r7, r2, r3             \n"                                                        \
    "smmlar  r8, r8, r2, r3             \n"                                                        \
    "smmlar  r9, r9, r2, r3             \n"                                                        \
    "smmlar  r10, r10, r4, " ADDEND_B " \n"                                                        \
    "smmlar  r11, r11, r4, " ADDEND_B " \n"                                                        \
    "smmlar  r12, r12, r4, " ADDEND_B " \n"                                                        \
    "ssat    r7, #8, r7, asr #" SHIFT_A "\n"                                                       \
    "ssat    r8, #8, r8, asr #" SHIFT_A "\n"                                                       \
    "ssat    r9, #8, r9, asr #" SHIFT_A "\n"                                                       \
    "ssat    r10, #8, r10, asr #" SHIFT_B "\n"                                                     \
    "ssat    r11, #8, r11, asr #" SHIFT_B "\n"                                                     \
    "ssat    r12, #8, r12, asr #" SHIFT_B "\n"
#define LINE_NUMBERS "ldmia.n r1!, {r2, r3, r4}          \n"
#define LINE_packed(SHIFT) LINE_NUMBERS LINE(SHIFT, SHIFT " + 7", "r3")
/* The multiplier of b has the addend in its last bits: ADDEND_BITS of brief.py. */
#define BRIEF_NUMBERS                                                                              \
    "ldrd    r2, r4, [r1], #8           \n"                                                        \
    "ubfx    r3, r4, #0, #22            \n"
#define LINE_brief(SHIFT) BRIEF_NUMBERS LINE(SHIFT, SHIFT " + 8", "r3")
#define LINE_plain(SHIFT) "ldmia.n r1!, {r2, r3, r4, r5}      \n" LINE(SHIFT, SHIFT, "r5")

/*
 * r2, r3: multipliers of a and b; r4: their shifts, less one, a in the lowest byte; r6: the zero
 * point and half a unit, doubled. The doubling high multiply takes twice the sum. Halves go away
 * from zero, so sums below 0 are lowered by one.
 */
#define ROUNDED(SUM, TWICE, MULTIPLIER)                                                            \
    TWICE(SUM)                                                                                     \
    "smmlar  r5, " SUM ", " MULTIPLIER ", lr\n"                                                    \
    "add     r5, r5, " SUM ", asr #31   \n"                                                        \
    "asr     r5, r5, r4                 \n"                                                        \
    "ssat    " SUM ", #8, r5, asr #1    \n"
#define TWICE(SUM) "lsl " SUM ", " SUM ", #1\n"
#define TWICE_OF_256(SUM) "asr " SUM ", " SUM ", #7\n"
#define ROUND_FIRST(POINT)                                                                         \
    "ldmia.n r1!, {r2, r3, r4}          \n"                                                        \
    "ldr     r6, " POINT "              \n"                                                        \
    "lsl     lr, r6, r4                 \n"
#define ROUND_SECOND                                                                               \
    "lsr     r4, r4, #8                 \n"                                                        \
    "lsl     lr, r6, r4                 \n"
/* The same where the shifts are the last bits of the multipliers: SHIFT_BITS of brief.py. */
#define BRIEF_FIRST                                                                                \
    "ldrd    r2, r3, [r1], #8           \n"                                                        \
    "ldr     r6, [sp, #28]              \n"                                                        \
    "and     r4, r2, #15                \n"                                                        \
    "lsl     lr, r6, r4                 \n"
#define BRIEF_SECOND                                                                               \
    "and     r4, r3, #15                \n"                                                        \
    "lsl     lr, r6, r4                 \n"
#define ROUND(FIRST, SECOND, TWICE_B)                                                              \
    FIRST                                                                                          \
    ROUNDED("r7", TWICE, "r2")                                                                     \
    ROUNDED("r8", TWICE, "r2")                                                                     \
    ROUNDED("r9", TWICE, "r2")                                                                     \
    SECOND                                                                                         \
    ROUNDED("r10", TWICE_B, "r3")                                                                  \
    ROUNDED("r11", TWICE_B, "r3")                                                                  \
    ROUNDED("r12", TWICE_B, "r3")
#define ROUND_packed ROUND(ROUND_FIRST("[sp, #28]"), ROUND_SECOND, TWICE_OF_256)
#define ROUND_brief ROUND(BRIEF_FIRST, BRIEF_SECOND, TWICE_OF_256)
#define ROUND_plain ROUND(ROUND_FIRST("[sp, #28]"), ROUND_SECOND, TWICE)

/* What of a dot_t stays on the stack. */
#define KEEP_NOTHING
#define KEEP_POINT "str     r7, [sp, #28]              \n"
#define KEEP_CLAMP "strd    r8, r9, [sp, #32]          \n"

#define CLAMP_int8

/* The addends are so much higher that SSAT is the upper clamp. */
#define CLAMP_clamp                                                                                \
    "ldrd    r2, r3, [sp, #32]          \n"                                                        \
    "qsub8   r7, r7, r2                 \n"                                                        \
    "qsub8   r8, r8, r2                 \n"                                                        \
    "qsub8   r9, r9, r2                 \n"                                                        \
    "sadd8   r7, r7, r3                 \n"                                                        \
    "sadd8   r8, r8, r3                 \n"                                                        \
    "sadd8   r9, r9, r3                 \n"

#define PACK                                                                                       \
    "bfi     r7, r10, #8, #8            \n"                                                        \
    "bfi     r8, r11, #8, #8            \n"                                                        \
    "bfi     r9, r12, #8, #8            \n"
/* What is on the stack, the next pair's included; one line less than each at its time. */
#define LOAD "ldm     sp, {r0, r2, r3, r4, r5, lr} \n"
#define STORE                                                                                      \
    LOAD "strh    r8, [r2, r4]               \n"                                                   \
         "strh    r9, [r2, r5]               \n"                                                   \
         "strh    r7, [r2], #2               \n"

#define FINISH(CLAMP, RESCALE) RESCALE PACK CLAMP_##CLAMP STORE

/* The sums themselves, three of a and three of b, to y. */
#define FINISH_packed                                                                              \
    "asr     r10, r10, #8               \n"                                                        \
    "asr     r11, r11, #8               \n"                                                        \
    "asr     r12, r12, #8               \n" FINISH_plain
#define FINISH_plain LOAD "stmia   r2!, {r7-r12}              \n"

/*
 * On the stack: [0] x, [4] y, [8] its end, [12] where lanes 1 and 2 lie, [20] rounds, [24] where
 * the first round begins, [28] the point, [32] the clamp. The fifth argument comes above what is
 * saved.
 */
#define BLOCK(NAME, WEIGHTS, KEEP, FINISH)                                                         \
    NAKED void NAME(UNUSED const dot_t *p, UNUSED const void *x, UNUSED int8_t *y,                 \
                    UNUSED int32_t one, UNUSED int32_t two)                                        \
    {                                                                                              \
        __asm volatile("push    {r4-r11, lr}               \n"                                     \
                       "sub     sp, sp, #40                \n"                                     \
                       "ldr     r12, [sp, #76]             \n"                                     \
                       "strd    r1, r2, [sp]               \n"                                     \
                       "strd    r3, r12, [sp, #12]         \n"                                     \
                       "ldm     r0, {r1, r4-r9}            \n" KEEP                                \
                       "add     r6, r2, r6                 \n"                                     \
                       "str     r6, [sp, #8]               \n"                                     \
                       "adr.w   r7, 2f + 1                 \n" ENTRY_##WEIGHTS                     \
                       "strd    r5, r4, [sp, #20]          \n"                                     \
                       "mov     lr, r5                     \n"                                     \
                       "ldr     r0, [sp]                   \n"                                     \
                       "1:                                 \n" /* two channels */                  \
                       FIRST_##WEIGHTS "ldr.w   pc, [sp, #24]              \n"                     \
                                       ".balign 4                          \n"                     \
                                       "2:                                 \n"                     \
                                       ".rept   8                          \n" UNIT_##WEIGHTS      \
                       ".endr                              \n"                                     \
                       "3:                                 \n"                                     \
                       ".if     3b - 2b - 8 * " UNIT_BYTES_##WEIGHTS                               \
                       "\n"                                                                        \
                       ".error  \"a unit has another length\"\n"                                   \
                       ".endif                             \n"                                     \
                       "subs    lr, lr, #1                 \n"                                     \
                       "bne.w   2b                         \n" SEPARATE_##WEIGHTS FINISH           \
                       "str     r2, [sp, #4]               \n"                                     \
                       "cmp     r2, r3                     \n"                                     \
                       "bne.w   1b                         \n"                                     \
                       "add     sp, sp, #40                \n"                                     \
                       "pop     {r4-r11, pc}               \n");                                   \
    }

BLOCK(block_packed_sums, packed, KEEP_NOTHING, FINISH_packed)
BLOCK(block_plain_sums, plain, KEEP_NOTHING, FINISH_plain)

#define BLOCK_ROUND(WEIGHTS, NAME, RESCALE)                                                        \
    BLOCK(block_##NAME##_int8, WEIGHTS, KEEP_POINT, FINISH(int8, RESCALE))                         \
    BLOCK(block_##NAME##_clamp, WEIGHTS, KEEP_POINT KEEP_CLAMP, FINISH(clamp, RESCALE))

BLOCK_ROUND(packed, packed_round, ROUND_packed)
BLOCK_ROUND(packed, packed_brief_round, ROUND_brief)
BLOCK_ROUND(plain, plain_round, ROUND_plain)

/*
 * The same of two pixels, for those that are left over at the end: the third lane is not looked at.
 */
#define SECOND_HALF_two                                                                            \
    "ldrd    r4, r5, [r0], #12          \n"                                                        \
    "smlad   r10, r4, r3, r10           \n"                                                        \
    "smlad   r11, r5, r3, r11           \n"                                                        \
    "sxtb16  r3, r3                     \n"                                                        \
    "smlad   r7, r4, r3, r7             \n"                                                        \
    "smlad   r8, r5, r3, r8             \n"
#define UNIT_two                                                                                   \
    "ldrd    r2, r3, [r1], #8           \n"                                                        \
    "ldrd    r4, r5, [r0], #12          \n"                                                        \
    "smlad   r10, r4, r2, r10           \n"                                                        \
    "smlad   r11, r5, r2, r11           \n"                                                        \
    "sxtb16  r2, r2                     \n"                                                        \
    "smlad   r7, r4, r2, r7             \n"                                                        \
    "smlad   r8, r5, r2, r8             \n" SECOND_HALF_two
#define FIRST_two                                                                                  \
    "ldmia.w r1!, {r2, r3, r7, r10}     \n"                                                        \
    "ldrd    r4, r5, [r0], #12          \n"                                                        \
    "smlad   r11, r5, r2, r10           \n"                                                        \
    "smlad   r10, r4, r2, r10           \n"                                                        \
    "sxtb16  r2, r2                     \n"                                                        \
    "smlad   r8, r5, r2, r7             \n"                                                        \
    "smlad   r7, r4, r2, r7             \n" SECOND_HALF_two
#define UNIT_BYTES_two "52"
#define ENTRY_two ENTRY_BY("52")
#define SEPARATE_two                                                                               \
    "sub     r10, r10, r7               \n"                                                        \
    "sub     r11, r11, r8               \n"
#define LINE_two(NUMBERS, SHIFT_A, SHIFT_B)                                                        \
    NUMBERS                                                                                        \
    "smmlar  r7, r7, r2, r3             \n"                                                        \
    "smmlar  r8, r8, r2, r3             \n"                                                        \
    "smmlar  r10, r10, r4, r3           \n"                                                        \
    "smmlar  r11, r11, r4, r3           \n"                                                        \
    "ssat    r7, #8, r7, asr #" SHIFT_A "\n"                                                       \
    "ssat    r8, #8, r8, asr #" SHIFT_A "\n"                                                       \
    "ssat    r10, #8, r10, asr #" SHIFT_B "\n"                                                     \
    "ssat    r11, #8, r11, asr #" SHIFT_B "\n"
#define ROUND_two(FIRST, SECOND)                                                                   \
    FIRST                                                                                          \
    ROUNDED("r7", TWICE, "r2")                                                                     \
    ROUNDED("r8", TWICE, "r2")                                                                     \
    SECOND                                                                                         \
    ROUNDED("r10", TWICE_OF_256, "r3")                                                             \
    ROUNDED("r11", TWICE_OF_256, "r3")
#define STORE_two                                                                                  \
    "bfi     r7, r10, #8, #8            \n"                                                        \
    "bfi     r8, r11, #8, #8            \n" LOAD "strh    r8, [r2, r4]               \n"           \
    "strh    r7, [r2], #2               \n"

BLOCK(block_two_round_int8, two, KEEP_POINT,
      ROUND_two(ROUND_FIRST("[sp, #28]"), ROUND_SECOND) STORE_two)
BLOCK(block_two_brief_round_int8, two, KEEP_POINT, ROUND_two(BRIEF_FIRST, BRIEF_SECOND) STORE_two)

/* Channels of which neither form is exact: those with negative factors, or left shifts. */
SELDOM void make_channels_exactly(const filters_t *p, const part_t *part, const void *x, int8_t *y,
                                  int32_t one, int32_t two)
{
    const int32_t units = 1 + 8 * part->dot.loops - part->dot.skip;
    dot_t pair = part->dot;
    int32_t sums[2][3];

    pair.channels = sizeof sums;
    for (int32_t c = 0; c < part->dot.channels; c += 2, pair.stream += 2 + 2 * units, y += 2) {
        p->sums(&pair, x, (void *)sums, 0, 0);
        for (int32_t i = 0; i < 2; i++) {
            const int32_t channel = part->first + c + i;
            y[one + i] = requantize(p->exact, sums[i][1], channel);
            y[two + i] = requantize(p->exact, sums[i][2], channel);
            y[i] = requantize(p->exact, sums[i][0], channel);
        }
    }
}

/* All channels of `count` pixels, which lie at y, y + one, y + two; what is not there is at y. */
KERNEL void make_channels(const filters_t *p, const void *x, int8_t *y, int32_t count, int32_t one,
                          int32_t two)
{
    const part_t *part = p->parts, *const end = part + p->count;
#pragma GCC unroll 1
    do {
        block_fn_t *const block = count < 3 && part->two_lanes != 0 ? part->two_lanes : part->block;
        if (block != 0) {
            block(&part->dot, x, y + part->first, one, two);
        } else {
            p->exactly(p, part, x, y + part->first, one, two);
        }
    } while (++part < end);
}

/* What makes all channels of three pixels by itself, or 0. */
KERNEL block_fn_t *only_block(const filters_t *p)
{
    return p->count == 1 ? p->parts->block : 0;
}

#define BLOCK_LINE(WEIGHTS, NAME, SHIFT, RESCALE)                                                  \
    BLOCK(block_##NAME##_line_int8_##SHIFT, WEIGHTS, KEEP_NOTHING, FINISH(int8, RESCALE))          \
    BLOCK(block_##NAME##_line_clamp_##SHIFT, WEIGHTS, KEEP_CLAMP, FINISH(clamp, RESCALE))
#define BLOCKS(SHIFT)                                                                              \
    BLOCK_LINE(packed, packed, SHIFT, LINE_packed(#SHIFT))                                         \
    BLOCK_LINE(packed, packed_brief, SHIFT, LINE_brief(#SHIFT))                                    \
    BLOCK_LINE(plain, plain, SHIFT, LINE_plain(#SHIFT))                                            \
    BLOCK(block_two_line_int8_##SHIFT, two, KEEP_NOTHING,                                          \
          LINE_two(LINE_NUMBERS, #SHIFT, #SHIFT " + 7") STORE_two)                                 \
    BLOCK(block_two_brief_line_int8_##SHIFT, two, KEEP_NOTHING,                                    \
          LINE_two(BRIEF_NUMBERS, #SHIFT, #SHIFT " + 8") STORE_two)

BLOCKS(1)
BLOCKS(2)
BLOCKS(3)
BLOCKS(4)
BLOCKS(5)
BLOCKS(6)
BLOCKS(7)
BLOCKS(8)
BLOCKS(9)
BLOCKS(10)
BLOCKS(11)
BLOCKS(12)
BLOCKS(13)
BLOCKS(14)
BLOCKS(15)

#endif
