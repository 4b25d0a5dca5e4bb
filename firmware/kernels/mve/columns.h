/*
 * Dot products for Armv8.1-M MVE: columns of `depth` int8 values, each with all rows of a matrix.
 * A pixel of a 1x1 convolution is such a column where it lies, the cells under a window become one
 * when they are copied together.
 *
 * VMLADAVA.S8 adds 16 products to a scalar, which must be an even register. All eight of them are
 * accumulators, of two columns and four channels, so that a vector that is loaded serves two or
 * four times. GCC would move accumulators over the stack, hence the assembly. A depth that is no
 * multiple of 16 is left over at the beginning, where a predicated load stays inside the column.
 *
 * The accumulators are rescaled exactly as requantize() does: VQRDMULH rounds halves up, VRSHL too,
 * and to round halves away from zero, 1 is taken from what is below it. That is left out if all
 * below zero is clamped to the zero point.
 */
#ifndef BENCH_KERNELS_MVE_COLUMNS_H
#define BENCH_KERNELS_MVE_COLUMNS_H

#include "../window.h"

/* What the assembly works on; it knows the offsets. */
typedef struct {
    const int8_t *x0, *x1;       /*  0: two columns */
    const int8_t *next0, *next1; /*  8: behind what their first chunk takes */
    int8_t *y0, *y1;             /* 16: where their results go */
    const int8_t *end;           /* 24: of the weights */
    int32_t chunks;              /* 28: after the first */
    const int8_t *weights;       /* 32 */
    const int32_t *constants;    /* 36 */
    int32_t x_step, y_step;      /* 40: to the next two, y from behind the first */
    int32_t pairs;               /* 48: of columns */
    int32_t first;               /* 52: cells in the first chunk */
    output_t output;             /* 56 */
    int32_t blocks;              /* 68: whole ones */
    int32_t back;                /* 72: by how much the last block overlaps, 0 if there is none */
} columns_state_t;

/*
 * Weights are int8 [blocks][chunks][4][16]: four channels, 16 cells of each. `constants` are of
 * each block four biases, four multipliers, and four shifts in one word.
 *
 * If the channels are no multiple of four, the last block begins four channels before the end, and
 * computes some for the second time; fewer than four are filled up.
 */
typedef struct {
    int32_t depth;     /* cells of a column */
    int32_t channels;  /* what is computed of each */
    int32_t blocks;    /* ceil(channels / 4) */
    int32_t chunks;    /* ceil(depth / 16) */
    bool is_rectified; /* results below the zero point are clamped to it */
    const int8_t *weights;
    const int32_t *constants;
    output_t output;
    void (*pairs)(columns_state_t *); /* one for this number of chunks */
} columns_t;

/* clang-format off */

/* Takes 1 from what is below zero in q0 and q1, or in q0. */
#define COLUMNS_SIGN_BOTH                                                                          \
    "vshr.s32 q3, q0, #31\n"                                                                       \
    "vadd.i32 q0, q0, q3\n"                                                                        \
    "vshr.s32 q3, q1, #31\n"                                                                       \
    "vadd.i32 q1, q1, q3\n"
#define COLUMNS_SIGN_ONE                                                                           \
    "vshr.s32 q3, q0, #31\n"                                                                       \
    "vadd.i32 q0, q0, q3\n"

/* q5, q6, q7 are the zero point and the clamp; p0 the cells of the first chunk. */
#define COLUMNS_BEGIN                                                                              \
    "ldrd r0, r2, [r11, #52]\n"                                                                    \
    "vctp.8 r0\n"                                                                                  \
    "vdup.16 q5, r2\n"                                                                             \
    "ldrd r0, r2, [r11, #60]\n"                                                                    \
    "vdup.16 q6, r0\n"                                                                             \
    "vdup.16 q7, r2\n"

#define COLUMNS_CLAMP                                                                              \
    "vqadd.s16 q0, q0, q5\n"                                                                       \
    "vmax.s16 q0, q0, q6\n"                                                                        \
    "vmin.s16 q0, q0, q7\n"

