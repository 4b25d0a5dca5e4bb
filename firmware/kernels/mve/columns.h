/*
 * Dot products for Armv8.1-M MVE: columns of `depth` int8 values, each with all rows of a matrix.
 * A pixel of a 1x1 convolution is such a column where it lies, the cells under a window become one
 * when they are copied together.
 *
 * VMLADAVA.S8 adds 16 products to a scalar, which must be an even register. All eight of them are
 * accumulators, of two columns and four channels, so that a vector that is loaded serves two or
 * four times. GCC would move accumulators over the stack, hence the assembly. A depth that is no
 * multiple of 16 is left over at the beginning, where a predicated load stays inside the column;
 * this first chunk stays in q6 and q7 for all channels. Where there are many columns, quads.h
 * takes four of them and two channels instead.
 *
 * Accumulators become outputs in one of three ways, chosen and proved at code generation:
 *
 *     line   one multiplication and narrowing shifts that all channels share
 *     round  as requantize() does it: VQRDMULH rounds halves up, VRSHL too, and to round halves
 *            away from zero, VQDMLAH takes 1 from what is below it: x + floor(x / 2^31)
 *     clamp  the same, where the activation leaves less than all of int8
 */

#ifndef BENCH_KERNELS_MVE_COLUMNS_H
#define BENCH_KERNELS_MVE_COLUMNS_H

#include "../window.h"

#include "quads.h"

/* What the assembly works on; it knows the offsets. */
typedef struct {
    int32_t scale;               /*  0: what a line multiplies sums with, else 1 */
    int8_t *y0, *y1;             /*  4: where the results of two columns go */
    const int8_t *end;           /* 12: of the weights */
    output_t output;             /* 16 */
    const int8_t *x0, *x1;       /* 28: two columns */
    const int8_t *next0, *next1; /* 36: behind what their first chunk takes */
    const int8_t *weights;       /* 44 */
    const int32_t *constants;    /* 48 */
    int32_t chunks;              /* 52: after the first */
    int32_t pairs;               /* 56: of columns */
    int32_t x_step, y_step;      /* 60: to the next two, y from behind the first */
    int32_t first;               /* 68: cells in the first chunk */
    int32_t back;                /* 72: by how much the last block overlaps, 0 if there is none */
} columns_state_t;

/*
 * Weights are int8 [blocks][chunks][4][16]: four channels, 16 cells of each. `constants` are of
 * each block four addends and four multipliers; unless they are of lines, four biases, four
 * multipliers, and four shifts in one word.
 *
 * If the channels are no multiple of four, the last ones begin as many before the end, and some are
 * computed for the second time; fewer than four are filled up.
 */
typedef struct {
    int32_t depth;    /* cells of a column */
    int32_t channels; /* what is computed of each */
    int32_t blocks;   /* of four channels */
    int32_t chunks;   /* ceil(depth / 16) */
    int32_t scale;
    const int8_t *weights;
    const int32_t *constants;
    output_t output;
    void (*pairs)(columns_state_t *);  /* one for this number of chunks */
    void (*single)(columns_state_t *); /* for the column x0 */
    quads_t quads;                     /* what they are computed by, if it has a function */
} columns_t;

/* clang-format off */

/* Sums of the first chunk, which is in q6 and q7. r0, r4, r8, r12 are of one column, r2, r6, r10,
 * lr of the other; r5 is where the weights stand. */
#define COLUMNS_FIRST                                                                              \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladav.s8 r0, q6, q2\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r2, q7, q2\n"                                                                      \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladav.s8 r4, q6, q3\n"                                                                      \
    "vmladav.s8 r6, q7, q3\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r8, q6, q2\n"                                                                      \
    "vmladav.s8 r10, q7, q2\n"                                                                     \
    "vmladav.s8 r12, q6, q3\n"                                                                     \
    "vmladav.s8 lr, q7, q3\n"

/* Adds those of a further one, at r1 and r3. */
#define COLUMNS_CHUNK(at0, at1)                                                                    \
    "vldrb.8 q0, " at0 "\n"                                                                        \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladava.s8 r0, q0, q2\n"                                                                     \
    "vldrb.8 q1, " at1 "\n"                                                                        \
    "vmladava.s8 r2, q1, q2\n"                                                                     \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladava.s8 r4, q0, q3\n"                                                                     \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladava.s8 r6, q1, q3\n"                                                                     \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladava.s8 r8, q0, q2\n"                                                                     \
    "vmladava.s8 r10, q1, q2\n"                                                                    \
    "vmladava.s8 r12, q0, q3\n"                                                                    \
    "vmladava.s8 lr, q1, q3\n"

