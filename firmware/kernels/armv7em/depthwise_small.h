/*
 * Depthwise convolution for ARMv7E-M over planes of few pixels, in place or not.
 *
 * Where a plane is small, most windows reach over its border, and to prepare lines for one channel
 * would take longer than to compute it. So four channels go together, cell by cell of a window,
 * and cells in the padding are left out. Which ones these are was listed before the build.
 *
 * All cells of four channels are copied to scratch first, less the input's zero point: as pairs of
 * words, channels 0 and 2 and channels 1 and 3. Weights likewise, in the upper bytes.
 */
#ifndef BENCH_KERNELS_ARMV7EM_DEPTHWISE_SMALL_H
#define BENCH_KERNELS_ARMV7EM_DEPTHWISE_SMALL_H

#include "armv7em/depthwise.h"

/* harness/kernels/armv7em/depthwise_small.py knows these, too. */
#define SMALL_TASK_WORDS 18
#define SMALL_TAPS 7

struct depthwise_small;
struct small_task;

/* Makes one channel of all outputs, k-th of its four, with the rounding of the reference. */
typedef void depthwise_small_exactly_t(const struct depthwise_small *p,
                                       const struct small_task *task, int32_t k,
                                       const int32_t *exact, int8_t *y);

/* Makes four channels of all outputs. */
typedef void depthwise_small_core_t(struct small_task *task, const int32_t *windows);

typedef struct depthwise_small {
    int32_t channels;
    int32_t cells;          /* of a plane */
    int32_t outputs;        /* likewise */
    int32_t taps;           /* of a kernel */
    int32_t x_row, w_row;   /* bytes in scratch from a kernel row to the next: cells, weights */
    int32_t zero_point;     /* of the input */
    const int32_t *windows; /* [outputs, 4]: a small_window_t each */
    const int8_t *weights;  /* [taps, C] */
    const int32_t *table;   /* [C, 2], as channels of depthwise_short_t, but with the whole bias */
    const int32_t *exact;   /* likewise */
    depthwise_small_exactly_t *exactly; /* NULL, and not linked, where no channel needs it */
    int32_t addend;
    const uint8_t *shifts; /* likewise */
    depthwise_small_core_t *core;
    output_t output;
} depthwise_small_t;

/* The part of a window that lies on the plane; places in scratch are less `unused` pairs. */
typedef struct {
    int32_t x, w;   /* bytes from the task to the first cell and its weights */
    int32_t rows;   /* kernel rows */
    int32_t unused; /* how many columns of SMALL_TAPS are not, in bytes of code: 24 each */
} small_window_t;

/* What the core works with, at the begin of scratch; it knows the offsets. */
typedef struct small_task {
    int32_t bias[DEPTHWISE_GROUP];
    int32_t multiplier[DEPTHWISE_GROUP];
    int32_t addend[DEPTHWISE_GROUP]; /* all alike; or shifts, less one */
    int32_t x_row, w_row;
    int8_t *y;
    int32_t pixel_bytes;
    const int32_t *end; /* of the windows */
    int32_t point;      /* if channels are rounded */
} small_task_t;

_Static_assert(sizeof(small_task_t) == SMALL_TASK_WORDS * 4 || sizeof(void *) != 4, "as listed");

/* clang-format off */

/* One column of a kernel row: 24 bytes of code. */
#define SMALL_TAP(at)                                                                              \
    "ldrd r4, r5, [r8, #" at "]\n"                                                                 \
    "ldrd r6, r7, [r9, #" at "]\n"                                                                 \
    "smlabb r0, r4, r6, r0\n"                                                                      \
    "smlabb r1, r5, r7, r1\n"                                                                      \
    "smlatt r2, r4, r6, r2\n"                                                                      \
    "smlatt r3, r5, r7, r3\n"

