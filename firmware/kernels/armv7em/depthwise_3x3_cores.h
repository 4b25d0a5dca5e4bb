/*
 * The cores of 3x3 depthwise convolution for ARMv7E-M, the kernel that most networks have.
 *
 * As in depthwise_lines.h, a word holds two rows of the input, the upper one in the lower halfword;
 * a line of words is the columns of such a pair. At either stride the columns lie in their order.
 * Three kernel rows need two lines, and a kernel column (a, b, c) comes as two words of weights:
 *
 *     line 0   row 0 | row 1      A = a | b      upper output:   A on line 0, c on line 1
 *     line 1   row 2 | row 3      B = b | c      lower output:   a on line 0, B on line 1
 *
 * With stride 1 two rows of outputs come from the same two lines, three columns at a time: 36
 * products in 70 instructions. Where one row is wanted, or with stride 2, it is the upper one, four
 * columns at a time. What is left of a row goes two columns at a time.
 */
#ifndef BENCH_KERNELS_ARMV7EM_DEPTHWISE_3X3_CORES_H
#define BENCH_KERNELS_ARMV7EM_DEPTHWISE_3X3_CORES_H

#include "armv7em/depthwise_lines.h"

#include <stddef.h>

/* What a core works with; cores know the offsets from `bias`, to both sides. */
typedef struct {
    int32_t below;       /* bytes from an output to the one below; 0 if there is none */
    const int32_t *last; /* channels end here, [2]: bias and multiplier of each */
    const int32_t *channel;
    const struct depthwise_3x3_weights *weights;
    uint32_t bytes_1_and_3; /* a mask */
    int32_t rows;           /* output rows of a channel */

    int32_t bias, a[3], b[3]; /* set by the core for each channel, as is the multiplier */
    int32_t next;             /* from where a core has read line 0 to line 1, in bytes */
    int32_t multiplier, addend;
    int32_t pixel_bytes; /* from an output to its neighbour */
    int32_t back;        /* from where a core has read line 1 to the next columns */
    const int32_t *end;  /* set by the core: of the columns that go alike */
    int32_t three;       /* bytes from the first output to the last one of a block */
    int32_t *begin;      /* the bias, to which a core gets back with these constants */
    int32_t wide;        /* bytes of line 0 under the blocks of three or four columns, */
    int32_t narrow;      /* and under those of two */
    int32_t left;        /* set by the core: output rows to go */
    int32_t x_skip;      /* from where the last block ended to the next line */
    int32_t y_skip;
    int32_t x_overlap, y_overlap; /* what the blocks of two compute again, in bytes, below 0 */
    int32_t x_channel, y_channel; /* from where the last block of a channel ended to the next */
    const int32_t *x;             /* line 0 of the channel */
    int8_t *y;                    /* its first output; a core for two rows then moves it on */
    int32_t below_now;            /* set by such a core, 0 where the last row has none below */
} depthwise_3x3_task_t;

_Static_assert(offsetof(depthwise_3x3_task_t, bias) == 24 || sizeof(void *) != 4, "as above");
_Static_assert(offsetof(depthwise_3x3_task_t, below_now) == 128 || sizeof(void *) != 4, "as above");

/* Weights of a channel in flash: a, b and c of the columns, in an order that takes few words. */
typedef struct depthwise_3x3_weights {
    int8_t a0, a1, b0, b1, c0, c1, a2, c2, b2;
} depthwise_3x3_weights_t;

_Static_assert(sizeof(depthwise_3x3_weights_t) == 9, "not padded");

/*
 * Computes rows of one channel after the other, until the last one or DEPTHWISE_EXACT, which is
 * left to C: the task says then where it stopped.
 */
typedef void depthwise_3x3_core_t(depthwise_3x3_task_t *task);

/* clang-format off */

#define AT_END "#48"
#define AT_WIDE "#60"
#define AT_NARROW "#64"
#define AT_LEFT "#68"
#define AT_X_SKIP "#72"
#define AT_OVERLAP "#80"
#define AT_X_CHANNEL "#88"
#define AT_X "#96"
#define AT_Y "#100"

/* From here on r12 is the bias of the task, lr is x, r7 is y; the others are free. */
#define BEGIN_3X3                                                                                  \
    "push {r4-r11, lr}\n"                                                                          \
    "add r12, r0, #24\n"                                                                           \
    "ldrd lr, r7, [r12, " AT_X "]\n"