/* Adds those of all further chunks: a known number of them, or any above 0. */
#define COLUMNS_KNOWN_CHUNKS                                                                       \
    ".set chunk, 0\n"                                                                              \
    ".rept %c[more]\n"                                                                             \
    COLUMNS_CHUNK("[r1, #(16 * chunk)]", "[r3, #(16 * chunk)]")                                    \
    ".set chunk, chunk + 1\n"                                                                      \
    ".endr\n"

#define COLUMNS_ANY_CHUNKS                                                                         \
    "ldrd r1, r3, [r11, #36]\n"                                                                    \
    "ldr r9, [r11, #52]\n"                                                                         \
    "3:\n"                                                                                         \
    COLUMNS_CHUNK("[r1], #16", "[r3], #16")                                                        \
    "subs r9, r9, #1\n"                                                                            \
    "bne 3b\n"

/*
 * Sums in q0, and in q1 those of another column, become what is narrowed and then finished, with
 * the constants at r7 and what LOAD loads: the scale, y0, y1, the end of the weights, the output.
 */
#define COLUMNS_LINE_LOAD                                                                          \
    "ldm r11, {r0, r2, r4, r6}\n"

#define COLUMNS_LINE_BOTH                                                                          \
    "vldrw.32 q2, [r7]\n"                                                                          \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vmla.s32 q2, q0, r0\n"                                                                        \
    "vldrw.32 q0, [r7], #16\n"                                                                     \
    "vmla.s32 q3, q1, r0\n"                                                                        \
    "vqrdmulh.s32 q2, q2, q0\n"                                                                    \
    "vqrdmulh.s32 q3, q3, q0\n"                                                                    \
    "vsri.32 q3, q2, #16\n"                                                                        \
    "vqmovnb.s16 q0, q3\n"

#define COLUMNS_LINE_ONE                                                                           \
    "vldrw.32 q2, [r7], #16\n"                                                                     \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vmla.s32 q2, q0, r0\n"                                                                        \
    "vqrdmulh.s32 q2, q2, q3\n"                                                                    \
    "vshr.s32 q0, q2, #16\n"                                                                       \
    "vqmovnb.s16 q0, q0\n"

#define COLUMNS_ROUND_LOAD                                                                         \
    "ldm r11, {r0, r2, r4, r6, r8}\n"

#define COLUMNS_ROUND_BOTH                                                                         \
    "vldrw.32 q2, [r7], #16\n"                                                                     \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vadd.i32 q1, q1, q2\n"                                                                        \
    "vqrdmulh.s32 q0, q0, q3\n"                                                                    \
    "vldrb.s32 q2, [r7], #4\n"                                                                     \
    "vqrdmulh.s32 q1, q1, q3\n"                                                                    \
    "vqdmlah.s32 q0, q0, r0\n"                                                                     \
    "vqdmlah.s32 q1, q1, r0\n"                                                                     \
    "vrshl.s32 q0, q0, q2\n"                                                                       \
    "vrshl.s32 q1, q1, q2\n"                                                                       \
    "vsli.32 q0, q1, #16\n"                                                                        \
    "vqadd.s16 q0, q0, r8\n"                                                                       \
    "vqmovnb.s16 q0, q0\n"

#define COLUMNS_ROUND_ONE                                                                          \
    "vldrw.32 q2, [r7], #16\n"                                                                     \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vqrdmulh.s32 q0, q0, q3\n"                                                                    \
    "vldrb.s32 q2, [r7], #4\n"                                                                     \
    "vqdmlah.s32 q0, q0, r0\n"                                                                     \
    "vrshl.s32 q0, q0, q2\n"                                                                       \
    "vqadd.s16 q0, q0, r8\n"                                                                       \
    "vqmovnb.s16 q0, q0\n"

#define COLUMNS_CLAMP_LOAD                                                                         \
    "ldm r11, {r0, r2, r4, r6, r8, r10, r12}\n"

#define COLUMNS_CLAMP_BOTH                                                                         \
    "vldrw.32 q2, [r7], #16\n"                                                                     \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vadd.i32 q1, q1, q2\n"                                                                        \
    "vqrdmulh.s32 q0, q0, q3\n"                                                                    \
    "vldrb.s32 q2, [r7], #4\n"                                                                     \
    "vqrdmulh.s32 q1, q1, q3\n"                                                                    \
    "vqdmlah.s32 q0, q0, r0\n"                                                                     \
    "vqdmlah.s32 q1, q1, r0\n"                                                                     \
    "vrshl.s32 q0, q0, q2\n"                                                                       \
    "vrshl.s32 q1, q1, q2\n"                                                                       \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    "vqmovnt.s32 q0, q1\n"                                                                         \
    "vqadd.s16 q0, q0, r8\n"                                                                       \
    "vdup.16 q2, r10\n"                                                                            \
    "vdup.16 q3, r12\n"                                                                            \
    "vmax.s16 q0, q0, q2\n"                                                                        \
    "vmin.s16 q0, q0, q3\n"