#define SMALL_LINE(sum, multiplier, addend)                                                        \
    "smmlar " sum ", " sum ", " multiplier ", " addend "\n"                                        \
    "ssat " sum ", #8, " sum ", asr %[shift]\n"

/* As the reference rounds (depthwise_lines.h); lr: the point. */
#define SMALL_ROUND(sum, multiplier, shift)                                                        \
    "asr " sum ", " sum ", #7\n"                                                                   \
    "lsl r12, lr, " shift "\n"                                                                     \
    "smmlar r12, " sum ", " multiplier ", r12\n"                                                   \
    "add r12, r12, " sum ", asr #31\n"                                                             \
    "asr r12, r12, " shift "\n"                                                                    \
    "ssat " sum ", #8, r12, asr #1\n"

#define SMALL_LINE_BEGIN
#define SMALL_LINE_END
#define SMALL_ROUND_BEGIN "str lr, [sp, #4]\nldr lr, [r12, #68]\n"
#define SMALL_ROUND_END "ldrd r12, lr, [sp]\n"

/*
 * Four channels of all outputs, window by window.
 *
 *     r0-r3 sums   r4-r7 cells, weights   r8, r9 their places   r10 rows   r11 unused code
 *     r12 task     lr windows
 */
#define SMALL_CORE(name, way)                                                                      \
    static __attribute__((naked, noipa, unused)) void                                              \
    name(small_task_t *task __attribute__((unused)),                                               \
         const int32_t *windows __attribute__((unused)))                                           \
    {                                                                                              \
        __asm__ volatile(                                                                          \
            "push {r4-r11, lr}\n"                                                                  \
            "push {r0, r1}\n"                                                                      \
            "mov r12, r0\n"                                                                        \
            "mov lr, r1\n"                                                                         \
            "1: ldm lr!, {r8, r9, r10, r11}\n" /* a window */                                      \
            "ldm r12, {r0-r3}\n"                                                                   \
            "add r8, r8, r12\n"                                                                    \
            "add r9, r9, r12\n"                                                                    \
            "2: add pc, r11\n" /* a kernel row: to the first of its taps */                        \
            "nop.n\n"                                                                              \
            SMALL_TAP("0") SMALL_TAP("8") SMALL_TAP("16") SMALL_TAP("24")                          \
            SMALL_TAP("32") SMALL_TAP("40") SMALL_TAP("48")                                        \
            "ldrd r4, r5, [r12, #48]\n"                                                            \
            "subs r10, r10, #1\n"                                                                  \
            "add r8, r8, r4\n"                                                                     \
            "add r9, r9, r5\n"                                                                     \
            "bne 2b\n"                                                                             \
            "add r4, r12, #16\n"                                                                   \
            "ldm r4, {r4-r11}\n"                                                                   \
            way##_BEGIN                                                                            \
            way("r0", "r4", "r8") way("r1", "r5", "r9")                                            \
            way("r2", "r6", "r10") way("r3", "r7", "r11")                                          \
            way##_END                                                                              \
            "ldrd r4, r5, [r12, #56]\n"                                                            \
            "ldr r6, [r12, #64]\n"                                                                 \
            "strb r0, [r4]\n"                                                                      \
            "strb r1, [r4, #1]\n"                                                                  \
            "strb r2, [r4, #2]\n"                                                                  \
            "strb r3, [r4, #3]\n"                                                                  \
            "add r4, r4, r5\n"                                                                     \
            "str r4, [r12, #56]\n"                                                                 \
            "cmp lr, r6\n"                                                                         \
            "bne 1b\n"                                                                             \
            "add sp, sp, #8\n"                                                                     \
            "pop {r4-r11, pc}\n"                                                                   \
            :                                                                                      \
            : [shift] "i"(DEPTHWISE_SHIFT));                                                       \
    }

SMALL_CORE(depthwise_small_line, SMALL_LINE)
SMALL_CORE(depthwise_small_round, SMALL_ROUND)

/* clang-format on */

