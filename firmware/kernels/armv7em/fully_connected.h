/*
 * Fully connected op on cores with the DSP extension: a row of x times weights, four channels at a
 * time. Every weight is used once, so weights decide: what is said of them in block.h holds here,
 * and a word of x, expanded to 16 bits, meets those of two pairs of channels.
 *
 * Where there are many channels, x is expanded to scratch before. A long x is expanded piece by
 * piece, and scratch keeps the sums in between. Few channels expand x as they go: that takes two
 * instructions more for each four values and channels, and no scratch.
 */
#ifndef BENCH_KERNELS_ARMV7EM_FULLY_CONNECTED_H
#define BENCH_KERNELS_ARMV7EM_FULLY_CONNECTED_H

#include "armv7em/block.h"
#include "armv7em/expand.h"

/* All channels of `p`, four by four, to y. The sums may go on from what earlier pieces left. */
typedef void quads_fn_t(const dot_t *p, const void *x, int8_t *y, const int32_t *sums);

typedef struct {
    quads_fn_t *quads; /* 0: rounded in C */
    int32_t first;
    int32_t count; /* channels, the last of which may be no whole four */
    dot_t dot;
} quads_t;

/* All pieces of a long x but the last. */
typedef struct {
    quads_fn_t *add;
    int32_t count;
    int32_t values;        /* of a piece, whole rounds of the loop */
    int32_t words;         /* of its weights */
    const int32_t *starts; /* where sums begin, of whole fours */
    dot_t dot; /* of the first piece, whose outputs are the sums; the others' weights follow */
} pieces_t;

struct dsp_fully_connected;
typedef void quads_exactly_fn_t(const struct dsp_fully_connected *p, const quads_t *part,
                                const void *x, int8_t *y, const int32_t *sums);

typedef struct dsp_fully_connected {
    int32_t batch;
    int32_t in, out;
    int32_t count;
    const quads_t *parts;
    quads_exactly_fn_t *exactly; /* as in block.h */
    quads_fn_t *sums;
    const channels_t *exact;
    const pieces_t *pieces; /* 0: x is one piece */
} dsp_fully_connected_t;

/* r0: x, of which four values go to r6 and r12: words, or bytes, which need not be aligned. */
#define QUAD_LOAD_words "ldrd    r6, r12, [r0], #8          \n"
#define QUAD_LOAD_BYTES_words "4"
#define QUAD_LOAD_bytes                                                                            \
    "ldr     r12, [r0], #4              \n"                                                        \
    "sxtb16  r6, r12                    \n"                                                        \
    "sxtb16  r12, r12, ror #8           \n"
#define QUAD_LOAD_BYTES_bytes "12"

/* r7-r10: sums of a, 256 * b + a, c, 256 * d + c. */
#define QUAD_UNIT_packed "ldmia.n r1!, {r2, r3, r4, r5}      \n" QUAD_PRODUCTS
#define QUAD_PRODUCTS                                                                              \
    "smlad   r8, r6, r2, r8             \n"                                                        \
    "smlad   r10, r6, r3, r10           \n"                                                        \
    "sxtb16  r2, r2                     \n"                                                        \
    "sxtb16  r3, r3                     \n"                                                        \
    "smlad   r7, r6, r2, r7             \n"                                                        \
    "smlad   r9, r6, r3, r9             \n"                                                        \
    "smlad   r8, r12, r4, r8            \n"                                                        \
    "smlad   r10, r12, r5, r10          \n"                                                        \
    "sxtb16  r4, r4                     \n"                                                        \
    "sxtb16  r5, r5                     \n"                                                        \
    "smlad   r7, r12, r4, r7            \n"                                                        \
    "smlad   r9, r12, r5, r9            \n"
#define QUAD_UNIT_BYTES_packed "50"
#define QUAD_SEPARATE                                                                              \
    "sub     r8, r8, r7                 \n"                                                        \
    "sub     r10, r10, r9               \n"

