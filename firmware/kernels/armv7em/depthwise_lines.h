/*
 * The cores of depthwise convolution for ARMv7E-M: one channel, some output rows, all by SMLAD.
 *
 * The input of a channel lies expanded in scratch, a word a column: two rows of the input, the
 * upper one in the lower halfword. Such a row of words is a *line*; an output row needs as many
 * lines, one behind the other, as its kernel has pairs of rows:
 *
 *     input row r     a b c d ...       line    (a,e) (b,f) (c,g) (d,h) ...
 *     input row r+1   e f g h ...
 *
 * Where the stride is 2, the even columns of a line come first and then its odd ones, each as a
 * line of its own: four neighbouring outputs then take neighbouring words at either stride.
 *
 * A *task* is all that a core works with, in the order in which it is read:
 *
 *     bias x 4, weights (a word for each line and tap, in halfwords as the lines), tail
 *
 * Four outputs are computed at a time, two at the end of a row. Registers:
 *
 *     r0-r3 sums   r4-r7 columns   r8-r10 weights   r11 bytes of a line   r12 task   lr line
 */
#ifndef BENCH_KERNELS_ARMV7EM_DEPTHWISE_LINES_H
#define BENCH_KERNELS_ARMV7EM_DEPTHWISE_LINES_H

#include "requantize.h"

/* Bits by which weights and sums are larger than they are: they lie in the upper byte. */
#define DEPTHWISE_SCALE 8

/* Bits behind the point of a rescaled sum; harness/kernels/armv7em/depthwise.py knows it too. */
#define DEPTHWISE_SHIFT 9

/* What follows the weights of a task. Cores know the offsets of the fields. */
typedef struct {
    int32_t multiplier, addend; /* y = (addend + (sum * multiplier rounded) >> 32) >> SHIFT */
    int32_t pixel_bytes;        /* from an output to its neighbour */
    int8_t *y;
    int32_t left;       /* columns to go in this row, less 4 */
    int32_t back;       /* from the last line to the first, 4 columns on, in bytes */
    int32_t width;      /* columns of a row, less 4 */
    int32_t y_skip;     /* from behind the last column, an even number of them, to the next row */
    int32_t x_skip;     /* likewise in scratch */
    int32_t rows;       /* to go */
    int32_t line_bytes; /* from a line to the next */
} depthwise_tail_t;     /* then the channel's shift, if it is rounded */

#define TAIL_Y "#12"
#define TAIL_LEFT "#16"
#define TAIL_WIDTH "#24"
#define TAIL_X_SKIP "#32"
#define TAIL_ROWS "#36"
#define TAIL_LINE_BYTES "#40"
#define TAIL_BACK "#20"
#define TAIL_SHIFT "#44"

#define SMLAD(sum, x, w) "smlad " sum ", " x ", " w ", " sum "\n"

/* One tap of four outputs, and of two; a, b, c, d are their columns. */
#define TAP4(w, a, b, c, d) SMLAD("r0", a, w) SMLAD("r1", b, w) SMLAD("r2", c, w) SMLAD("r3", d, w)
#define TAP2(w, a, b) SMLAD("r0", a, w) SMLAD("r1", b, w)

/* clang-format off */

/*
 * A line under 1 to 7 taps for four outputs. From a tap to the next the outputs move on by a
 * column; its register takes the column behind the last.
 */
#define LINE4_FIRST "ldm lr, {r4-r7}\n" TAP4("r8", "r4", "r5", "r6", "r7")
#define LINE4_1 "ldr r8, [r12], #4\n" LINE4_FIRST
#define LINE4_2                                                                                    \
    "ldm r12!, {r8, r9}\n" LINE4_FIRST "ldr r4, [lr, #16]\n" TAP4("r9", "r5", "r6", "r7", "r4")
#define LINE4_3                                                                                    \
    "ldm r12!, {r8, r9, r10}\n" LINE4_FIRST SMLAD(                                                 \
        "r0", "r5", "r9") "ldrd r4, r5, [lr, #16]\n" SMLAD("r1", "r6", "r9")                       \
        SMLAD("r2", "r7", "r9") SMLAD("r3", "r4", "r9") TAP4("r10", "r6", "r7", "r4", "r5")
#define LINE4_4                                                                                    \
    LINE4_3 "ldr r8, [r12], #4\n" SMLAD("r0", "r7", "r8") "ldr r6, [lr, #24]\n" SMLAD(             \
        "r1", "r4", "r8") SMLAD("r2", "r5", "r8") SMLAD("r3", "r6", "r8")
#define LINE4_5                                                                                    \
    LINE4_3 "ldm r12!, {r8, r9}\n" SMLAD("r0", "r7",                                               \
                                         "r8") "ldrd r6, r7, [lr, #24]\n" SMLAD("r1", "r4", "r8")  \
        SMLAD("r2", "r5", "r8") SMLAD("r3", "r6", "r8") TAP4("r9", "r4", "r5", "r6", "r7")