/*
 * A channel begins: of three words of weights the bytes 1 and 3 are taken, or 0 and 2; what meets
 * line 1 of the last column is put together. `fields` take what the task has before the bias, and
 * `start` does with it what only one of the cores does.
 *
 *     r0 bias   r1 last   r4 channel   r6 multiplier   r8 weights   r9 mask   r10 rows
 */
#define CHANNEL_3X3(fields, start)                                                                 \
    "ldmdb r12, {" fields "}\n"                                                                    \
    "cmp r4, r1\n"                                                                                 \
    "beq 9f\n"                                                                                     \
    "8:\n"                                                                                         \
    start                                                                                          \
    "ldm r4!, {r0, r6}\n"                                                                          \
    "cmp r6, #0x80000000\n" /* DEPTHWISE_EXACT */                                                  \
    "beq 9f\n"                                                                                     \
    "ldr r5, [r8, #2]\n"                                                                           \
    "ldr r3, [r8, #5]\n"                                                                           \
    "ldr r2, [r8], #9\n"                                                                           \
    "str r6, [r12, #32]\n"                                                                         \
    "str r10, [r12, " AT_LEFT "]\n"                                                                \
    "strd r4, r8, [r12, #-16]\n"                                                                   \
    "lsl r4, r3, #8\n"                                                                             \
    "pkhtb r6, r4, r3, asr #16\n"                                                                  \
    "and r1, r9, r2, lsl #8\n"                                                                     \
    "and r2, r2, r9\n"                                                                             \
    "and r3, r3, r9\n"                                                                             \
    "and r4, r9, r5, lsl #8\n"                                                                     \
    "and r5, r5, r9\n"                                                                             \
    "and r6, r6, r9\n"                                                                             \
    "stm r12, {r0-r6}\n"

#define NEXT_CHANNEL_3X3(fields)                                                                   \
    "ldrd r9, r10, [r12, " AT_X_CHANNEL "]\n"                                                      \
    "add lr, lr, r9\n"                                                                             \
    "add r7, r7, r10\n"                                                                            \
    "ldmdb r12, {" fields "}\n"                                                                    \
    "cmp r4, r1\n"                                                                                 \
    "bne 8b\n"                                                                                     \
    "9: strd lr, r7, [r12, " AT_X "]\n"                                                            \
    "pop {r4-r11, pc}\n"

/* From `last` on, and from `below` on. */
#define ONE_ROW_FIELDS "r1, r4, r8, r9, r10"
#define TWO_ROWS_FIELDS "r0, r1, r4, r8, r9, r10"

#define FIRST(sum, x, w, bias) "smlad " sum ", " x ", " w ", " bias "\n"
#define LOWER_FIRST(sum, x, w, bias) "smlatb " sum ", " x ", " w ", " bias "\n"
#define LOWER(sum, x, w) "smlatb " sum ", " x ", " w ", " sum "\n"
#define UPPER(sum, x, w) "smlabt " sum ", " x ", " w ", " sum "\n"
#define RESCALE_3X3(sum, multiplier, addend)                                                       \
    "smmlar " sum ", " sum ", " multiplier ", " addend "\n"                                        \
    "ssat " sum ", #8, " sum ", asr %[shift]\n"

/*
 * Two output rows, stride 1.
 *
 *     r0-r2 sums of the upper row, r3-r5 of the lower   r6-r8 weights   r9-r11 columns
 */