/* Adds the products of a word of two channels. */
#define APART(WEIGHTS, X, SUM_A, SUM_B)                                                            \
    "sxtb16  r11, " WEIGHTS "           \n"                                                        \
    "sxtb16  " WEIGHTS ", " WEIGHTS ", ror #8 \n"                                                  \
    "smlad   " SUM_A ", " X ", r11, " SUM_A "\n"                                                   \
    "smlad   " SUM_B ", " X ", " WEIGHTS ", " SUM_B "\n"
#define QUAD_UNIT_plain                                                                            \
    "ldmia.n r1!, {r2, r3, r4, r5}      \n" APART("r2", "r6", "r7", "r8")                          \
        APART("r3", "r6", "r9", "r10") APART("r4", "r12", "r7", "r8")                              \
            APART("r5", "r12", "r9", "r10")
#define QUAD_UNIT_BYTES_plain "66"

#define QUAD_UNIT(WEIGHTS, X) QUAD_LOAD_##X QUAD_UNIT_##WEIGHTS
#define QUAD_UNIT_BYTES(WEIGHTS, X) QUAD_UNIT_BYTES_##WEIGHTS " + " QUAD_LOAD_BYTES_##X

/* Where the four sums begin: in the stream, at [sp, #32], or at y. */
#define QUAD_BEGIN_stream "ldmia.w r1!, {r7-r10}              \n"
#define QUAD_BEGIN_sums                                                                            \
    "ldr     r2, [sp, #32]              \n"                                                        \
    "ldmia.w r2!, {r7-r10}              \n"                                                        \
    "str     r2, [sp, #32]              \n"
#define QUAD_BEGIN_y                                                                               \
    "ldr     r2, [sp, #12]              \n"                                                        \
    "ldm     r2, {r7-r10}               \n"

/* As in block.h, of one pixel. */
#define QUAD_LINE(SHIFT_A, SHIFT_B, NUMBERS, ADDEND_B)                                             \
    "ldmia.n r1!, " NUMBERS "           \n"                                                        \
    "smmlar  r7, r7, r2, r3             \n"                                                        \
    "smmlar  r8, r8, r4, " ADDEND_B "   \n"                                                        \
    "ldmia.n r1!, " NUMBERS "           \n"                                                        \
    "smmlar  r9, r9, r2, r3             \n"                                                        \
    "smmlar  r10, r10, r4, " ADDEND_B " \n"                                                        \
    "ssat    r7, #8, r7, asr #" SHIFT_A "\n"                                                       \
    "ssat    r8, #8, r8, asr #" SHIFT_B "\n"                                                       \
    "ssat    r9, #8, r9, asr #" SHIFT_A "\n"                                                       \
    "ssat    r10, #8, r10, asr #" SHIFT_B "\n"
#define QUAD_LINE_packed(SHIFT) QUAD_SEPARATE QUAD_LINE(SHIFT, SHIFT " + 7", "{r2, r3, r4}", "r3")
#define QUAD_LINE_plain(SHIFT) QUAD_LINE(SHIFT, SHIFT, "{r2, r3, r4, r5}", "r5")
#define QUAD_ROUND_PAIR(A, B, TWICE_B)                                                             \
    ROUND_FIRST("[sp, #20]") ROUNDED(A, TWICE, "r2") ROUND_SECOND ROUNDED(B, TWICE_B, "r3")
#define QUAD_ROUND_packed                                                                          \
    QUAD_SEPARATE QUAD_ROUND_PAIR("r7", "r8", TWICE_OF_256)                                        \
        QUAD_ROUND_PAIR("r9", "r10", TWICE_OF_256)
#define QUAD_ROUND_plain QUAD_ROUND_PAIR("r7", "r8", TWICE) QUAD_ROUND_PAIR("r9", "r10", TWICE)

#define QUAD_KEEP_int8
#define QUAD_KEEP_clamp "str     r9, [sp, #28]              \n"
#define QUAD_CLAMP_int8
#define QUAD_CLAMP_clamp                                                                           \
    "ldrd    r2, r3, [sp, #24]          \n"                                                        \
    "qsub8   r7, r7, r2                 \n"                                                        \
    "sadd8   r7, r7, r3                 \n"