#define LINE4_7                                                                                    \
    LINE4_5 "ldm r12!, {r8, r9}\n" SMLAD("r0", "r5",                                               \
                                         "r8") "ldrd r4, r5, [lr, #32]\n" SMLAD("r1", "r6", "r8")  \
        SMLAD("r2", "r7", "r8") SMLAD("r3", "r4", "r8") TAP4("r9", "r6", "r7", "r4", "r5")

/* Likewise for two outputs; a column or two may be read behind the last that counts. */
#define LINE2_1 "ldr r8, [r12], #4\nldrd r4, r5, [lr]\n" TAP2("r8", "r4", "r5")
#define LINE2_2                                                                                    \
    "ldm r12!, {r8, r9}\nldm lr, {r4-r7}\n" TAP2("r8", "r4", "r5") TAP2("r9", "r5", "r6")
#define LINE2_3                                                                                    \
    "ldm r12!, {r8, r9, r10}\nldm lr, {r4-r7}\n" TAP2("r8", "r4", "r5") TAP2("r9", "r5", "r6")     \
        TAP2("r10", "r6", "r7")
#define LINE2_4 LINE2_3 "ldr r8, [r12], #4\nldr r4, [lr, #16]\n" TAP2("r8", "r7", "r4")
#define LINE2_5                                                                                    \
    LINE2_3 "ldm r12!, {r8, r9}\nldrd r4, r5, [lr, #16]\n" TAP2("r8", "r7", "r4")                  \
        TAP2("r9", "r4", "r5")
#define LINE2_7                                                                                    \
    LINE2_5 "ldm r12!, {r8, r9}\nldrd r6, r7, [lr, #24]\n" TAP2("r8", "r5", "r6")                  \
        TAP2("r9", "r6", "r7")

#define NEXT "add lr, lr, r11\n"

/* Lines one behind the other. */
#define LINES_1(line) line
#define LINES_2(line) line NEXT line
#define LINES_3(line) line NEXT line NEXT line
#define LINES_4(line) line NEXT line NEXT line NEXT line
#define LINES_5(line) LINES_4(line) NEXT line
#define LINES_7(line) LINES_4(line) NEXT LINES_3(line)

/* At stride 2 the taps 0, 2, ... lie in the even columns, the taps 1, 3, ... in the odd ones. */
#define HALVES(even, odd) even NEXT odd

/* By a line, whose multiplier and addend are r4 and r5. */
#define LINE_BEGIN
#define LINE_RESCALE(sum)                                                                          \
    "smmlar " sum ", " sum ", r4, r5\nssat " sum ", #8, " sum ", asr %c[shift]\n"
#define LINE_END

/*
 * As the reference does: the doubling high multiply takes twice the sum, and halves go away from
 * zero, so sums below 0 are lowered by one. r5 is the zero point and half a unit, doubled and
 * shifted; r7 the shift, less one; r10 is lent.
 */
#define ROUND_BEGIN "ldr r7, [r12, " TAIL_SHIFT "]\n"
#define ROUND_RESCALE(sum)                                                                         \
    "asr " sum ", " sum ", #7\n"                                                                   \
    "smmlar r10, " sum ", r4, r5\n"                                                                \
    "add r10, r10, " sum ", asr #31\n"                                                             \
    "asr r10, r10, r7\n"                                                                           \
    "ssat " sum ", #8, r10, asr #1\n"
#define ROUND_END "ldr r10, [r12, " TAIL_BACK "]\n"

/*
 * A core computes `rows` output rows of a channel, from line x and output y on; the tail of its
 * task is `tail` bytes from the task's begin. With all sums complete, r4-r6 are multiplier, addend
 * and pixel_bytes, r8 is y, r9 left and r10 back.
 */
typedef void depthwise_core_t(int32_t *task, const int32_t *x, int8_t *y, int32_t rows);