SELDOM void depthwise_small_exactly(const depthwise_small_t *p, const small_task_t *task, int32_t k,
                                    const int32_t *exact, int8_t *y)
{
    const int8_t *base = (const int8_t *)task;
    const int32_t half = (k & 1) * 4 + (k & 2);
    for (int32_t i = 0; i < p->outputs; i++, y += p->channels) {
        const small_window_t *w = (const small_window_t *)(const void *)(p->windows + 4 * i);
        int32_t sum = 0;
        for (int32_t row = 0; row < w->rows; row++) {
            for (int32_t tap = w->unused / 24; tap < SMALL_TAPS; tap++) {
                int16_t cell, weight;
                __builtin_memcpy(&cell, base + w->x + row * p->x_row + tap * 8 + half, 2);
                __builtin_memcpy(&weight, base + w->w + row * p->w_row + tap * 8 + half, 2);
                sum += cell * weight;
            }
        }
        sum = (sum >> DEPTHWISE_SCALE) + exact[0];
        *y = quantized(rescale(sum, exact[1], exact[2]), &p->output);
    }
}

/* Copies four channels of all outputs to scratch. */
KERNEL void depthwise_small_save(const depthwise_small_t *p, const int8_t *y, word_t *saved)
{
#pragma GCC unroll 1
    for (int32_t i = 0; i < p->outputs; i++, y += p->channels) {
        __builtin_memcpy(saved + i, y, sizeof *saved);
    }
}

/* Takes the first `count` of four channels back from there. */
KERNEL void depthwise_small_restore(const depthwise_small_t *p, const word_t *saved, int32_t count,
                                    int8_t *y)
{
    const uint32_t first = (1u << 8 * count) - 1;
#pragma GCC unroll 1
    for (int32_t i = 0; i < p->outputs; i++, y += p->channels) {
        uint32_t word;
        __builtin_memcpy(&word, y, sizeof word);
        word = (word & ~first) | ((uint32_t)saved[i] & first);
        __builtin_memcpy(y, &word, sizeof word);
    }
}

/* Four channels of a cell, less the zero point, whose negative `offset` has in both halfwords. */
KERNEL void depthwise_small_cell(const int8_t *x, uint32_t offset, word_t *to)
{
    uint32_t cell, even, odd;
    __builtin_memcpy(&cell, x, sizeof cell);
    __asm__("sxtab16 %0, %2, %3\n"
            "sxtab16 %1, %2, %3, ror #8\n"
            : "=&r"(even), "=r"(odd)
            : "r"(offset), "r"(cell));
    to[0] = (int32_t)even;
    to[1] = (int32_t)odd;
}

KERNEL uint32_t depthwise_small_offset(const depthwise_small_t *p)
{
    return (uint32_t)(-p->zero_point & 0xffff) * 0x10001u;
}

/* Prepares what is the same for all channels. */
KERNEL small_task_t *depthwise_small_task(const depthwise_small_t *p, int8_t *scratch)
{
    small_task_t *task = (small_task_t *)(void *)scratch;
    task->x_row = p->x_row;
    task->w_row = p->w_row;
    task->pixel_bytes = p->channels;
    task->end = p->windows + 4 * p->outputs;
    task->point = p->addend;
#pragma GCC unroll 1
    for (int32_t k = 0; k < DEPTHWISE_GROUP; k++) {
        task->addend[k] = p->addend;
    }
    return task;
}