#define COLUMNS_CLAMP_ONE                                                                          \
    "vldrw.32 q2, [r7], #16\n"                                                                     \
    "vldrw.32 q3, [r7], #16\n"                                                                     \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vqrdmulh.s32 q0, q0, q3\n"                                                                    \
    "vldrb.s32 q2, [r7], #4\n"                                                                     \
    "vqdmlah.s32 q0, q0, r0\n"                                                                     \
    "vrshl.s32 q0, q0, q2\n"                                                                       \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    "vqadd.s16 q0, q0, r8\n"                                                                       \
    "vdup.16 q2, r10\n"                                                                            \
    "vdup.16 q3, r12\n"                                                                            \
    "vmax.s16 q0, q0, q2\n"                                                                        \
    "vmin.s16 q0, q0, q3\n"

/* Of a pair: the first chunk, and where the others, the weights and the constants are. */
#define COLUMNS_PAIR_BEGIN                                                                         \
    "ldrd r0, r2, [r11, #28]\n"                                                                    \
    "ldrd r5, r7, [r11, #44]\n"                                                                    \
    "vpstt\n"                                                                                      \
    "vldrbt.8 q6, [r0]\n"                                                                          \
    "vldrbt.8 q7, [r2]\n"                                                                          \
    "ldrd r1, r3, [r11, #36]\n"

/* The sums of four channels, to q0 and q1. */
#define COLUMNS_SUMS(chunks)                                                                       \
    COLUMNS_FIRST                                                                                  \
    chunks                                                                                         \
    "vmov q0[2], q0[0], r0, r8\n"                                                                  \
    "vmov q0[3], q0[1], r4, r12\n"                                                                 \
    "vmov q1[2], q1[0], r2, r10\n"                                                                 \
    "vmov q1[3], q1[1], r6, lr\n"

/* The next block, r6 being the end of the weights; then the next pair. */
#define COLUMNS_PAIR_END                                                                           \
    "strd r2, r4, [r11, #4]\n"                                                                     \
    "cmp r5, r6\n"                                                                                 \
    "blo 2b\n"                                                                                     \
    "bhi 5f\n"                                                                                     \
    "ldr r0, [r11, #72]\n"                                                                         \
    "cbz r0, 5f\n"                                                                                 \
    "sub r2, r2, r0\n"                                                                             \
    "sub r4, r4, r0\n"                                                                             \
    "strd r2, r4, [r11, #4]\n"                                                                     \
    "b 2b\n"                                                                                       \
    "5:\n"                                                                                         \
    "ldrd r6, r8, [r11, #60]\n"                                                                    \
    "ldrd r0, r10, [r11, #28]\n"                                                                   \
    "ldrd r1, r3, [r11, #36]\n"                                                                    \
    "add r2, r2, r8\n"                                                                             \
    "add r4, r4, r8\n"                                                                             \
    "strd r2, r4, [r11, #4]\n"                                                                     \
    "add r0, r0, r6\n"                                                                             \
    "add r10, r10, r6\n"                                                                           \
    "strd r0, r10, [r11, #28]\n"                                                                   \
    "add r1, r1, r6\n"                                                                             \
    "add r3, r3, r6\n"                                                                             \
    "strd r1, r3, [r11, #36]\n"                                                                    \
    "ldr r0, [r11, #56]\n"                                                                         \
    "subs r0, r0, #1\n"                                                                            \
    "str r0, [r11, #56]\n"                                                                         \
    "bne 1b\n"

/* All pairs with all blocks. */
#define COLUMNS_PAIRS(way, chunks)                                                                 \
    "ldr r0, [r11, #68]\n"                                                                         \
    "vctp.8 r0\n"                                                                                  \
    "1:\n"                                                                                         \
    COLUMNS_PAIR_BEGIN                                                                             \
    "2:\n"                                                                                         \
    COLUMNS_SUMS(chunks)                                                                           \
    COLUMNS_##way##_LOAD                                                                           \
    COLUMNS_##way##_BOTH                                                                           \
    "vstrb.32 q0, [r2], #4\n"                                                                      \
    "vshr.u32 q0, q0, #16\n"                                                                       \
    "vstrb.32 q0, [r4], #4\n"                                                                      \
    COLUMNS_PAIR_END