#define DEPTHWISE_CORE(name, way, taps, lines4, lines2)                                            \
    static __attribute__((naked, noipa, unused)) void name(                                        \
        int32_t *task __attribute__((unused)), const int32_t *x __attribute__((unused)),           \
        int8_t *y __attribute__((unused)), int32_t rows __attribute__((unused)))                   \
    {                                                                                              \
        __asm__ volatile(                                                                          \
            "push {r4-r11, lr}\n"                                                                  \
            "mov r12, r0\n"                                                                        \
            "mov lr, r1\n"                                                                         \
            "add r0, r12, %[tail]\n"                                                               \
            "ldr r11, [r0, " TAIL_LINE_BYTES "]\n"                                                 \
            "ldr r9, [r0, " TAIL_WIDTH "]\n"                                                       \
            "str r3, [r0, " TAIL_ROWS "]\n"                                                        \
            "0: strd r2, r9, [r0, " TAIL_Y "]\n" /* a row */                                       \
            "cmp r9, #0\n"                                                                         \
            "blt 2f\n"                                                                             \
            "1: ldm r12!, {r0-r3}\n" /* four outputs */                                            \
            lines4                                                                                 \
            "ldm r12, {r4, r5, r6, r8, r9, r10}\n"                                                 \
            way##_BEGIN way##_RESCALE("r0") way##_RESCALE("r1")                                    \
            way##_RESCALE("r2") way##_RESCALE("r3") way##_END                                      \
            "add lr, lr, r10\n"                                                                    \
            "subs r9, r9, #4\n"                                                                    \
            "strb r0, [r8]\n"                                                                      \
            "strb r1, [r8, r6]\n"                                                                  \
            "add r8, r8, r6, lsl #1\n"                                                             \
            "strb r2, [r8]\n"                                                                      \
            "strb r3, [r8, r6]\n"                                                                  \
            "add r2, r8, r6, lsl #1\n"                                                             \
            "strd r2, r9, [r12, " TAIL_Y "]\n"                                                     \
            "sub r12, r12, %[tail]\n"                                                              \
            "bge 1b\n"                                                                             \
            "2: add r0, r12, %[tail]\n"                                                            \
            "adds r9, r9, #4\n"                                                                    \
            "beq 4f\n"                                                                             \
            "str r9, [r0, " TAIL_LEFT "]\n"                                                        \
            "3: ldm r12!, {r0-r3}\n" /* two outputs, or a last one */                              \
            lines2                                                                                 \
            "ldm r12, {r4, r5, r6, r8, r9, r10}\n"                                                 \
            way##_BEGIN way##_RESCALE("r0") way##_RESCALE("r1") way##_END                          \
            "add lr, lr, r10\n"                                                                    \
            "sub lr, lr, #8\n"                                                                     \
            "subs r9, r9, #2\n"                                                                    \
            "strb r0, [r8]\n"                                                                      \
            "it ge\n"                                                                              \
            "strbge r1, [r8, r6]\n"                                                                \
            "add r2, r8, r6, lsl #1\n"                                                             \
            "mov r0, r12\n"                                                                        \
            "sub r12, r12, %[tail]\n"                                                              \
            "ble 4f\n"                                                                             \
            "strd r2, r9, [r0, " TAIL_Y "]\n"                                                      \
            "b 3b\n"                                                                               \
            "4: ldrd r9, r4, [r0, " TAIL_WIDTH "]\n" /* the next row */                            \
            "ldrd r5, r6, [r0, " TAIL_X_SKIP "]\n"                                                 \
            "add r2, r2, r4\n"                                                                     \
            "add lr, lr, r5\n"                                                                     \
            "subs r6, r6, #1\n"                                                                    \
            "str r6, [r0, " TAIL_ROWS "]\n"                                                        \
            "bne 0b\n"                                                                             \
            "pop {r4-r11, pc}\n"                                                                   \
            :                                                                                      \
            : [tail] "i"(16 + 4 * (taps)), [shift] "i"(DEPTHWISE_SHIFT));                          \
    }

/* clang-format on */

/* Cores for a number of pairs of kernel rows, of kernel columns, and a stride. */
#define DEPTHWISE_CORES(prefix, way, pairs)                                                        \
    DEPTHWISE_CORE(prefix##pairs##x1_stride1, way, pairs * 1, LINES_##pairs(LINE4_1),              \
                   LINES_##pairs(LINE2_1))                                                         \
    DEPTHWISE_CORE(prefix##pairs##x3_stride1, way, pairs * 3, LINES_##pairs(LINE4_3),              \
                   LINES_##pairs(LINE2_3))                                                         \
    DEPTHWISE_CORE(prefix##pairs##x5_stride1, way, pairs * 5, LINES_##pairs(LINE4_5),              \
                   LINES_##pairs(LINE2_5))                                                         \
    DEPTHWISE_CORE(prefix##pairs##x7_stride1, way, pairs * 7, LINES_##pairs(LINE4_7),              \
                   LINES_##pairs(LINE2_7))                                                         \
    DEPTHWISE_CORE(prefix##pairs##x3_stride2, way, pairs * 3,                                      \
                   LINES_##pairs(HALVES(LINE4_2, LINE4_1)),                                        \
                   LINES_##pairs(HALVES(LINE2_2, LINE2_1)))                                        \
    DEPTHWISE_CORE(prefix##pairs##x5_stride2, way, pairs * 5,                                      \
                   LINES_##pairs(HALVES(LINE4_3, LINE4_2)),                                        \
                   LINES_##pairs(HALVES(LINE2_3, LINE2_2)))                                        \
    DEPTHWISE_CORE(prefix##pairs##x7_stride2, way, pairs * 7,                                      \
                   LINES_##pairs(HALVES(LINE4_4, LINE4_3)),                                        \
                   LINES_##pairs(HALVES(LINE2_4, LINE2_3)))

DEPTHWISE_CORES(depthwise_, LINE, 1)
DEPTHWISE_CORES(depthwise_, LINE, 2)
DEPTHWISE_CORES(depthwise_, LINE, 3)
DEPTHWISE_CORES(depthwise_, LINE, 4)
DEPTHWISE_CORES(depthwise_round_, ROUND, 1)
DEPTHWISE_CORES(depthwise_round_, ROUND, 2)
DEPTHWISE_CORES(depthwise_round_, ROUND, 3)
DEPTHWISE_CORES(depthwise_round_, ROUND, 4)

#endif
