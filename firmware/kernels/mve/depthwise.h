/*
 * Depthwise convolution for MVE. A channel's taps lie far apart in a tensor [H, W, C], so up to
 * eight channels at a time are gathered into lines in which the taps of a window are neighbours:
 *
 *     column 0 |r0 r1 r2 ..|  column 1 |r0 r1 r2 ..|  column 2 |r0 r1 r2 ..|  ...
 *     \__________ `pitch` bytes a column, KH of them under a window ______/
 *
 * The window of an output is then one run of bytes, which VMLADAVA.S8 multiplies 16 at a time with
 * weights in the same order, 0 where a column holds more rows than the kernel. A pitch above KH
 * lets several output rows be made of the same lines, each a byte (times the stride) further. If a
 * few windows lie within the same 16 or 32 bytes, these are loaded once, and multiplied with
 * weights that are shifted for each.
 *
 * Whole tensors slide: the next rows are written into the lines `advance` bytes further, over rows
 * that are not needed any more, so that each element is gathered once. The output may lie over the
 * input as for depthwise_inplace().
 */
#ifndef BENCH_KERNELS_MVE_DEPTHWISE_H
#define BENCH_KERNELS_MVE_DEPTHWISE_H

#include "vector.h"

#include "../window.h"

#define BLOCK_WINDOWS 8 /* that are computed together */

struct depthwise_pass;

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t depth_multiplier; /* output channels of an input channel */
    int32_t padding;          /* what a padded cell holds: the input's zero point */
    int32_t pitch;            /* bytes of a column in a line */
    int32_t line_bytes;       /* of a channel */
    int32_t rows;             /* output rows that lines serve at once */
    int32_t columns;          /* output columns that lines serve at once */
    int32_t lines;            /* input channels that are gathered at once, at most eight */
    int32_t slack;            /* bytes by which lines may slide before they are moved back */
    const int8_t *weights;    /* [OC, shared, chunks, 16]: those of each window that shares loads */
    const int32_t *rescale;   /* [OC, 3]: bias, multiplier, shift; or addend, scale, multiplier */
    int32_t rescale_words;    /* of a channel */
    int32_t scale;            /* what channels.h multiplies sums of lines with, else 0 */
    output_t output;
    int32_t chunks;                        /* of 16 bytes under a window */
    int32_t weight_bytes;                  /* of a channel */
    void (*pass)(struct depthwise_pass *); /* one for this step from window to window */
} mve_depthwise_t;

/* Output rows and columns of some channels, to be made of lines; the assembly knows the offsets. */
typedef struct depthwise_pass {
    rescale_t rescale;               /*  0: of the channel */
    int32_t zero_point, one;         /* 12 */
    int32_t low, high;               /* 20 */
    const int8_t *weights;           /* 28: of the next channel */
    const int32_t *rescale_next;     /* 32 */
    const int8_t *x;                 /* 36: the first window */
    int8_t *y;                       /* 40: the first output */
    int32_t channels;                /* 44: left */
    int32_t columns;                 /* 48: less those of a block */
    int32_t line_bytes;              /* 52 */
    int32_t y_step;                  /* 56: from column to column */
    uint16_t offsets[BLOCK_WINDOWS]; /* 60: of the outputs of a block */
    uint32_t mask;                   /* 76: which of them there are, two bits each */
    int32_t constant, unit;          /* 80: of channels.h: a line's scale or the zero point, 1 */
    int32_t x_next, y_next;          /* 88: from column to column */
    int32_t x_row, y_row;            /* 96: from behind a row to the next */
    int32_t across, down;            /* 104: columns of a row, rows that are left */
    const mve_depthwise_t *p;
    int32_t channel; /* the first one of the output */
    int32_t rows;    /* of the output */
} depthwise_pass_t;

KERNEL rescale_t rescale_of(const mve_depthwise_t *p, int32_t channel)
{
    const int32_t *r = p->rescale + 3 * channel;
    return (rescale_t){r[0], r[1], r[2]};
}

/* clang-format off */

/* Where window i of a block lies: row i % rows, column i / rows. */
#define WINDOW_AT(i) "(" #i " %% %c[rows] * %c[down] + " #i " / %c[rows] * %c[step])"