#define QUAD_STORE(CLAMP)                                                                          \
    "bfi     r7, r8, #8, #8             \n"                                                        \
    "bfi     r7, r9, #16, #8            \n"                                                        \
    "bfi     r7, r10, #24, #8           \n" QUAD_CLAMP_##CLAMP                                     \
        "ldrd    r4, r5, [sp, #12]          \n"                                                    \
        "str     r7, [r4], #4               \n"

/* The four sums to y, or r7-r10 as they are. */
#define QUAD_SUMS_packed                                                                           \
    QUAD_SEPARATE                                                                                  \
    "asr     r8, r8, #8                 \n"                                                        \
    "asr     r10, r10, #8               \n" QUAD_STORE_SUMS
#define QUAD_SUMS_plain QUAD_STORE_SUMS
#define QUAD_STORE_SUMS                                                                            \
    "ldrd    r4, r5, [sp, #12]          \n"                                                        \
    "stmia   r4!, {r7-r10}              \n"

/* On the stack: [0] x, [4] where the first round begins, [8] rounds, [12] y, [16] its end,
 * [20] the point, [24] the clamp, [32] sums. */
#define QUADS(NAME, X, BEGIN, WEIGHTS, CLAMP, FINISH)                                              \
    NAKED void NAME(UNUSED const dot_t *p, UNUSED const void *x, UNUSED int8_t *y,                 \
                    UNUSED const int32_t *sums)                                                    \
    {                                                                                              \
        __asm volatile(                                                                            \
            "push    {r4-r11, lr}               \n"                                                \
            "sub     sp, sp, #36                \n"                                                \
            "str     r3, [sp, #32]              \n"                                                \
            "ldm     r0, {r3-r9}                \n"                                                \
            "strd    r7, r8, [sp, #20]          \n" QUAD_KEEP_##CLAMP                              \
            "add     r6, r2, r6                 \n"                                                \
            "strd    r2, r6, [sp, #12]          \n"                                                \
            "adr.w   r7, 2f                     \n"                                                \
            "mov     r8, #" QUAD_UNIT_BYTES(                                                       \
                WEIGHTS, X) "\n"                                                                   \
                            "mla     r4, r4, r8, r7             \n"                                \
                            "orr     r4, r4, #1                 \n"                                \
                            "stm     sp, {r1, r4, r5}           \n"                                \
                            "mov     r1, r3                     \n"                                \
                            "1:                                 \n" /* four channels */            \
            QUAD_BEGIN_##BEGIN                                                                     \
            "ldm     sp, {r0, r3, lr}           \n"                                                \
            "bx      r3                         \n"                                                \
            ".balign 4                          \n"                                                \
            "2:                                 \n"                                                \
            ".rept   8                          \n" QUAD_UNIT(                                     \
                WEIGHTS, X) ".endr                              \n"                                \
                            "3:                                 \n"                                \
                            ".if     3b - 2b - 8 * (" QUAD_UNIT_BYTES(                             \
                                WEIGHTS, X) ")\n"                                                  \
                                            ".error  \"a unit has another length\"\n"              \
                                            ".endif                             \n"                \
                                            "subs    lr, lr, #1                 \n"                \
                                            "bne.w   2b                         \n" FINISH         \
                                            "str     r4, [sp, #12]              \n"                \
                                            "cmp     r4, r5                     \n"                \
                                            "bne.w   1b                         \n"                \
                                            "add     sp, sp, #36                \n"                \
                                            "pop     {r4-r11, pc}               \n");              \
    }

QUADS(quads_packed_add, words, y, packed, int8, QUAD_STORE_SUMS)
QUADS(quads_plain_add, words, y, plain, int8, QUAD_STORE_SUMS)