/* The column x0 with all blocks, to y0. Accumulators: r0, r2, r4, r6. */
#define COLUMNS_SINGLE(way)                                                                        \
    "ldr r0, [r11, #68]\n"                                                                         \
    "vctp.8 r0\n"                                                                                  \
    "ldr r0, [r11, #28]\n"                                                                         \
    "ldrd r5, r7, [r11, #44]\n"                                                                    \
    "ldr r9, [r11, #52]\n"                                                                         \
    "vpst\n"                                                                                       \
    "vldrbt.8 q6, [r0]\n"                                                                          \
    "1:\n"                                                                                         \
    "ldr r1, [r11, #36]\n"                                                                         \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladav.s8 r0, q6, q2\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r2, q6, q3\n"                                                                      \
    "vldrb.8 q2, [r5], #16\n"                                                                      \
    "vmladav.s8 r4, q6, q2\n"                                                                      \
    "vldrb.8 q3, [r5], #16\n"                                                                      \
    "vmladav.s8 r6, q6, q3\n"                                                                      \
    "wls lr, r9, 3f\n"                                                                             \
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
    COLUMNS_##way##_LOAD                                                                           \
    COLUMNS_##way##_ONE                                                                            \
    "vstrb.32 q0, [r2], #4\n"                                                                      \
    "str r2, [r11, #4]\n"                                                                          \
    "cmp r5, r6\n"                                                                                 \
    "blo 1b\n"                                                                                     \
    "bhi 5f\n"                                                                                     \
    "ldr r0, [r11, #72]\n"                                                                         \
    "cbz r0, 5f\n"                                                                                 \
    "sub r2, r2, r0\n"                                                                             \
    "str r2, [r11, #4]\n"                                                                          \
    "b 1b\n"                                                                                       \
    "5:\n"

/* clang-format on */

/* For pairs of columns of some chunks, 0 if more than one. */
#define COLUMNS_PAIRS_OF(chunks, sums)                                                             \
    SUMS_ASM(columns_state_t, columns_pairs_##chunks##_line, COLUMNS_PAIRS(LINE, sums), chunks)    \
    SUMS_ASM(columns_state_t, columns_pairs_##chunks##_round, COLUMNS_PAIRS(ROUND, sums), chunks)  \
    SUMS_ASM(columns_state_t, columns_pairs_##chunks##_clamp, COLUMNS_PAIRS(CLAMP, sums), chunks)

COLUMNS_PAIRS_OF(0, COLUMNS_ANY_CHUNKS)
COLUMNS_PAIRS_OF(1, COLUMNS_KNOWN_CHUNKS)
COLUMNS_PAIRS_OF(2, COLUMNS_KNOWN_CHUNKS)
COLUMNS_PAIRS_OF(3, COLUMNS_KNOWN_CHUNKS)
COLUMNS_PAIRS_OF(4, COLUMNS_KNOWN_CHUNKS)
COLUMNS_PAIRS_OF(5, COLUMNS_KNOWN_CHUNKS)
COLUMNS_PAIRS_OF(6, COLUMNS_KNOWN_CHUNKS)
COLUMNS_PAIRS_OF(7, COLUMNS_KNOWN_CHUNKS)
COLUMNS_PAIRS_OF(8, COLUMNS_KNOWN_CHUNKS)
COLUMNS_PAIRS_OF(9, COLUMNS_KNOWN_CHUNKS)

SUMS_ASM(columns_state_t, columns_single_line, COLUMNS_SINGLE(LINE), 0)
SUMS_ASM(columns_state_t, columns_single_round, COLUMNS_SINGLE(ROUND), 0)
SUMS_ASM(columns_state_t, columns_single_clamp, COLUMNS_SINGLE(CLAMP), 0)

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
        p->single(s);
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
    if (p->quads.quads != 0) {
        quads(&p->quads, count, x, x_step, y);
        return;
    }
    const int32_t whole = greater(p->channels / 4, 1);
    columns_state_t s = {
        .scale = p->scale,
        .end = p->weights + whole * p->chunks * 64,
        .output = p->output,
        .weights = p->weights,
        .constants = p->constants,
        .chunks = p->chunks - 1,
        .x_step = 2 * x_step,
        .y_step = p->channels,
        .first = p->depth - 16 * (p->chunks - 1),
        .back = p->blocks > whole ? 4 - p->channels % 4 : 0,
    };
    if (p->channels < 4) {
        columns_few(p, &s, count, x, x_step, y);
    } else {
        columns_blocks(p, &s, count, x, x_step, y, p->channels);
    }
}

#endif