/* The sums of one to four windows that are loaded together; x moves on by `way`. */
#define SUM_1(way, s0)                                                                             \
    ".if %c[chunks] == 1\n"                                                                        \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladav.s8 " s0 ", q0, q4\n"                                                                  \
    ".else\n"                                                                                      \
    "vldrb.8 q1, [r1, #16]\n"                                                                      \
    "vmladav.s8 " s0 ", q1, q5\n"                                                                  \
    ".if %c[chunks] > 2\n"                                                                         \
    "vldrb.8 q0, [r1, #32]\n"                                                                      \
    "vmladava.s8 " s0 ", q0, q6\n"                                                                 \
    "vldrb.8 q1, [r1, #48]\n"                                                                      \
    "vmladava.s8 " s0 ", q1, q7\n"                                                                 \
    ".endif\n"                                                                                     \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladava.s8 " s0 ", q0, q4\n"                                                                 \
    ".endif\n"
#define SUM_2(way, s0, s1)                                                                         \
    ".if %c[chunks] == 1\n"                                                                        \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladav.s8 " s0 ", q0, q4\n"                                                                  \
    "vmladav.s8 " s1 ", q0, q5\n"                                                                  \
    ".else\n"                                                                                      \
    "vldrb.8 q1, [r1, #16]\n"                                                                      \
    "vmladav.s8 " s0 ", q1, q5\n"                                                                  \
    "vmladav.s8 " s1 ", q1, q7\n"                                                                  \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladava.s8 " s0 ", q0, q4\n"                                                                 \
    "vmladava.s8 " s1 ", q0, q6\n"                                                                 \
    ".endif\n"
#define SUM_3(way, s0, s1, s2)                                                                     \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladav.s8 " s0 ", q0, q4\n"                                                                  \
    "vmladav.s8 " s1 ", q0, q5\n"                                                                  \
    "vmladav.s8 " s2 ", q0, q6\n"
#define SUM_4(way, s0, s1, s2, s3)                                                                 \
    "vldrb.8 q0, [r1], #(" way ")\n"                                                               \
    "vmladav.s8 " s0 ", q0, q4\n"                                                                  \
    "vmladav.s8 " s1 ", q0, q5\n"                                                                  \
    "vmladav.s8 " s2 ", q0, q6\n"                                                                  \
    "vmladav.s8 " s3 ", q0, q7\n"

/* The way from window i of a block to window j; window 8 is the first of the next. */
#define WAY(i, j) WINDOW_AT(j) " - " WINDOW_AT(i)

/* The sums of eight windows, and x behind them. */
#define BLOCK_1                                                                                    \
    SUM_1(WAY(0, 1), "r0")                                                                         \
    SUM_1(WAY(1, 2), "r2")                                                                         \
    SUM_1(WAY(2, 3), "r4")                                                                         \
    SUM_1(WAY(3, 4), "r6")                                                                         \
    SUM_1(WAY(4, 5), "r8")                                                                         \
    SUM_1(WAY(5, 6), "r10")                                                                        \
    SUM_1(WAY(6, 7), "r12")                                                                        \
    SUM_1(WAY(7, 8), "lr")
#define BLOCK_2                                                                                    \
    SUM_2(WAY(0, 2), "r0", "r2")                                                                   \
    SUM_2(WAY(2, 4), "r4", "r6")                                                                   \
    SUM_2(WAY(4, 6), "r8", "r10")                                                                  \
    SUM_2(WAY(6, 8), "r12", "lr")
#define BLOCK_3                                                                                    \
    SUM_3(WAY(0, 3), "r0", "r2", "r4")                                                             \
    SUM_3(WAY(3, 6), "r6", "r8", "r10")                                                            \
    SUM_2(WAY(6, 8), "r12", "lr")
#define BLOCK_4                                                                                    \
    SUM_4(WAY(0, 4), "r0", "r2", "r4", "r6")                                                       \
    SUM_4(WAY(4, 8), "r8", "r10", "r12", "lr")

/* Sums in q0 and q1 become eight outputs, as columns.h says; `shift` is for factors above 1. */
#define WINDOWS_LINE                                                                               \
    "vmlas.s32 q0, q2, r7\n"                                                                       \
    "vmlas.s32 q1, q2, r7\n"                                                                       \
    "vqrdmulh.s32 q0, q0, r11\n"                                                                   \
    "vqrdmulh.s32 q1, q1, r11\n"                                                                   \
    "vsri.32 q1, q0, #16\n"                                                                        \
    "vqmovnb.s16 q0, q1\n"
#define WINDOWS_ROUND                                                                              \
    "ldm r11, {r0, r2, r4, r6, r8}\n"                                                              \
    "vadd.i32 q0, q0, r0\n"                                                                        \
    "vadd.i32 q1, q1, r0\n"                                                                        \
    "vqrdmulh.s32 q0, q0, r2\n"                                                                    \
    "vqrdmulh.s32 q1, q1, r2\n"                                                                    \
    "vqdmlah.s32 q0, q0, r8\n"                                                                     \
    "vqdmlah.s32 q1, q1, r8\n"                                                                     \
    "vrshl.s32 q0, r4\n"                                                                           \
    "vrshl.s32 q1, r4\n"                                                                           \
    "vsli.32 q0, q1, #16\n"                                                                        \
    "vqadd.s16 q0, q0, r6\n"                                                                       \
    "vqmovnb.s16 q0, q0\n"
#define WINDOWS_CLAMP                                                                              \
    "ldm r11, {r0, r2, r4, r6, r8, r10, r12}\n"                                                    \
    "vadd.i32 q0, q0, r0\n"                                                                        \
    "vadd.i32 q1, q1, r0\n"                                                                        \
    "vqrdmulh.s32 q0, q0, r2\n"                                                                    \
    "vqrdmulh.s32 q1, q1, r2\n"                                                                    \
    "vqdmlah.s32 q0, q0, r8\n"                                                                     \
    "vqdmlah.s32 q1, q1, r8\n"                                                                     \
    "vrshl.s32 q0, r4\n"                                                                           \
    "vrshl.s32 q1, r4\n"                                                                           \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    "vqmovnt.s32 q0, q1\n"                                                                         \
    "vqadd.s16 q0, q0, r6\n"                                                                       \
    "vdup.16 q2, r10\n"                                                                            \
    "vmax.s16 q0, q0, q2\n"                                                                        \
    "vdup.16 q2, r12\n"                                                                            \
    "vmin.s16 q0, q0, q2\n"
#define WINDOWS_SHIFT                                                                              \
    "ldm r11, {r0, r2, r4, r6, r8, r10, r12}\n"                                                    \
    "vadd.i32 q0, q0, r0\n"                                                                        \
    "vadd.i32 q1, q1, r0\n"                                                                        \
    "and r8, r4, r4, asr #31\n"                                                                    \
    "bic r4, r4, r4, asr #31\n"                                                                    \
    "vshl.s32 q0, r4\n"                                                                            \
    "vshl.s32 q1, r4\n"                                                                            \
    "vqrdmulh.s32 q0, q0, r2\n"                                                                    \
    "vqrdmulh.s32 q1, q1, r2\n"                                                                    \
    "vrshl.s32 q0, r8\n"                                                                           \
    "vrshl.s32 q1, r8\n"                                                                           \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    "vqmovnt.s32 q0, q1\n"                                                                         \
    "vqadd.s16 q0, q0, r6\n"                                                                       \
    "vdup.16 q2, r10\n"                                                                            \
    "vmax.s16 q0, q0, q2\n"                                                                        \
    "vdup.16 q2, r12\n"                                                                            \
    "vmin.s16 q0, q0, q2\n"

/*
 * One channel after the other, with all its blocks of eight windows. r1 and r3 are where x and y
 * stand; the last block begins so that it ends with the last column. `vectors` are those of a
 * channel's weights. The constants of a line stay in r7, r11 and q2 for all blocks, so the stack
 * keeps the address of the pass.
 */
#define WINDOWS(sums, outputs)                                                                     \
    "str r11, [sp, #-8]!\n"                                                                        \
    "ldr r0, [r11, #76]\n"                                                                         \
    "vmsr p0, r0\n"                                                                                \
    "add r0, r11, #60\n"                                                                           \
    "vldrh.16 q3, [r0]\n"                                                                          \
    "ldr r9, [r11, #56]\n"                                                                         \
    "1:\n"                                                                                         \
    "ldrd r0, r2, [r11, #28]\n"                                                                    \
    "vldrb.8 q4, [r0], #16\n"                                                                      \
    ".if %c[vectors] > 1\n"                                                                        \
    "vldrb.8 q5, [r0], #16\n"                                                                      \
    ".endif\n"                                                                                     \
    ".if %c[vectors] > 2\n"                                                                        \
    "vldrb.8 q6, [r0], #16\n"                                                                      \
    ".endif\n"                                                                                     \
    ".if %c[vectors] > 3\n"                                                                        \
    "vldrb.8 q7, [r0], #16\n"                                                                      \
    ".endif\n"                                                                                     \
    "add r4, r2, #12\n"                                                                            \
    "strd r0, r4, [r11, #28]\n"                                                                    \
    "ldrd r1, r3, [r11, #36]\n"                                                                    \
    "ldrd r5, r0, [r11, #48]\n"                                                                    \
    "add r0, r0, r1\n"                                                                             \
    "add r4, r3, #1\n"                                                                             \
    "strd r0, r4, [r11, #36]\n"                                                                    \
    ".if %c[line]\n"                                                                               \
    "ldm r2, {r7, r8, r11}\n"                                                                      \
    "vdup.32 q2, r8\n"                                                                             \
    ".else\n"                                                                                      \
    "ldm r2, {r4, r6, r8}\n"                                                                       \
    "stm r11, {r4, r6, r8}\n"                                                                      \
    ".endif\n"                                                                                     \
    "2:\n"                                                                                         \
    sums                                                                                           \
    "vmov q0[2], q0[0], r0, r8\n"                                                                  \
    "vmov q0[3], q0[1], r4, r12\n"                                                                 \
    "vmov q1[2], q1[0], r2, r10\n"                                                                 \
    "vmov q1[3], q1[1], r6, lr\n"                                                                  \
    outputs                                                                                        \
    "subs r5, r5, #(8 / %c[rows])\n"                                                               \
    "vpst\n"                                                                                       \
    "vstrbt.16 q0, [r3, q3]\n"                                                                     \
    "add r3, r3, r9, lsl #(3 - %c[rows] / 2)\n"                                                    \
    "bge 2b\n"                                                                                     \
    "adds r0, r5, #(8 / %c[rows])\n"                                                               \
    "ble 3f\n"                                                                                     \
    "movs r0, #%c[step]\n"                                                                         \
    "mla r1, r5, r0, r1\n"                                                                         \
    "mla r3, r5, r9, r3\n"                                                                         \
    "mvn r5, #(8 / %c[rows] - 1)\n"                                                                \
    "b 2b\n"                                                                                       \
    "3:\n"                                                                                         \
    "ldr r11, [sp]\n"                                                                              \
    "ldr r0, [r11, #44]\n"                                                                         \
    "subs r0, r0, #1\n"                                                                            \
    "str r0, [r11, #44]\n"                                                                         \
    "bne 1b\n"                                                                                     \
    "add sp, sp, #8\n"

/* clang-format on */

#define DEPTHWISE_ASM(function, step_, chunks_, rows_, shared, down_, outputs, is_line)            \
    SHARED void function(depthwise_pass_t *pass)                                                   \
    {                                                                                              \
        register depthwise_pass_t *r11 __asm__("r11") = pass;                                      \
        __asm__ volatile(                                                                          \
            WINDOWS(BLOCK_##shared, outputs)                                                       \
            : "+r"(r11)                                                                            \
            : [step] "i"(step_), [chunks] "i"(chunks_), [rows] "i"(rows_), [down] "i"(down_),      \
              [vectors] "i"((chunks_) * (shared)), [line] "i"(is_line)                             \
            : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r12", "lr",      \
              "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");                     \
    }

/*
 * Passes for windows `step` bytes apart whose taps take `chunks` times 16 bytes, in blocks of
 * `rows`, the stride `down` apart; `shared` windows are loaded together.
 */
#define DEPTHWISE_PASS(step, chunks, rows, shared, down)                                           \
    DEPTHWISE_ASM(depthwise_##step##_##chunks##_##rows##_##shared##_line, step, chunks, rows,      \
                  shared, down, WINDOWS_LINE, 1)                                                   \
    DEPTHWISE_ASM(depthwise_##step##_##chunks##_##rows##_##shared##_round, step, chunks, rows,     \
                  shared, down, WINDOWS_ROUND, 0)                                                  \
    DEPTHWISE_ASM(depthwise_##step##_##chunks##_##rows##_##shared##_clamp, step, chunks, rows,     \
                  shared, down, WINDOWS_CLAMP, 0)                                                  \
    DEPTHWISE_ASM(depthwise_##step##_##chunks##_##rows##_##shared##_shift, step, chunks, rows,     \
                  shared, down, WINDOWS_SHIFT, 0)

DEPTHWISE_PASS(1, 1, 1, 1, 1)
DEPTHWISE_PASS(1, 1, 1, 2, 1)
DEPTHWISE_PASS(1, 1, 1, 4, 1)
DEPTHWISE_PASS(2, 1, 1, 1, 1)
DEPTHWISE_PASS(2, 1, 1, 4, 1)
DEPTHWISE_PASS(3, 1, 1, 1, 1)
DEPTHWISE_PASS(3, 1, 1, 3, 1)
DEPTHWISE_PASS(4, 1, 2, 4, 1)
DEPTHWISE_PASS(6, 1, 4, 2, 1)
DEPTHWISE_PASS(6, 1, 1, 1, 1)
DEPTHWISE_PASS(6, 1, 1, 2, 1)
DEPTHWISE_PASS(10, 1, 2, 2, 2)
DEPTHWISE_PASS(5, 2, 1, 1, 1)
DEPTHWISE_PASS(5, 2, 1, 2, 1)
DEPTHWISE_PASS(6, 2, 2, 2, 1)
DEPTHWISE_PASS(10, 2, 1, 1, 1)
DEPTHWISE_PASS(7, 4, 1, 1, 1)
DEPTHWISE_PASS(8, 4, 2, 1, 1)
DEPTHWISE_PASS(14, 4, 1, 1, 1)
DEPTHWISE_PASS(18, 4, 2, 1, 2)

/* clang-format off */

/* The next of eight channels' sums of a window; a line takes `room` bytes. */
#define CHANNEL_SUM(s0)                                                                            \
    ".if %c[chunks] == 1\n"                                                                        \
    "vldrb.8 q0, [r1], #%c[room]\n"                                                                \
    "vldrb.8 q1, [r3], #16\n"                                                                      \
    "vmladav.s8 " s0 ", q0, q1\n"                                                                  \
    ".else\n"                                                                                      \
    "vldrb.8 q0, [r1, #16]\n"                                                                      \
    "vldrb.8 q1, [r3, #16]\n"                                                                      \
    "vmladav.s8 " s0 ", q0, q1\n"                                                                  \
    ".set chunk, 2\n"                                                                              \
    ".rept %c[chunks] - 2\n"                                                                       \
    "vldrb.8 q0, [r1, #(16 * chunk)]\n"                                                            \
    "vldrb.8 q1, [r3, #(16 * chunk)]\n"                                                            \
    "vmladava.s8 " s0 ", q0, q1\n"                                                                 \
    ".set chunk, chunk + 1\n"                                                                      \
    ".endr\n"                                                                                      \
    "vldrb.8 q0, [r1], #%c[room]\n"                                                                \
    "vldrb.8 q1, [r3], #(16 * %c[chunks])\n"                                                       \
    "vmladava.s8 " s0 ", q0, q1\n"                                                                 \
    ".endif\n"

/* Constants of eight channels, each four even ones and then four odd ones. */
#define CHANNELS_LINE_LOAD                                                                         \
    "vldrw.32 q4, [r5, #32]\n"                                                                     \
    "vldrw.32 q5, [r5, #48]\n"
#define CHANNELS_ROUND_LOAD                                                                        \
    "vldrw.32 q2, [r5]\n"                                                                          \
    "vldrw.32 q3, [r5, #16]\n"                                                                     \
    "vldrw.32 q4, [r5, #32]\n"                                                                     \
    "vldrw.32 q5, [r5, #48]\n"                                                                     \
    "vldrw.32 q6, [r5, #64]\n"                                                                     \
    "vldrw.32 q7, [r5, #80]\n"

/* Sums in q0 and q1 become eight outputs. */
#define CHANNELS_LINE                                                                              \
    "vldrw.32 q2, [r5]\n"                                                                          \
    "vldrw.32 q3, [r5, #16]\n"                                                                     \
    "vmla.s32 q2, q0, r0\n"                                                                        \
    "vmla.s32 q3, q1, r0\n"                                                                        \
    "vqrdmulh.s32 q2, q2, q4\n"                                                                    \
    "vqrdmulh.s32 q3, q3, q5\n"                                                                    \
    "vsri.32 q3, q2, #16\n"                                                                        \
    "vqmovnb.s16 q0, q3\n"
#define CHANNELS_ROUND                                                                             \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vadd.i32 q1, q1, q3\n"                                                                        \
    "vqrdmulh.s32 q0, q0, q4\n"                                                                    \
    "vqrdmulh.s32 q1, q1, q5\n"                                                                    \
    "vqdmlah.s32 q0, q0, r2\n"                                                                     \
    "vqdmlah.s32 q1, q1, r2\n"                                                                     \
    "vrshl.s32 q0, q0, q6\n"                                                                       \
    "vrshl.s32 q1, q1, q7\n"                                                                       \
    "vsli.32 q0, q1, #16\n"                                                                        \
    "vqadd.s16 q0, q0, r0\n"                                                                       \
    "vqmovnb.s16 q0, q0\n"

/*
 * All windows of up to eight channels, one after the other. r1, r3 and r7 are where x, the weights
 * and y stand, r9 counts columns, and what a window needs besides is loaded to even registers.
 */
#define CHANNELS(way)                                                                              \
    "ldr r0, [r11, #44]\n"                                                                         \
    "vctp.16 r0\n"                                                                                 \
    "ldrd r3, r5, [r11, #28]\n"                                                                    \
    "ldrd r1, r7, [r11, #36]\n"                                                                    \
    CHANNELS_##way##_LOAD                                                                          \
    "adds r11, r11, #80\n"                                                                         \
    "1:\n"                                                                                         \
    "ldr r9, [r11, #24]\n"                                                                         \
    "2:\n"                                                                                         \
    CHANNEL_SUM("r0")                                                                              \
    CHANNEL_SUM("r2")                                                                              \
    CHANNEL_SUM("r4")                                                                              \
    CHANNEL_SUM("r6")                                                                              \
    CHANNEL_SUM("r8")                                                                              \
    CHANNEL_SUM("r10")                                                                             \
    CHANNEL_SUM("r12")                                                                             \
    CHANNEL_SUM("lr")                                                                              \
    "vmov q0[2], q0[0], r0, r8\n"                                                                  \
    "vmov q0[3], q0[1], r4, r12\n"                                                                 \
    "vmov q1[2], q1[0], r2, r10\n"                                                                 \
    "vmov q1[3], q1[1], r6, lr\n"                                                                  \
    "ldm r11, {r0, r2, r4, r6}\n"                                                                  \
    CHANNELS_##way                                                                                 \
    "vpst\n"                                                                                       \
    "vstrbt.16 q0, [r7]\n"                                                                         \
    "add r1, r1, r4\n"                                                                             \
    "add r7, r7, r6\n"                                                                             \
    "sub r3, r3, #(128 * %c[chunks])\n"                                                            \
    "subs r9, r9, #1\n"                                                                            \
    "bne 2b\n"                                                                                     \
    "ldrd r0, r2, [r11, #16]\n"                                                                    \
    "add r1, r1, r0\n"                                                                             \
    "add r7, r7, r2\n"                                                                             \
    "ldr r0, [r11, #28]\n"                                                                         \
    "subs r0, r0, #1\n"                                                                            \
    "str r0, [r11, #28]\n"                                                                         \
    "bne 1b\n"

/* clang-format on */

/* Passes for windows whose taps take `chunks` times 16 bytes, of lines of `room` bytes. */
#define CHANNELS_ASM(function, way, chunks_, room_)                                                \
    SHARED void function(depthwise_pass_t *pass)                                                   \
    {                                                                                              \
        register depthwise_pass_t *r11 __asm__("r11") = pass;                                      \
        __asm__ volatile(CHANNELS(way)                                                             \
                         : "+r"(r11)                                                               \
                         : [chunks] "i"(chunks_), [room] "i"(room_)                                \
                         : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10",      \
                           "r12", "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc",      \
                           "memory");                                                              \
    }
#define CHANNELS_PASS(chunks, room)                                                                \
    CHANNELS_ASM(depthwise_channels_##chunks##_line, LINE, chunks, room)                           \
    CHANNELS_ASM(depthwise_channels_##chunks##_round, ROUND, chunks, room)

CHANNELS_PASS(1, 64)
CHANNELS_PASS(2, 64)
CHANNELS_PASS(3, 96)
CHANNELS_PASS(4, 120)

/* Says that passes make `rows` rows: those below, or beyond the only block, are not stored. */
SHARED void set_rows(depthwise_pass_t *pass, int32_t rows)
{
    const int32_t across = BLOCK_WINDOWS / pass->p->rows;
    const uint16x8_t i = vidupq_n_u16(0, 1);
    const uint16x8_t row = vandq_u16(i, vdupq_n_u16((uint16_t)(pass->p->rows - 1)));
    const uint16x8_t column = vshlq_r_u16(i, -(pass->p->rows / 2));
    pass->rows = rows;
    pass->mask = vcmphiq_u16(vdupq_n_u16((uint16_t)rows), row) &
                 vcmphiq_u16(vdupq_n_u16((uint16_t)(pass->columns + across)), column);
}

/* What passes over up to `rows` rows and `columns` columns have in common. */
SHARED void prepare_passes(depthwise_pass_t *pass, const mve_depthwise_t *p, int32_t rows,
                           int32_t columns)
{
    const int32_t across = BLOCK_WINDOWS / p->rows;
    pass->zero_point = p->output.zero_point;
    pass->one = 1;
    pass->low = p->output.low;
    pass->high = p->output.high;
    /* A line makes `depth_multiplier` channels; if it is one, lines follow without a pause. */
    pass->line_bytes = p->depth_multiplier == 1 ? p->line_bytes : 0;
    pass->columns = columns - across;
    pass->y_step = p->y.c;
    pass->p = p;
    const uint16x8_t i = vidupq_n_u16(0, 1);
    const uint16x8_t row = vandq_u16(i, vdupq_n_u16((uint16_t)(p->rows - 1)));
    const uint16x8_t column = vshlq_r_u16(i, -(p->rows / 2));
    const uint16x8_t below = vmulq_n_u16(row, (uint16_t)(p->y.w * p->y.c));
    vst1q_u16(pass->offsets, vaddq_u16(below, vmulq_n_u16(column, (uint16_t)p->y.c)));
    set_rows(pass, rows);
    const int32_t step = p->pitch * p->window.stride.w;
    pass->constant = p->scale != 0 ? p->scale : p->output.zero_point;
    pass->unit = 1;
    pass->x_next = step - BLOCK_WINDOWS * p->line_bytes;
    pass->y_next = p->y.c;
    pass->x_row = p->window.stride.h - columns * step;
    pass->y_row = (p->y.w - columns) * p->y.c;
    pass->across = columns;
}

/* Makes `channels` channels from `channel` on, y being the first output of the first. */
SHARED void run_passes(depthwise_pass_t *pass, const int8_t *lines, int32_t channel,
                       int32_t channels, int8_t *y)
{
    const mve_depthwise_t *p = pass->p;
    const int32_t at_once = p->depth_multiplier == 1 ? channels : p->depth_multiplier;
    pass->weights = p->weights + channel * p->weight_bytes;
    pass->rescale_next = p->rescale + p->rescale_words * channel;
    pass->down = pass->rows;
    pass->y = y;
    pass->channel = channel;
    for (int32_t left = channels; left > 0; left -= at_once) {
        pass->x = lines;
        pass->channels = at_once;
        p->pass(pass);
        lines += p->line_bytes;
        pass->channel += at_once;
    }
}

/* A pass for any kernel: sums first, then eight of them are rescaled together. */
SHARED void depthwise_any(depthwise_pass_t *pass)
{
    const mve_depthwise_t *p = pass->p;
    const int32_t step = p->pitch * p->window.stride.w;
    const int32_t columns = pass->columns + BLOCK_WINDOWS / p->rows;
    const uint16x8_t offsets = multiples((uint16_t)p->y.c);

    for (int32_t i = 0; i < pass->channels * pass->rows; i++) {
        const int32_t channel = i / pass->rows, row = i % pass->rows, c = pass->channel + channel;
        const int8_t *weights = p->weights + c * p->weight_bytes;
        const int8_t *x = pass->x + channel * pass->line_bytes + row * p->window.stride.h;
        const rescale_t rescale = rescale_of(p, c);
        int8_t *y = pass->y + row * p->y.w * p->y.c + channel;
        for (int32_t j = 0; j < columns; j += 8, y += 8 * p->y.c) {
            int32_t sums[8] = {0};
            for (int32_t k = 0; k < lesser(8, columns - j); k++, x += step) {
                for (int32_t chunk = 0; chunk < 16 * p->chunks; chunk += 16) {
                    const int8x16_t w = vldrbq_s8(weights + chunk);
                    sums[k] = vmladavaq_s8(sums[k], vldrbq_s8(x + chunk), w);
                }
            }
            const int32x4x2_t both = vld2q_s32(sums);
            vstrbq_scatter_offset_p_s16(
                y, offsets, rescaled(both.val[0], both.val[1], &rescale, false, &p->output),
                vctp16q((uint32_t)(columns - j)));
        }
    }
    pass->y += pass->channels;
}

/* Columns of a tensor under the windows of some output columns. */
typedef struct {
    int32_t begin; /* the first, which may lie in the padding */
    int32_t count;
    span_t inside; /* those of them that lie on the tensor */
} cells_t;

KERNEL cells_t cells_under(const mve_depthwise_t *p, int32_t column, int32_t columns)
{
    const window_t *w = &p->window;
    const int32_t begin = column * w->stride.w - w->pad.w;
    const int32_t count = (columns - 1) * w->stride.w + w->kernel.w;
    return (cells_t){begin, count, cells_inside(begin, count, w->dilation.w, p->x.w)};
}

/* What rows of pixels, between padding, have in common for lines; the assembly knows offsets. */
typedef struct {
    int32_t before, behind;  /*  0: columns of padding */
    int32_t x_next, to_next; /*  8: from behind a row to the next */
    int32_t inside;          /* columns */
    int32_t x_step, pitch;   /* from column to column */
    int32_t at;              /* bytes from the first pixel that is kept */
    int32_t channels;        /* up to eight */
    bool follow;             /* whether rows lie x_next apart */
    int16x8_t padding;
    uint16x8_t offsets; /* of the lines */
} cells_row_t;

KERNEL cells_row_t cells_row(const mve_depthwise_t *p, const rows_t *x, const cells_t *cells,
                             int32_t c)
{
    const int32_t dilation = p->window.dilation.w, first = cells->inside.first;
    const int32_t inside = cells->inside.last - first;
    return (cells_row_t){
        .before = first,
        .behind = cells->count - cells->inside.last,
        .x_next = x->row_bytes - inside * dilation * p->x.c,
        .to_next = 1 - cells->count * p->pitch,
        .inside = inside,
        .x_step = dilation * p->x.c,
        .pitch = p->pitch,
        .at = (cells->begin + first * dilation - x->first) * p->x.c + c,
        .channels = lesser(p->lines, p->x.c - c),
        .follow = x->slots == 0 && p->window.dilation.h == 1,
        .padding = vdupq_n_s16((int16_t)p->padding),
        .offsets = multiples((uint16_t)p->line_bytes),
    };
}

/* Padding into `count` columns; returns where the next column is. */
KERNEL int8_t *gather_padding(const cells_row_t *r, int8_t *to, int32_t count)
{
    __asm__ volatile("vctp.16 %[channels]\n"
                     "wls lr, %[count], 2f\n"
                     "1:\n"
                     "vpst\n"
                     "vstrbt.16 %q[padding], [%[to], %q[offsets]]\n"
                     "add %[to], %[pitch]\n"
                     "le lr, 1b\n"
                     "2:\n"
                     : [to] "+r"(to)
                     : [pitch] "r"(r->pitch), [channels] "r"(r->channels), [count] "r"(count),
                       [offsets] "w"(r->offsets), [padding] "w"(r->padding)
                     : "lr", "cc", "memory");
    return to;
}

/* Up to eight channels of pixels at x. */
KERNEL void gather_some(const cells_row_t *r, const int8_t *x, int8_t *to)
{
    to = gather_padding(r, to, r->before);
    __asm__ volatile("wls lr, %[count], 2f\n"
                     "1:\n"
                     "vpstt\n"
                     "vldrbt.u16 q0, [%[x]]\n"
                     "vstrbt.16 q0, [%[to], %q[offsets]]\n"
                     "add %[x], %[x_step]\n"
                     "add %[to], %[pitch]\n"
                     "le lr, 1b\n"
                     "2:\n"
                     : [x] "+l"(x), [to] "+r"(to)
                     : [x_step] "r"(r->x_step), [pitch] "r"(r->pitch), [count] "r"(r->inside),
                       [offsets] "w"(r->offsets)
                     : "lr", "q0", "cc", "memory");
    gather_padding(r, to, r->behind);
}

/* Eight channels of `rows` rows of pixels that follow each other, four pixels at a time. */
KERNEL void gather_eight(const cells_row_t *r, const int8_t *x, int8_t *to, int32_t rows)
{
    const uint16x8_t second = vaddq_n_u16(r->offsets, (uint16_t)r->pitch);
    const uint16x8_t third = vaddq_n_u16(second, (uint16_t)r->pitch);
    const uint16x8_t fourth = vaddq_n_u16(third, (uint16_t)r->pitch);
    __asm__ volatile(
        "1:\n"
        "ldr lr, [%[row]]\n"
        "wls lr, lr, 3f\n"
        "2:\n"
        "vstrb.16 %q[padding], [%[to], %q[first]]\n"
        "add %[to], %[pitch]\n"
        "le lr, 2b\n"
        "3:\n"
        "wls lr, %[fours], 5f\n"
        "4:\n"
        "vldrb.u16 q0, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vldrb.u16 q1, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q0, [%[to], %q[first]]\n"
        "vldrb.u16 q0, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q1, [%[to], %q[second]]\n"
        "vldrb.u16 q1, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q0, [%[to], %q[third]]\n"
        "vstrb.16 q1, [%[to], %q[fourth]]\n"
        "add %[to], %[to], %[pitch], lsl #2\n"
        "le lr, 4b\n"
        "5:\n"
        "wls lr, %[rest], 7f\n"
        "6:\n"
        "vldrb.u16 q0, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q0, [%[to], %q[first]]\n"
        "add %[to], %[pitch]\n"
        "le lr, 6b\n"
        "7:\n"
        "ldr lr, [%[row], #4]\n"
        "wls lr, lr, 9f\n"
        "8:\n"
        "vstrb.16 %q[padding], [%[to], %q[first]]\n"
        "add %[to], %[pitch]\n"
        "le lr, 8b\n"
        "9:\n"
        "ldr lr, [%[row], #8]\n"
        "add %[x], lr\n"
        "ldr lr, [%[row], #12]\n"
        "add %[to], lr\n"
        "subs %[rows], #1\n"
        "bne 1b\n"
        : [x] "+l"(x), [to] "+r"(to), [rows] "+r"(rows)
        : [x_step] "r"(r->x_step), [pitch] "r"(r->pitch), [fours] "r"(r->inside / 4),
          [rest] "r"(r->inside % 4), [row] "r"(r), [first] "w"(r->offsets), [second] "w"(second),
          [third] "w"(third), [fourth] "w"(fourth), [padding] "w"(r->padding)
        : "lr", "q0", "q1", "cc", "memory");
}

/*
 * Gathers rows `row`, `row` + dilation, ... up to eight channels into as many lines, each row a
 * byte behind the one before: the padding, what lies on the tensor, the padding.
 */
SHARED void gather_rows(const mve_depthwise_t *p, const rows_t *x, int32_t row, int32_t count,
                        const cells_row_t *r, int8_t *to)
{
    const int32_t step = p->window.dilation.h;
#pragma GCC unroll 1
    for (int32_t done = 1; count > 0; count -= done, row += done * step, to += done) {
        done = 1;
        if (row < 0 || row >= p->x.h || r->inside <= 0) {
            gather_padding(r, to, r->before + r->inside + r->behind);
        } else if (r->channels == 8) {
            done = r->follow ? lesser(count, p->x.h - row) : 1;
            gather_eight(r, row_at(x, row) + r->at, to, done);
        } else {
            gather_some(r, row_at(x, row) + r->at, to);
        }
    }
}

/* Columns of one output row, `columns` of them at a time. */
SHARED void mve_depthwise_row(const mve_depthwise_t *p, rows_t x, int32_t row, span_t columns,
                              int8_t *y, int8_t *scratch)
{
    const window_t *w = &p->window;
    const int32_t top = row * w->stride.h - w->pad.h;
    for (int32_t i = columns.first; i < columns.last; i += p->columns, y += p->columns * p->y.c) {
        const int32_t count = lesser(p->columns, columns.last - i);
        const cells_t under = cells_under(p, i, count);
        depthwise_pass_t pass;
        prepare_passes(&pass, p, 1, count);
        for (int32_t c = 0; c < p->x.c; c += p->lines) {
            const cells_row_t cells = cells_row(p, &x, &under, c);
            gather_rows(p, &x, top, w->kernel.h, &cells, scratch);
            const int32_t first = c * p->depth_multiplier;
            const int32_t channels = lesser(p->lines * p->depth_multiplier, p->y.c - first);
            run_passes(&pass, scratch, first, channels, y + first);
        }
    }
}

/* Whole tensors by rows, for kernels that do not slide. */
KERNEL void mve_depthwise_by_rows(const mve_depthwise_t *p, const int8_t *x, int8_t *y,
                                  int8_t *scratch)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        mve_depthwise_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                          y + row * p->y.w * p->y.c, scratch);
    }
}

/* Moves lines `by` bytes back. */
KERNEL void slide_back(int8_t *lines, int32_t by, int32_t size)
{
    for (int32_t i = 0; i < size; i += 16) {
        vstrbq_s8(lines + i, vldrbq_s8(lines + i + by));
    }
}

/* Up to eight channels from `c` on of a whole tensor. */
KERNEL void depthwise_slide(depthwise_pass_t *pass, const rows_t *x, int32_t c, int8_t *y,
                            int8_t *lines)
{
    const mve_depthwise_t *p = pass->p;
    const window_t *w = &p->window;
    const cells_t under = cells_under(p, 0, p->y.w);
    const cells_row_t cells = cells_row(p, x, &under, c);
    const int32_t channels = lesser(p->lines, p->x.c - c) * p->depth_multiplier;
    int32_t gathered = 0, origin = 0; /* padded rows: up to which, and which is at lines[0] */

    for (int32_t row = 0; row < p->y.h; row += p->rows) {
        const int32_t rows = lesser(p->rows, p->y.h - row), first = row * w->stride.h;
        const int32_t end = first + (rows - 1) * w->stride.h + w->kernel.h;
        if (first - origin > p->slack) {
            slide_back(lines, first - origin, p->lines * p->line_bytes - (first - origin));
            origin = first;
        }
        gathered = greater(gathered, first);
        gather_rows(p, x, gathered - w->pad.h, end - gathered, &cells, lines + gathered - origin);
        gathered = end;
        if (rows != pass->rows) {
            set_rows(pass, rows);
        }
        const int32_t out = c * p->depth_multiplier;
        run_passes(pass, lines + first - origin, out, channels, y + row * p->y.w * p->y.c + out);
    }
}

/* The whole op without dilation; y may begin where x begins. */
SHARED void mve_depthwise(const mve_depthwise_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t rows = whole_rows(x, &p->x);
    depthwise_pass_t pass;
    prepare_passes(&pass, p, lesser(p->rows, p->y.h), p->y.w);
    for (int32_t c = 0; c < p->x.c; c += p->lines) {
        depthwise_slide(&pass, &rows, c, y, scratch);
    }
}

KERNEL void mve_depthwise_inplace(const mve_depthwise_t *p, int8_t *x, int8_t *scratch)
{
    mve_depthwise(p, x, x, scratch);
}

#endif