/* Four channels from `base` on, whose cells are in place; the first `done` of them were made. */
KERNEL void depthwise_small_four(const depthwise_small_t *p, small_task_t *task, int32_t base,
                                 int32_t done, int8_t *y)
{
    word_t *const weights = (word_t *)(void *)(task + 1) + 2 * p->cells;
    word_t *const end = weights + 2 * p->taps, *const saved = end;
    const int8_t *from = p->weights + base;
#pragma GCC unroll 2
    for (word_t *to = weights; to < end; to += 2, from += p->channels) {
        uint32_t weight;
        __builtin_memcpy(&weight, from, sizeof weight);
        to[0] = (int32_t)(weight << 8 & 0xff00ff00u);
        to[1] = (int32_t)(weight & 0xff00ff00u);
    }

    const int32_t *channel = p->table + 2 * base;
#pragma GCC unroll 4
    for (int32_t k = 0; k < DEPTHWISE_GROUP; k++) {
        task->bias[k] = channel[2 * k];
        task->multiplier[k] = channel[2 * k + 1];
    }
    if (p->shifts != NULL) {
#pragma GCC unroll 1
        for (int32_t k = 0; k < DEPTHWISE_GROUP; k++) {
            task->addend[k] = p->shifts[base + k];
        }
    }
    task->y = y + base;
    if (done > 0) {
        depthwise_small_save(p, y + base, saved);
    }
    p->core(task, p->windows);
    if (done > 0) {
        depthwise_small_restore(p, saved, done, y + base);
    }
#pragma GCC unroll 1
    for (int32_t k = done; k < DEPTHWISE_GROUP; k++) {
        if (channel[2 * k + 1] == DEPTHWISE_EXACT) {
            p->exactly(p, task, k, p->exact + 3 * channel[2 * k], y + base + k);
        }
    }
}

/*
 * The whole op: x [cells, C] to y [outputs, C], which may be x. If C is no multiple of four, the
 * last four channels overlap those before, whose outputs are then put back.
 */
SHARED void depthwise_small(const depthwise_small_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    small_task_t *const task = depthwise_small_task(p, scratch);
    word_t *const cells = (word_t *)(void *)(task + 1);
    const uint32_t offset = depthwise_small_offset(p);

    for (int32_t c = 0; c < p->channels; c += DEPTHWISE_GROUP) {
        const int32_t base = lesser(c, p->channels - DEPTHWISE_GROUP);
        const int8_t *from = x + base;
#pragma GCC unroll 2
        for (word_t *to = cells; to < cells + 2 * p->cells; to += 2, from += p->channels) {
            depthwise_small_cell(from, offset, to);
        }
        depthwise_small_four(p, task, base, c - base, y);
    }
}

#define SMALL_ROWS 16

/* A tensor one pixel wide: `op` is of the window of one output, whose cells lie below each other.
 */
typedef struct {
    depthwise_small_t op;
    int32_t height;
    int32_t stride, dilation, top; /* down, and rows of padding above */
} depthwise_small_row_t;

/* The one pixel of an output row. */
SHARED void depthwise_small_row(const depthwise_small_row_t *p, rows_t x, int32_t row,
                                span_t columns, int8_t *y, int8_t *scratch)
{
    const depthwise_small_t *const op = &p->op;
    small_task_t *const task = depthwise_small_task(op, scratch);
    word_t *const cells = (word_t *)(void *)(task + 1);
    const uint32_t offset = depthwise_small_offset(op);
    const int8_t *pixels[SMALL_ROWS]; /* at most so many cells; NULL in the padding */

#pragma GCC unroll 1
    for (int32_t k = 0, at = row * p->stride - p->top; k < op->cells; k++, at += p->dilation) {
        pixels[k] = at >= 0 && at < p->height ? pixel_at(&x, at, columns.first) : NULL;
    }
    for (int32_t c = 0; c < op->channels; c += DEPTHWISE_GROUP) {
        const int32_t base = lesser(c, op->channels - DEPTHWISE_GROUP);
        word_t *to = cells;
#pragma GCC unroll 1
        for (int32_t k = 0; k < op->cells; k++, to += 2) {
            if (pixels[k] != NULL) {
                depthwise_small_cell(pixels[k] + base, offset, to);
            } else {
                to[0] = to[1] = 0;
            }
        }
        depthwise_small_four(op, task, base, c - base, y);
    }
}

#endif