static __attribute__((naked, noipa, unused)) void
depthwise_3x3_two_rows(depthwise_3x3_task_t *task __attribute__((unused)))
{
    __asm__ volatile(
        BEGIN_3X3
        CHANNEL_3X3(TWO_ROWS_FIELDS, "strd r7, r0, [r12, " AT_Y "]\n")
        "0: ldr r6, [r12, " AT_WIDE "]\n"
        "cmp r6, #0\n"
        "beq 2f\n"
        "add r7, lr, r6\n"
        "str r7, [r12, " AT_END "]\n"
        "1: ldm r12!, {r5-r8}\n" /* three columns: bias and A */
        "ldm lr, {r9, r10, r11}\n"
        FIRST("r0", "r9", "r6", "r5") FIRST("r1", "r10", "r6", "r5") FIRST("r2", "r11", "r6", "r5")
        LOWER_FIRST("r3", "r9", "r6", "r5") LOWER_FIRST("r4", "r10", "r6", "r5")
        LOWER_FIRST("r5", "r11", "r6", "r5")
        SMLAD("r0", "r10", "r7") SMLAD("r1", "r11", "r7") SMLAD("r0", "r11", "r8")
        LOWER("r3", "r10", "r7") LOWER("r4", "r11", "r7") LOWER("r3", "r11", "r8")
        "ldrd r9, r10, [lr, #12]\n"
        SMLAD("r2", "r9", "r7") SMLAD("r1", "r9", "r8") SMLAD("r2", "r10", "r8")
        LOWER("r5", "r9", "r7") LOWER("r4", "r9", "r8") LOWER("r5", "r10", "r8")
        "ldm r12!, {r6-r9}\n" /* B */
        "add lr, lr, r9\n"
        "ldm lr, {r9, r10, r11}\n"
        UPPER("r0", "r9", "r6") UPPER("r1", "r10", "r6") UPPER("r2", "r11", "r6")
        SMLAD("r3", "r9", "r6") SMLAD("r4", "r10", "r6") SMLAD("r5", "r11", "r6")
        UPPER("r0", "r10", "r7") UPPER("r1", "r11", "r7") UPPER("r0", "r11", "r8")
        SMLAD("r3", "r10", "r7") SMLAD("r4", "r11", "r7") SMLAD("r3", "r11", "r8")
        "ldrd r9, r10, [lr, #12]\n"
        UPPER("r2", "r9", "r7") UPPER("r1", "r9", "r8") UPPER("r2", "r10", "r8")
        SMLAD("r5", "r9", "r7") SMLAD("r4", "r9", "r8") SMLAD("r5", "r10", "r8")
        "ldm r12, {r6-r12}\n"
        RESCALE_3X3("r0", "r6", "r7") RESCALE_3X3("r1", "r6", "r7") RESCALE_3X3("r2", "r6", "r7")
        RESCALE_3X3("r3", "r6", "r7") RESCALE_3X3("r4", "r6", "r7") RESCALE_3X3("r5", "r6", "r7")
        "ldrd r6, r7, [r12, " AT_Y "]\n" /* y, and how far it is to the row below */
        "add lr, lr, r9\n"
        "cmp lr, r10\n"
        "add r7, r6, r7\n"
        "strb r3, [r7]\n" /* first, as the upper row may be the only one */
        "strb r4, [r7, r8]\n"
        "strb r5, [r7, r8, lsl #1]\n"
        "strb r0, [r6]\n"
        "strb r1, [r6, r8]\n"
        "strb r2, [r6, r8, lsl #1]\n"
        "add r6, r6, r11\n"
        "str r6, [r12, " AT_Y "]\n"
        "bne 1b\n"
        "2: ldr r6, [r12, " AT_NARROW "]\n"
        "cmp r6, #0\n"
        "beq 4f\n"
        "add r7, lr, r6\n"
        "str r7, [r12, " AT_END "]\n"
        "3: ldm r12!, {r3, r6, r7, r8}\n" /* two columns */
        "ldm lr, {r4, r5, r9, r10}\n"
        FIRST("r0", "r4", "r6", "r3") FIRST("r1", "r5", "r6", "r3")
        LOWER_FIRST("r2", "r4", "r6", "r3") LOWER_FIRST("r3", "r5", "r6", "r3")
        SMLAD("r0", "r5", "r7") SMLAD("r1", "r9", "r7") LOWER("r2", "r5", "r7")
        LOWER("r3", "r9", "r7")
        SMLAD("r0", "r9", "r8") SMLAD("r1", "r10", "r8") LOWER("r2", "r9", "r8")
        LOWER("r3", "r10", "r8")
        "ldm r12!, {r6-r9}\n"
        "add lr, lr, r9\n"
        "ldm lr, {r4, r5, r9, r10}\n"
        UPPER("r0", "r4", "r6") UPPER("r1", "r5", "r6") SMLAD("r2", "r4", "r6")
        SMLAD("r3", "r5", "r6")
        UPPER("r0", "r5", "r7") UPPER("r1", "r9", "r7") SMLAD("r2", "r5", "r7")
        SMLAD("r3", "r9", "r7")
        UPPER("r0", "r9", "r8") UPPER("r1", "r10", "r8") SMLAD("r2", "r9", "r8")
        SMLAD("r3", "r10", "r8")
        "ldm r12, {r6-r12}\n"
        RESCALE_3X3("r0", "r6", "r7") RESCALE_3X3("r1", "r6", "r7")
        RESCALE_3X3("r2", "r6", "r7") RESCALE_3X3("r3", "r6", "r7")
        "ldrd r6, r7, [r12, " AT_Y "]\n"
        "add lr, lr, r9\n"
        "sub lr, lr, #4\n" /* a column less than three */
        "cmp lr, r10\n"
        "add r7, r6, r7\n"
        "strb r3, [r7, r8]\n" /* first, as there may be but one column */
        "strb r2, [r7]\n"
        "strb r1, [r6, r8]\n"
        "strb r0, [r6]\n"
        "add r6, r6, r8, lsl #1\n"
        "str r6, [r12, " AT_Y "]\n"
        "bne 3b\n"
        "4: ldr r6, [r12, " AT_LEFT "]\n" /* the next two rows */
        "subs r6, r6, #2\n"
        "ble 5f\n"
        "ldrd r7, r8, [r12, " AT_X_SKIP "]\n"
        "ldrd r9, r10, [r12, " AT_Y "]\n"
        "add lr, lr, r7\n"
        "add r9, r9, r8\n"
        "cmp r6, #1\n"
        "it eq\n"
        "moveq r10, #0\n"
        "strd r9, r10, [r12, " AT_Y "]\n"
        "str r6, [r12, " AT_LEFT "]\n"
        "b 0b\n"
        "5: ldr r7, [r12, " AT_Y "]\n"
        NEXT_CHANNEL_3X3(TWO_ROWS_FIELDS)
        :
        : [shift] "i"(DEPTHWISE_SHIFT));
}