/* Of an x that is one piece, of the last of several, and of x as it is. */
#define QUADS_FORMS(NAME, WEIGHTS, CLAMP, FINISH)                                                  \
    QUADS(quads_##NAME, words, stream, WEIGHTS, CLAMP, FINISH)                                     \
    QUADS(quads_on_##NAME, words, sums, WEIGHTS, CLAMP, FINISH)                                    \
    QUADS(quads_bytes_##NAME, bytes, stream, WEIGHTS, CLAMP, FINISH)
#define QUADS_ROUNDED(WEIGHTS, WAY, SHIFT, ROUNDED)                                                \
    QUADS_FORMS(WEIGHTS##_##WAY##_int8##SHIFT, WEIGHTS, int8, ROUNDED QUAD_STORE(int8))            \
    QUADS_FORMS(WEIGHTS##_##WAY##_clamp##SHIFT, WEIGHTS, clamp, ROUNDED QUAD_STORE(clamp))
QUADS_FORMS(packed_sums, packed, int8, QUAD_SUMS_packed)
QUADS_FORMS(plain_sums, plain, int8, QUAD_SUMS_plain)
QUADS_ROUNDED(packed, round, , QUAD_ROUND_packed)
QUADS_ROUNDED(plain, round, , QUAD_ROUND_plain)

#define QUADS_OF(SHIFT)                                                                            \
    QUADS_ROUNDED(packed, line, _##SHIFT, QUAD_LINE_packed(#SHIFT))                                \
    QUADS_ROUNDED(plain, line, _##SHIFT, QUAD_LINE_plain(#SHIFT))

QUADS_OF(1)
QUADS_OF(2)
QUADS_OF(3)
QUADS_OF(4)
QUADS_OF(5)
QUADS_OF(6)
QUADS_OF(7)
QUADS_OF(8)
QUADS_OF(9)
QUADS_OF(10)
QUADS_OF(11)
QUADS_OF(12)
QUADS_OF(13)
QUADS_OF(14)
QUADS_OF(15)

/* Channels of which neither form is exact. */
SELDOM void make_quads_exactly(const dsp_fully_connected_t *p, const quads_t *part, const void *x,
                               int8_t *y, const int32_t *sums)
{
    const int32_t units = 8 * part->dot.loops - part->dot.skip, begin = sums == 0 ? 4 : 0;
    dot_t quad = part->dot;
    int32_t made[4];

    quad.channels = sizeof made;
    for (int32_t c = 0; c < part->count; c += 4, quad.stream += begin + 4 * units) {
        p->sums(&quad, x, (void *)made, sums == 0 ? 0 : sums + c);
        for (int32_t i = 0; i < 4 && c + i < part->count; i++) {
            y[c + i] = requantize(p->exact, made[i], part->first + c + i);
        }
    }
}

/* All channels of a row, or of the last piece of one after the `sums` of those before. */
SHARED void make_quads(const dsp_fully_connected_t *p, const void *x, int8_t *y,
                       const int32_t *sums)
{
    for (int32_t i = 0; i < p->count; i++) {
        const quads_t *part = &p->parts[i];
        const int32_t *const from = sums == 0 ? 0 : sums + part->first;
        int8_t *const at = y + part->first;
        if (part->quads == 0) {
            p->exactly(p, part, x, at, from);
        } else if (part->count % 4 == 0) {
            part->quads(&part->dot, x, at, from);
        } else {
            int8_t four[4] __attribute__((aligned(4)));
            part->quads(&part->dot, x, four, from);
            __builtin_memcpy(at, four, (uint32_t)part->count);
        }
    }
}

SHARED void expand_values(int32_t *to, const int8_t *x, int32_t count)
{
#pragma GCC unroll 4
    for (int32_t i = 0; i < count; i += 4, x += 4, to += 2) {
        const int32_t four = load_word(x);
        to[0] = even_values(four);
        to[1] = odd_values(four);
    }
}

/* A row. All of x is read before y is written, so y may be x. */
SHARED void dsp_fully_connected_whole(const dsp_fully_connected_t *p, const int8_t *x, int8_t *y,
                                      int8_t *scratch)
{
    expand_values((void *)scratch, x, p->in);
    make_quads(p, scratch, y, 0);
}

/* A long row, likewise. Scratch has the sums of whole fours, then a piece of x. */
SHARED void dsp_fully_connected_long(const dsp_fully_connected_t *p, const int8_t *x, int8_t *y,
                                     int8_t *scratch)
{
    const pieces_t *pieces = p->pieces;
    int32_t *const sums = (void *)scratch, *const values = (void *)(scratch + pieces->dot.channels);
    dot_t dot = pieces->dot;

    __builtin_memcpy(sums, pieces->starts, (uint32_t)dot.channels);
    for (int32_t i = 0; i < pieces->count; i++, x += pieces->values, dot.stream += pieces->words) {
        expand_values(values, x, pieces->values);
        pieces->add(&dot, values, (void *)sums, 0);
    }
    expand_values(values, x, p->in - pieces->count * pieces->values);
    make_quads(p, values, y, sums);
}

KERNEL void dsp_fully_connected_one(const dsp_fully_connected_t *p, const int8_t *x, int8_t *y,
                                    int8_t *scratch)
{
    if (p->pieces == 0) {
        dsp_fully_connected_whole(p, x, y, scratch);
    } else {
        dsp_fully_connected_long(p, x, y, scratch);
    }
}

KERNEL void dsp_fully_connected(const dsp_fully_connected_t *p, const int8_t *x, int8_t *y,
                                int8_t *scratch)
{
    for (int32_t row = 0; row < p->batch; row++, x += p->in, y += p->out) {
        dsp_fully_connected_one(p, x, y, scratch);
    }
}

KERNEL void dsp_fully_connected_inplace(const dsp_fully_connected_t *p, int8_t *y, int8_t *scratch)
{
    dsp_fully_connected_one(p, y, y, scratch);
}

/* The one pixel of a tensor that has no more. */
KERNEL void dsp_fully_connected_row(const dsp_fully_connected_t *p, rows_t x, int32_t row,
                                    span_t columns, int8_t *y, int8_t *scratch)
{
    dsp_fully_connected_one(p, pixel_at(&x, row, columns.first), y, scratch);
}

/* The same without scratch, of x as it is: input and output must not overlap. */
KERNEL void dsp_fully_connected_bytes(const dsp_fully_connected_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->batch; row++, x += p->in, y += p->out) {
        make_quads(p, x, y, 0);
    }
}

KERNEL void dsp_fully_connected_bytes_row(const dsp_fully_connected_t *p, rows_t x, int32_t row,
                                          span_t columns, int8_t *y)
{
    make_quads(p, pixel_at(&x, row, columns.first), y, 0);
}

/* A convolution whose output rows are one pixel: a fully connected op on the cells of a window. */
typedef struct {
    shape_t x;
    window_t window;
    int32_t padding;     /* what a padded cell holds: the input's zero point */
    int32_t cells_bytes; /* of scratch, which begins with the window's cells */
    dsp_fully_connected_t dense;
} dsp_window_t;

SHARED void gather_cells(const dsp_window_t *p, const rows_t *x, int32_t row, int8_t *to)
{
    const window_t *w = &p->window;
    const int32_t c = p->x.c;
    int32_t top = row * w->stride.h - w->pad.h;

#pragma GCC unroll 1
    for (int32_t k = 0; k < w->kernel.h; k++, top += w->dilation.h) {
        const bool is_row = top >= 0 && top < p->x.h;
        const int8_t *const line = is_row ? row_at(x, top) - x->first * c : 0;
        int32_t column = -w->pad.w;
#pragma GCC unroll 1
        for (int32_t i = 0; i < w->kernel.w; i++, column += w->dilation.w, to += c) {
            if (is_row && column >= 0 && column < p->x.w) {
                __builtin_memcpy(to, line + column * c, (uint32_t)c);
            } else {
                __builtin_memset(to, p->padding, (uint32_t)c);
            }
        }
    }
}

KERNEL void dsp_window_row(const dsp_window_t *p, rows_t x, int32_t row,
                           __attribute__((unused)) span_t columns, int8_t *y, int8_t *scratch)
{
    gather_cells(p, &x, row, scratch);
    dsp_fully_connected_one(&p->dense, scratch, y, scratch + p->cells_bytes);
}

KERNEL void dsp_window_bytes_row(const dsp_window_t *p, rows_t x, int32_t row,
                                 __attribute__((unused)) span_t columns, int8_t *y, int8_t *scratch)
{
    gather_cells(p, &x, row, scratch);
    make_quads(&p->dense, scratch, y, 0);
}

#endif