/* All pairs with all blocks. Accumulators: r0, r4, r8, r12 of one column, r2, r6, r10, lr. */
#define COLUMNS_PAIRS(sign)                                                                        \
    COLUMNS_BEGIN                                                                                  \
    "1:\n"                                                                                         \
    "ldrd r5, r7, [r11, #32]\n"                                                                    \
    "2:\n"                                                                                         \
    "ldrd r1, r3, [r11]\n"                                                                         \
    "vpstt\n"                                                                                      \
    "vldrbt.8 q0, [r1]\n"                                                                          \
    "vldrbt.8 q1, [r3]\n"                                                                          \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "ldrd r1, r3, [r11, #8]\n"                                                                     \
    "vmladav.s8 r0, q0, q2\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r2, q1, q2\n"                                                                      \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladav.s8 r4, q0, q3\n"                                                                      \
    "ldr r9, [r11, #28]\n"                                                                         \
    "vmladav.s8 r6, q1, q3\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r8, q0, q2\n"                                                                      \
    "vmladav.s8 r10, q1, q2\n"                                                                     \
    "vmladav.s8 r12, q0, q3\n"                                                                     \
    "vmladav.s8 lr, q1, q3\n"                                                                      \
    "cmp r9, #0\n"                                                                                 \
    "beq 4f\n"                                                                                     \
    "3:\n"                                                                                         \
    "vldrb.8 q0, [r1], #16\n"                                                                      \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladava.s8 r0, q0, q2\n"                                                                     \
    "vldrb.8 q1, [r3], #16\n"                                                                      \
    "vmladava.s8 r2, q1, q2\n"                                                                     \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladava.s8 r4, q0, q3\n"                                                                     \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladava.s8 r6, q1, q3\n"                                                                     \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladava.s8 r8, q0, q2\n"                                                                     \
    "vmladava.s8 r10, q1, q2\n"                                                                    \
    "vmladava.s8 r12, q0, q3\n"                                                                    \
    "subs r9, r9, #1\n"                                                                            \
    "vmladava.s8 lr, q1, q3\n"                                                                     \
    "bne 3b\n"                                                                                     \
    "4:\n"                                                                                         \
    "vmov q0[2], q0[0], r0, r8\n"                                                                  \
    "vmov q0[3], q0[1], r4, r12\n"                                                                 \
    "vldrw.32 q2, [r7], #16\n"                                                                     \
    "vmov q1[2], q1[0], r2, r10\n"                                                                 \
    "vmov q1[3], q1[1], r6, lr\n"                                                                  \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vadd.i32 q1, q1, q2\n"                                                                        \
    "ldrd r0, r2, [r11, #16]\n"                                                                    \
    "vqrdmulh.s32 q0, q0, q3\n"                                                                    \
    "vldrb.s32 q2, [r7], #4\n"                                                                     \
    "vqrdmulh.s32 q1, q1, q3\n"                                                                    \
    sign                                                                                           \
    "vrshl.s32 q0, q0, q2\n"                                                                       \
    "vrshl.s32 q1, q1, q2\n"                                                                       \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    "vqmovnt.s32 q0, q1\n"                                                                         \
    COLUMNS_CLAMP                                                                                  \
    "ldr r4, [r11, #24]\n"                                                                         \
    "vstrb.32 q0, [r0], #4\n"                                                                      \
    "vshr.u32 q0, q0, #16\n"                                                                       \
    "vstrb.32 q0, [r2], #4\n"                                                                      \
    "strd r0, r2, [r11, #16]\n"                                                                    \
    "cmp r5, r4\n"                                                                                 \
    "blo 2b\n"                                                                                     \
    "bhi 5f\n"                                                                                     \
    "ldr r4, [r11, #72]\n"                                                                         \
    "cbz r4, 5f\n"                                                                                 \
    "sub r0, r0, r4\n"                                                                             \
    "sub r2, r2, r4\n"                                                                             \
    "strd r0, r2, [r11, #16]\n"                                                                    \
    "b 2b\n"                                                                                       \
    "5:\n"                                                                                         \
    "ldr r4, [r11, #48]\n"                                                                         \
    "ldrd r6, r8, [r11, #40]\n"                                                                    \
    "add r0, r0, r8\n"                                                                             \
    "add r2, r2, r8\n"                                                                             \
    "strd r0, r2, [r11, #16]\n"                                                                    \
    "ldrd r0, r2, [r11]\n"                                                                         \
    "ldrd r1, r3, [r11, #8]\n"                                                                     \
    "add r0, r0, r6\n"                                                                             \
    "add r2, r2, r6\n"                                                                             \
    "add r1, r1, r6\n"                                                                             \
    "add r3, r3, r6\n"                                                                             \
    "strd r0, r2, [r11]\n"                                                                         \
    "strd r1, r3, [r11, #8]\n"                                                                     \
    "subs r4, r4, #1\n"                                                                            \
    "str r4, [r11, #48]\n"                                                                         \
    "bne 1b\n"

/* The same for a known number of chunks after the first. */
#define COLUMNS_UNROLLED_PAIRS(sign)                                                               \
    COLUMNS_BEGIN                                                                                  \
    "1:\n"                                                                                         \
    "ldrd r5, r7, [r11, #32]\n"                                                                    \
    "ldr r9, [r11, #68]\n"                                                                         \
    "2:\n"                                                                                         \
    "ldrd r1, r3, [r11]\n"                                                                         \
    "vpstt\n"                                                                                      \
    "vldrbt.8 q0, [r1]\n"                                                                          \
    "vldrbt.8 q1, [r3]\n"                                                                          \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "ldrd r1, r3, [r11, #8]\n"                                                                     \
    "vmladav.s8 r0, q0, q2\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r2, q1, q2\n"                                                                      \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladav.s8 r4, q0, q3\n"                                                                      \
    "vmladav.s8 r6, q1, q3\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r8, q0, q2\n"                                                                      \
    "vmladav.s8 r10, q1, q2\n"                                                                     \
    "vmladav.s8 r12, q0, q3\n"                                                                     \
    "vmladav.s8 lr, q1, q3\n"                                                                      \
    ".rept %c[more]\n"                                                                             \
    "vldrb.8 q0, [r1], #16\n"                                                                      \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladava.s8 r0, q0, q2\n"                                                                     \
    "vldrb.8 q1, [r3], #16\n"                                                                      \
    "vmladava.s8 r2, q1, q2\n"                                                                     \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladava.s8 r4, q0, q3\n"                                                                     \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladava.s8 r6, q1, q3\n"                                                                     \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladava.s8 r8, q0, q2\n"                                                                     \
    "vmladava.s8 r10, q1, q2\n"                                                                    \
    "vmladava.s8 r12, q0, q3\n"                                                                    \
    "vmladava.s8 lr, q1, q3\n"                                                                     \
    ".endr\n"                                                                                      \
    "vmov q0[2], q0[0], r0, r8\n"                                                                  \
    "vmov q0[3], q0[1], r4, r12\n"                                                                 \
    "vldrw.32 q2, [r7], #16\n"                                                                     \
    "vmov q1[2], q1[0], r2, r10\n"                                                                 \
    "vmov q1[3], q1[1], r6, lr\n"                                                                  \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vadd.i32 q1, q1, q2\n"                                                                        \
    "ldrd r0, r2, [r11, #16]\n"                                                                    \
    "vqrdmulh.s32 q0, q0, q3\n"                                                                    \
    "vldrb.s32 q2, [r7], #4\n"                                                                     \
    "vqrdmulh.s32 q1, q1, q3\n"                                                                    \
    sign                                                                                           \
    "vrshl.s32 q0, q0, q2\n"                                                                       \
    "vrshl.s32 q1, q1, q2\n"                                                                       \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    "vqmovnt.s32 q0, q1\n"                                                                         \
    COLUMNS_CLAMP                                                                                  \
    "vstrb.32 q0, [r0], #4\n"                                                                      \
    "vshr.u32 q0, q0, #16\n"                                                                       \
    "vstrb.32 q0, [r2], #4\n"                                                                      \
    "strd r0, r2, [r11, #16]\n"                                                                    \
    "subs r9, r9, #1\n"                                                                            \
    "bgt 2b\n"                                                                                     \
    "bmi 5f\n"                                                                                     \
    "ldr r4, [r11, #72]\n"                                                                         \
    "cbz r4, 5f\n"                                                                                 \
    "sub r0, r0, r4\n"                                                                             \
    "sub r2, r2, r4\n"                                                                             \
    "strd r0, r2, [r11, #16]\n"                                                                    \
    "b 2b\n"                                                                                       \
    "5:\n"                                                                                         \
    "ldr r4, [r11, #48]\n"                                                                         \
    "ldrd r6, r8, [r11, #40]\n"                                                                    \
    "add r0, r0, r8\n"                                                                             \
    "add r2, r2, r8\n"                                                                             \
    "strd r0, r2, [r11, #16]\n"                                                                    \
    "ldrd r0, r2, [r11]\n"                                                                         \
    "ldrd r1, r3, [r11, #8]\n"                                                                     \
    "add r0, r0, r6\n"                                                                             \
    "add r2, r2, r6\n"                                                                             \
    "add r1, r1, r6\n"                                                                             \
    "add r3, r3, r6\n"                                                                             \
    "strd r0, r2, [r11]\n"                                                                         \
    "strd r1, r3, [r11, #8]\n"                                                                     \
    "subs r4, r4, #1\n"                                                                            \
    "str r4, [r11, #48]\n"                                                                         \
    "bne 1b\n"

/* The column x0 with all blocks, to y0. Accumulators: r0, r2, r4, r6. */
#define COLUMNS_SINGLE(sign)                                                                       \
    COLUMNS_BEGIN                                                                                  \
    "ldrd r5, r7, [r11, #32]\n"                                                                    \
    "ldr r3, [r11, #16]\n"                                                                         \
    "ldrd r8, r10, [r11, #24]\n"                                                                   \
    "ldr r12, [r11]\n"                                                                             \
    "1:\n"                                                                                         \
    "vpst\n"                                                                                       \
    "vldrbt.8 q0, [r12]\n"                                                                         \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "ldr r1, [r11, #8]\n"                                                                          \
    "vmladav.s8 r0, q0, q2\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r2, q0, q3\n"                                                                      \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladav.s8 r4, q0, q2\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r6, q0, q3\n"                                                                      \
    "wls lr, r10, 3f\n"                                                                            \
    "2:\n"                                                                                         \
    "vldrb.8 q0, [r1], #16\n"                                                                      \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladava.s8 r0, q0, q2\n"                                                                     \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladava.s8 r2, q0, q3\n"                                                                     \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladava.s8 r4, q0, q2\n"                                                                     \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladava.s8 r6, q0, q3\n"                                                                     \
    "le lr, 2b\n"                                                                                  \
    "3:\n"                                                                                         \
    "vmov q0[2], q0[0], r0, r4\n"                                                                  \
    "vmov q0[3], q0[1], r2, r6\n"                                                                  \
    "vldrw.32 q2, [r7], #16\n"                                                                     \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vqrdmulh.s32 q0, q0, q3\n"                                                                    \
    "vldrb.s32 q2, [r7], #4\n"                                                                     \
    sign                                                                                           \
    "vrshl.s32 q0, q0, q2\n"                                                                       \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    COLUMNS_CLAMP                                                                                  \
    "cmp r5, r8\n"                                                                                 \
    "vstrb.32 q0, [r3], #4\n"                                                                      \
    "blo 1b\n"                                                                                     \
    "bhi 5f\n"                                                                                     \
    "ldr r4, [r11, #72]\n"                                                                         \
    "cbz r4, 5f\n"                                                                                 \
    "sub r3, r3, r4\n"                                                                             \
    "b 1b\n"                                                                                       \
    "5:\n"

/*
 * All pairs with all blocks if a column is a single chunk, which then stays in q4 and q5. r1 and r3
 * are where results go, r9 is the end of the weights.
 */
#define COLUMNS_SHORT_PAIRS(sign)                                                                  \
    COLUMNS_BEGIN                                                                                  \
    "ldr r9, [r11, #24]\n"                                                                         \
    "ldrd r1, r3, [r11, #16]\n"                                                                    \
    "1:\n"                                                                                         \
    "ldrd r0, r2, [r11]\n"                                                                         \
    "ldrd r5, r7, [r11, #32]\n"                                                                    \
    "vpstt\n"                                                                                      \
    "vldrbt.8 q4, [r0]\n"                                                                          \
    "vldrbt.8 q5, [r2]\n"                                                                          \
    "2:\n"                                                                                         \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladav.s8 r0, q4, q2\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r2, q5, q2\n"                                                                      \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladav.s8 r4, q4, q3\n"                                                                      \
    "vmladav.s8 r6, q5, q3\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r8, q4, q2\n"                                                                      \
    "vmladav.s8 r10, q5, q2\n"                                                                     \
    "vmladav.s8 r12, q4, q3\n"                                                                     \
    "vmladav.s8 lr, q5, q3\n"                                                                      \
    "vmov q0[2], q0[0], r0, r8\n"                                                                  \
    "vmov q0[3], q0[1], r4, r12\n"                                                                 \
    "vldrw.32 q2, [r7], #16\n"                                                                     \
    "vmov q1[2], q1[0], r2, r10\n"                                                                 \
    "vmov q1[3], q1[1], r6, lr\n"                                                                  \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vadd.i32 q1, q1, q2\n"                                                                        \
    "ldr r0, [r11, #56]\n"                                                                         \
    "vqrdmulh.s32 q0, q0, q3\n"                                                                    \
    "vldrb.s32 q2, [r7], #4\n"                                                                     \
    "vqrdmulh.s32 q1, q1, q3\n"                                                                    \
    sign                                                                                           \
    "vrshl.s32 q0, q0, q2\n"                                                                       \
    "vrshl.s32 q1, q1, q2\n"                                                                       \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    "vqmovnt.s32 q0, q1\n"                                                                         \
    "vqadd.s16 q0, q0, r0\n"                                                                       \
    "vmax.s16 q0, q0, q6\n"                                                                        \
    "vmin.s16 q0, q0, q7\n"                                                                        \
    "cmp r5, r9\n"                                                                                 \
    "vstrb.32 q0, [r1], #4\n"                                                                      \
    "vshr.u32 q0, q0, #16\n"                                                                       \
    "vstrb.32 q0, [r3], #4\n"                                                                      \
    "blo 2b\n"                                                                                     \
    "bhi 5f\n"                                                                                     \
    "ldr r4, [r11, #72]\n"                                                                         \
    "cbz r4, 5f\n"                                                                                 \
    "sub r1, r1, r4\n"                                                                             \
    "sub r3, r3, r4\n"                                                                             \
    "b 2b\n"                                                                                       \
    "5:\n"                                                                                         \
    "ldrd r6, r8, [r11, #40]\n"                                                                    \
    "ldrd r0, r2, [r11]\n"                                                                         \
    "ldr r4, [r11, #48]\n"                                                                         \
    "add r1, r1, r8\n"                                                                             \
    "add r3, r3, r8\n"                                                                             \
    "add r0, r0, r6\n"                                                                             \
    "add r2, r2, r6\n"                                                                             \
    "strd r0, r2, [r11]\n"                                                                         \
    "subs r4, r4, #1\n"                                                                            \
    "str r4, [r11, #48]\n"                                                                         \
    "bne 1b\n"                                                                                     \
    "strd r1, r3, [r11, #16]\n"

/* clang-format on */

#define COLUMNS_ASM(function, text, chunks)                                                        \
    SHARED void function(columns_state_t *state)                                                   \
    {                                                                                              \
        register columns_state_t *s __asm__("r11") = state;                                        \
        __asm__ volatile(text                                                                      \
                         : "+r"(s)                                                                 \
                         : [more] "i"((chunks)-1)                                                  \
                         : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10",      \
                           "r12", "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc",      \
                           "memory");                                                              \
    }

/* For pairs of columns of some chunks, 0 if any. */
#define COLUMNS_PAIRS_OF(chunks, text)                                                             \
    COLUMNS_ASM(columns_pairs_##chunks, text(COLUMNS_SIGN_BOTH), chunks)                           \
    COLUMNS_ASM(columns_pairs_##chunks##_rectified, text(""), chunks)

COLUMNS_PAIRS_OF(0, COLUMNS_PAIRS)
COLUMNS_PAIRS_OF(1, COLUMNS_SHORT_PAIRS)
COLUMNS_PAIRS_OF(2, COLUMNS_UNROLLED_PAIRS)
COLUMNS_PAIRS_OF(3, COLUMNS_UNROLLED_PAIRS)
COLUMNS_PAIRS_OF(4, COLUMNS_UNROLLED_PAIRS)
COLUMNS_PAIRS_OF(5, COLUMNS_UNROLLED_PAIRS)
COLUMNS_PAIRS_OF(6, COLUMNS_UNROLLED_PAIRS)
COLUMNS_PAIRS_OF(7, COLUMNS_UNROLLED_PAIRS)
COLUMNS_PAIRS_OF(8, COLUMNS_UNROLLED_PAIRS)
COLUMNS_PAIRS_OF(9, COLUMNS_UNROLLED_PAIRS)
COLUMNS_ASM(columns_single, COLUMNS_SINGLE(COLUMNS_SIGN_ONE), 0)
COLUMNS_ASM(columns_single_rectified, COLUMNS_SINGLE(""), 0)

/* `count` columns x_step bytes apart with `blocks` blocks; results are y_step bytes apart. */
KERNEL void columns_blocks(const columns_t *p, columns_state_t *s, int32_t count, const int8_t *x,
                           int32_t x_step, int8_t *y, int32_t y_step)
{
    s->x0 = x;
    s->x1 = x + x_step;
    s->next0 = s->x0 + s->first;
    s->next1 = s->x1 + s->first;
    s->y0 = y;
    s->y1 = y + y_step;
    s->pairs = count / 2;
    if (s->pairs > 0) {
        p->pairs(s);
    }
    if (count % 2 != 0) {
        if (p->is_rectified) {
            columns_single_rectified(s);
        } else {
            columns_single(s);
        }
    }
}

/* Channels that do not fill a block: one after the other goes where there is room for four. */
KERNEL void columns_few(const columns_t *p, columns_state_t *s, int32_t count, const int8_t *x,
                        int32_t x_step, int8_t *y)
{
    int8_t results[4];
    for (int32_t i = 0; i < count; i++, x += x_step, y += p->channels) {
        columns_blocks(p, s, 1, x, x_step, results, 0);
        for (int32_t c = 0; c < p->channels; c++) {
            y[c] = results[c];
        }
    }
}

/* `count` columns, x_step bytes apart, with all channels: y [count, channels]. */
SHARED void columns(const columns_t *p, int32_t count, const int8_t *x, int32_t x_step, int8_t *y)
{
    const int32_t whole = greater(p->channels / 4, 1), block_bytes = p->chunks * 64;
    columns_state_t s = {
        .end = p->weights + whole * block_bytes,
        .chunks = p->chunks - 1,
        .weights = p->weights,
        .constants = p->constants,
        .x_step = 2 * x_step,
        .y_step = p->channels,
        .first = p->depth - 16 * (p->chunks - 1),
        .output = p->output,
        .blocks = whole,
        .back = p->blocks > whole ? 4 - p->channels % 4 : 0,
    };
    if (p->channels < 4) {
        columns_few(p, &s, count, x, x_step, y);
    } else {
        columns_blocks(p, &s, count, x, x_step, y, p->channels);
    }
}

#endif