/* Four columns under a line, and two. */
#define LINE4_STRIDE1(mac, first)                                                                  \
    "ldm lr!, {r4, r5, r6}\n"                                                                      \
    first("r0", "r4", "r8", "r3") first("r1", "r5", "r8", "r3") first("r2", "r6", "r8", "r3")      \
    mac("r0", "r5", "r9") mac("r1", "r6", "r9") mac("r0", "r6", "r10")                             \
    "ldm lr!, {r4, r5, r6}\n"                                                                      \
    first("r3", "r4", "r8", "r3") mac("r2", "r4", "r9") mac("r1", "r4", "r10")                     \
    mac("r3", "r5", "r9") mac("r2", "r5", "r10") mac("r3", "r6", "r10")
#define LINE2_STRIDE1(mac, first, step)                                                            \
    "ldm lr!, {r4, r5, r6}\n"                                                                      \
    first("r0", "r4", "r8", "r1") first("r1", "r5", "r8", "r1")                                    \
    mac("r0", "r5", "r9") mac("r1", "r6", "r9") mac("r0", "r6", "r10")                             \
    "ldr r4, [lr], #" step "\n"                                                                    \
    mac("r1", "r4", "r10")
#define LINE4_STRIDE2(mac, first)                                                                  \
    "ldm lr!, {r4, r5, r6}\n"                                                                      \
    first("r0", "r4", "r8", "r3") first("r1", "r6", "r8", "r3")                                    \
    mac("r0", "r5", "r9") mac("r0", "r6", "r10")                                                   \
    "ldm lr!, {r4, r5, r6}\n"                                                                      \
    first("r2", "r5", "r8", "r3") mac("r1", "r4", "r9") mac("r1", "r5", "r10")                     \
    mac("r2", "r6", "r9")                                                                          \
    "ldm lr, {r4, r5, r6}\n"                                                                       \
    first("r3", "r4", "r8", "r3") mac("r2", "r4", "r10") mac("r3", "r5", "r9")                     \
    mac("r3", "r6", "r10")
#define LINE2_STRIDE2(mac, first, step)                                                            \
    "ldm lr!, {r4, r5, r6}\n"                                                                      \
    first("r0", "r4", "r8", "r1") first("r1", "r6", "r8", "r1")                                    \
    mac("r0", "r5", "r9") mac("r0", "r6", "r10")                                                   \
    "ldrd r4, r5, [lr], #" step "\n"                                                               \
    mac("r1", "r4", "r9") mac("r1", "r5", "r10")

#define NEXT_UPPER(sum, x, w, bias) UPPER(sum, x, w)

/*
 * One output row at a time. A block begins with bias and A and reads line 0 up to `next` before
 * line 1. For blocks of two columns `step` is what brings x there, and `last` what makes up for
 * fewer columns, so that `next` and `back` are those of four.
 *
 *     r0-r3 sums   r4-r6 columns   r7 y   r8-r10 weights   r11 next
 */
#define DEPTHWISE_3X3_CORE(name, line4, line2, step, last)                                         \
    static __attribute__((naked, noipa, unused)) void name(                                        \
        depthwise_3x3_task_t *task __attribute__((unused)))                                        \
    {                                                                                              \
        __asm__ volatile(                                                                          \
            BEGIN_3X3                                                                              \
            CHANNEL_3X3(ONE_ROW_FIELDS, "")                                                        \
            "0: ldr r8, [r12, " AT_WIDE "]\n"                                                      \
            "cmp r8, #0\n"                                                                         \
            "beq 2f\n"                                                                             \
            "add r8, lr, r8\n"                                                                     \
            "str r8, [r12, " AT_END "]\n"                                                          \
            "1: ldm r12!, {r3, r8, r9, r10}\n" /* four columns */                                  \
            line4(SMLAD, FIRST)                                                                    \
            "ldm r12!, {r8-r11}\n"                                                                 \
            "add lr, lr, r11\n"                                                                    \
            line4(UPPER, NEXT_UPPER)                                                               \
            "ldm r12, {r4, r5, r6, r8, r9, r10, r12}\n"                                            \
            RESCALE_3X3("r0", "r4", "r5") RESCALE_3X3("r1", "r4", "r5")                            \
            RESCALE_3X3("r2", "r4", "r5") RESCALE_3X3("r3", "r4", "r5")                            \
            "add lr, lr, r8\n"                                                                     \
            "cmp lr, r9\n"                                                                         \
            "strb r0, [r7]\n"                                                                      \
            "strb r1, [r7, r6]\n"                                                                  \
            "strb r3, [r7, r10]\n" /* first, as there may be but three columns */                  \
            "strb r2, [r7, r6, lsl #1]\n"                                                          \
            "add r7, r7, r6, lsl #2\n"                                                             \
            "bne 1b\n"                                                                             \
            "2: ldr r0, [r12, " AT_NARROW "]\n"                                                    \
            "cbz r0, 4f\n"                                                                         \
            "ldrd r9, r10, [r12, " AT_OVERLAP "]\n"                                                \
            "add lr, lr, r9\n"                                                                     \
            "add r7, r7, r10\n"                                                                    \
            "add r8, lr, r0\n"                                                                     \
            "str r8, [r12, " AT_END "]\n"                                                          \
            "3: ldm r12!, {r1, r8, r9, r10}\n" /* two columns */                                   \
            line2(SMLAD, FIRST, step)                                                              \
            "ldm r12!, {r8-r11}\n"                                                                 \
            "add lr, lr, r11\n"                                                                    \
            line2(UPPER, NEXT_UPPER, last)                                                         \
            "ldm r12, {r4, r5, r6, r8, r9, r10, r12}\n"                                            \
            RESCALE_3X3("r0", "r4", "r5") RESCALE_3X3("r1", "r4", "r5")                            \
            "add lr, lr, r8\n"                                                                     \
            "cmp lr, r9\n"                                                                         \
            "strb r1, [r7, r6]\n" /* first, as it may be none */                                   \
            "strb r0, [r7]\n"                                                                      \
            "add r7, r7, r6, lsl #1\n"                                                             \
            "bne 3b\n"                                                                             \
            "4: ldr r8, [r12, " AT_LEFT "]\n" /* the next row */                                   \
            "subs r8, r8, #1\n"                                                                    \
            "beq 5f\n"                                                                             \
            "ldrd r9, r10, [r12, " AT_X_SKIP "]\n"                                                 \
            "str r8, [r12, " AT_LEFT "]\n"                                                         \
            "add lr, lr, r9\n"                                                                     \
            "add r7, r7, r10\n"                                                                    \
            "b 0b\n"                                                                               \
            "5:\n" NEXT_CHANNEL_3X3(ONE_ROW_FIELDS)                                                \
            :                                                                                      \
            : [shift] "i"(DEPTHWISE_SHIFT));                                                       \
    }

/* Four columns take 24 bytes of a line with both strides, and go on by 16 and by 32. */
DEPTHWISE_3X3_CORE(depthwise_3x3_one_row_stride1, LINE4_STRIDE1, LINE2_STRIDE1, "12", "4")
DEPTHWISE_3X3_CORE(depthwise_3x3_one_row_stride2, LINE4_STRIDE2, LINE2_STRIDE2, "12", "-4")

/* clang-format on */

#endif
