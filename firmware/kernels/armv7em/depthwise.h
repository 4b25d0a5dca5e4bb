/*
 * Depthwise convolution for ARMv7E-M, in place or not, and by rows.
 *
 * Four channels are a word of NHWC, so they go together: pairs of their input rows are expanded
 * into scratch, and depthwise_lines.h computes the outputs from there, channel by channel. As
 * everything that a band of output rows needs has left the input before the first of them is
 * written, the output may lie over the input.
 *
 * With stride 1 a pair of rows serves two output rows: for the even ones the kernel begins in the
 * upper row of a pair, for the odd ones in the lower, and so do their weights:
 *
 *     kernel rows     0 1 2         lines of even rows   (0,1) (2,-)
 *                                   lines of odd rows    (-,0) (1,2)
 *
 * The input's zero point is folded into the bias, and padded cells hold it.
 */
#ifndef BENCH_KERNELS_ARMV7EM_DEPTHWISE_H
#define BENCH_KERNELS_ARMV7EM_DEPTHWISE_H

#include "armv7em/depthwise_lines.h"
#include "window.h"

#include <stddef.h>

#define DEPTHWISE_GROUP 4

/* What the channel table says of a channel that has no short form. */
#define DEPTHWISE_EXACT INT32_MIN

/* A word of the arena, which is declared as bytes. */
typedef int32_t __attribute__((may_alias)) word_t;

typedef struct {
    int32_t bias, multiplier, shift;
} depthwise_exact_t;

/* Weights of a channel: taps of two rows, at least one, then those of the last row of an odd
   number; if there are any, those before are even in number. */
typedef struct {
    int32_t of_two, of_one;
} depthwise_taps_t;

struct depthwise_short;
struct depthwise_work;

/* Does what a core does, for any kernel, and with the rounding of the reference. */
typedef void depthwise_exactly_t(const struct depthwise_short *p, const struct depthwise_work *work,
                                 const int32_t *exact, const word_t *x, int8_t *y, int32_t rows);

typedef struct depthwise_short {
    shape_t x, y;
    window_t window; /* what of the kernel ever lies on the tensor */
    int32_t depth_multiplier;
    int32_t padding;    /* what a padded cell holds: the input's zero point */
    int32_t pairs;      /* of kernel rows, as the core takes them */
    int32_t taps;       /* kernel columns, as the core takes them */
    int32_t phases;     /* lines of a pair: the horizontal stride, or 1 */
    int32_t spacing;    /* columns from a word of a line to the next */
    int32_t line_words; /* of a line in scratch */
    int32_t columns;    /* that are computed at a time */
    int32_t band;       /* pairs of rows that are expanded at a time */
    pair_t x_step;      /* bytes to the row below, and to the next pixel */
    pair_t y_step;
    depthwise_core_t *core;
    depthwise_taps_t packed; /* how weights lie in flash */
    int32_t weights_bytes;   /* of a channel */
    const void *weights;     /* [OC, bytes]: two taps of two rows a word, the first in bytes 1 and
                                3, then lone ones; of 3x3 kernels a
                                depthwise_3x3_weights_t */
    const int32_t *channels; /* [OC, 2]: bias and multiplier of the short form; or an index of
                                `exact` and DEPTHWISE_EXACT */
    const int32_t *exact;    /* [n, 3]: a depthwise_exact_t each */
    depthwise_exactly_t *exactly; /* NULL, and not linked, where no channel needs it */
    int32_t addend;               /* of all short forms; or as below */
    const uint8_t *shifts; /* [OC], less one, if channels are rounded as the reference does; the
                              addend is the zero point and half a unit then, doubled; or NULL */
    output_t output;
} depthwise_short_t;

/* How two rows of four channels go into planes; the step of a row of padding is 0. */
typedef struct {
    int32_t upper_step, lower_step; /* bytes from a pixel to the next */
    int32_t plane_bytes;            /* from a plane to the next */
    int32_t count;                  /* columns */
} depthwise_spread_t;

/*
 * Expands columns into four planes, the first column's words at to, to + plane_bytes, ...
 *
 *     r0, r1 rows   r2-r5 words of two columns   r6, r7 steps   r8-r11 planes   lr count
 */
static __attribute__((naked, noipa, unused)) void
depthwise_expand(const int8_t *upper __attribute__((unused)),
                 const int8_t *lower __attribute__((unused)), word_t *to __attribute__((unused)),
                 const depthwise_spread_t *how __attribute__((unused)))
{
    __asm__ volatile("push {r4-r11, lr}\n"
                     "mov r12, r3\n"
                     "mov r8, r2\n"
                     "ldrd r3, lr, [r12, #8]\n"
                     "add r9, r8, r3\n"
                     "add r10, r9, r3\n"
                     "add r11, r10, r3\n"
                     "tst lr, #1\n"
                     "beq 2f\n"
                     "ldrd r6, r7, [r12]\n" /* an odd column first */
                     "ldr r2, [r0]\n"
                     "ldr r3, [r1]\n"
                     "add r0, r0, r6\n"
                     "add r1, r1, r7\n"
                     "pkhtb r7, r3, r2, asr #16\n"
                     "pkhbt r2, r2, r3, lsl #16\n"
                     "sxtb16 r5, r2\n"
                     "sxtb16 r2, r2, ror #8\n"
                     "sxtb16 r6, r7\n"
                     "sxtb16 r7, r7, ror #8\n"
                     "str r5, [r8], #4\n"
                     "str r2, [r9], #4\n"
                     "str r6, [r10], #4\n"
                     "str r7, [r11], #4\n"
                     "subs lr, lr, #1\n"
                     "ble 3f\n"
                     "2: ldrd r6, r7, [r12]\n" /* two columns */
                     "ldr r2, [r0]\n"
                     "ldr r3, [r1]\n"
                     "ldr r4, [r0, r6]\n"
                     "ldr r5, [r1, r7]\n"
                     "add r0, r0, r6, lsl #1\n"
                     "add r1, r1, r7, lsl #1\n"
                     "subs lr, lr, #2\n"
                     "pkhtb r7, r3, r2, asr #16\n" /* channels 2, 3 of the first */
                     "pkhbt r2, r2, r3, lsl #16\n" /* channels 0, 1 */
                     "pkhtb r3, r5, r4, asr #16\n" /* of the second */
                     "pkhbt r4, r4, r5, lsl #16\n"
                     "sxtb16 r5, r2\n"
                     "sxtb16 r6, r4\n"
                     "strd r5, r6, [r8], #8\n"
                     "sxtb16 r2, r2, ror #8\n"
                     "sxtb16 r4, r4, ror #8\n"
                     "strd r2, r4, [r9], #8\n"
                     "sxtb16 r5, r7\n"
                     "sxtb16 r6, r3\n"
                     "strd r5, r6, [r10], #8\n"
                     "sxtb16 r7, r7, ror #8\n"
                     "sxtb16 r3, r3, ror #8\n"
                     "strd r7, r3, [r11], #8\n"
                     "bgt 2b\n"
                     "3: pop {r4-r11, pc}\n");
}

/*
 * The same for the upper row alone, where no core reads what is below: words of two channels do.
 *
 *     r0 row   r2, r3 words of two columns   r1, r4-r6 planes   r7 step   lr count
 */
static __attribute__((naked, noipa, unused)) void
depthwise_expand_upper(const int8_t *upper __attribute__((unused)),
                       word_t *to __attribute__((unused)),
                       const depthwise_spread_t *how __attribute__((unused)))
{
    __asm__ volatile("push {r4-r9, lr}\n"
                     "ldr r7, [r2]\n"
                     "ldrd r2, lr, [r2, #8]\n"
                     "add r4, r1, r2\n"
                     "add r5, r4, r2\n"
                     "add r6, r5, r2\n"
                     "tst lr, #1\n"
                     "beq 2f\n"
                     "ldr r2, [r0]\n" /* an odd column first */
                     "add r0, r0, r7\n"
                     "sxtb16 r8, r2\n"
                     "str r8, [r1], #4\n"
                     "sxtb16 r8, r2, ror #8\n"
                     "str r8, [r4], #4\n"
                     "sxtb16 r8, r2, ror #16\n"
                     "str r8, [r5], #4\n"
                     "sxtb16 r8, r2, ror #24\n"
                     "str r8, [r6], #4\n"
                     "subs lr, lr, #1\n"
                     "ble 3f\n"
                     "2: ldr r2, [r0]\n" /* two columns */
                     "ldr r3, [r0, r7]\n"
                     "add r0, r0, r7, lsl #1\n"
                     "subs lr, lr, #2\n"
                     "sxtb16 r8, r2\n"
                     "sxtb16 r9, r3\n"
                     "strd r8, r9, [r1], #8\n"
                     "sxtb16 r8, r2, ror #8\n"
                     "sxtb16 r9, r3, ror #8\n"
                     "strd r8, r9, [r4], #8\n"
                     "sxtb16 r8, r2, ror #16\n"
                     "sxtb16 r9, r3, ror #16\n"
                     "strd r8, r9, [r5], #8\n"
                     "sxtb16 r8, r2, ror #24\n"
                     "sxtb16 r9, r3, ror #24\n"
                     "strd r8, r9, [r6], #8\n"
                     "bgt 2b\n"
                     "3: pop {r4-r9, pc}\n");
}

/* Columns of the input that go into a line: `count` of them to its words from `to` on. */
typedef struct {
    int32_t first; /* the first one */
    int32_t to, count;
} depthwise_span_t;

#define DEPTHWISE_PHASES 4

/* What is the same for all channels: where scratch holds what, and how it is filled. */
typedef struct depthwise_work {
    int32_t *task;
    depthwise_tail_t *tail;
    word_t *planes;
    int32_t pair_words, plane_words;
    int32_t step;     /* bytes from an input pixel to the next that goes into a line */
    uint32_t padding; /* four channels of a pixel */
    depthwise_span_t spans[DEPTHWISE_PHASES];
} depthwise_work_t;

/* Fills four words at a time, `fours` of them. */
static __attribute__((naked, noipa, unused)) void
depthwise_fill(word_t *to __attribute__((unused)), int32_t word __attribute__((unused)),
               int32_t fours __attribute__((unused)))
{
    __asm__ volatile("push {r4-r9, lr}\n"
                     "mov r3, r1\n"
                     "mov r4, r1\n"
                     "mov r5, r1\n"
                     "tst r2, #1\n"
                     "it ne\n"
                     "stmne r0!, {r1, r3-r5}\n"
                     "lsrs r2, r2, #1\n"
                     "beq 2f\n"
                     "mov r6, r1\n"
                     "mov r7, r1\n"
                     "mov r8, r1\n"
                     "mov r9, r1\n"
                     "1: stm r0!, {r1, r3-r9}\n"
                     "subs r2, r2, #1\n"
                     "bne 1b\n"
                     "2: pop {r4-r9, pc}\n");
}

/*
 * Says how `slots` pairs of rows get to `planes`, and fills these with padding, which is then left
 * alone. Lines begin at column `left` and are read for `words` words; input pixels are
 * `pixel_bytes` apart.
 */
SHARED void depthwise_planes(const depthwise_short_t *p, depthwise_work_t *work, word_t *planes,
                             int32_t slots, int32_t left, int32_t words, int32_t pixel_bytes)
{
    const int32_t spacing = p->spacing;
    const uint32_t padding = (uint32_t)p->padding & 0xff;
    work->planes = planes;
    work->pair_words = p->phases * p->line_words;
    work->plane_words = slots * work->pair_words;
    work->step = spacing * pixel_bytes;
    work->padding = padding * 0x01010101u;
#pragma GCC unroll 1
    for (int32_t phase = 0; phase < p->phases; phase++, left++) {
        const int32_t to = left < 0 ? divide_up(-left, spacing) : 0;
        const int32_t fitting = left < p->x.w ? divide_up(p->x.w - left, spacing) : 0;
        work->spans[phase].first = left + to * spacing;
        work->spans[phase].to = to;
        work->spans[phase].count = lesser(words, fitting) - to;
    }
    depthwise_fill(planes, (int32_t)((uint32_t)(p->padding & 0xffff) * 0x10001u),
                   work->plane_words);
}

/* Words of a line from the first under a window to its last. */
KERNEL int32_t depthwise_reach(const depthwise_short_t *p)
{
    return (p->taps - 1) * p->window.dilation.w / p->spacing;
}

/* Prepares scratch for a task and `slots` pairs of rows, of whose lines so many words are read. */
KERNEL depthwise_work_t depthwise_work(const depthwise_short_t *p, int8_t *scratch, int32_t slots,
                                       int32_t left, int32_t words, int32_t pixel_bytes)
{
    int32_t *const task = (int32_t *)(void *)scratch;
    depthwise_tail_t *const tail = (void *)(task + 4 + p->pairs * p->taps);
    word_t *const end = (word_t *)(void *)(tail + 1);
    depthwise_work_t work = {.task = task, .tail = tail};
    depthwise_planes(p, &work, p->shifts != NULL ? end + 1 : end, slots, left, words, pixel_bytes);
    return work;
}

/*
 * Expands four channels of a pair of rows, NULL where they lie in the padding. `upper` and `lower`
 * point to those channels in column 0.
 */
KERNEL void depthwise_rows(const depthwise_short_t *p, const depthwise_work_t *work,
                           const int8_t *upper, const int8_t *lower, int32_t pixel_bytes,
                           word_t *to)
{
#pragma GCC unroll 1
    for (int32_t phase = 0; phase < p->phases; phase++, to += p->line_words) {
        const depthwise_span_t *span = &work->spans[phase];
        const int32_t at = span->first * pixel_bytes;
        const int8_t *padding = (const int8_t *)&work->padding;
        const depthwise_spread_t how = {
            .upper_step = upper ? work->step : 0,
            .lower_step = lower ? work->step : 0,
            .plane_bytes = work->plane_words * 4,
            .count = span->count,
        };
        if (span->count > 0) {
            depthwise_expand(upper ? upper + at : padding, lower ? lower + at : padding,
                             to + span->to, &how);
        }
    }
}

/* Says to the core how it gets on from an output to the next: the same for all channels. */
KERNEL void depthwise_steps(const depthwise_short_t *p, const depthwise_work_t *work, int32_t width,
                            int32_t x_step, int32_t y_step)
{
    const int32_t even = (width + 1) / 2 * 2, line_bytes = p->line_words * 4;
    depthwise_tail_t *tail = work->tail;
    tail->addend = p->addend;
    tail->pixel_bytes = p->y_step.w;
    tail->back = 16 - (p->pairs * p->phases - 1) * line_bytes;
    tail->width = width - 4;
    tail->y_skip = y_step - even * p->y_step.w;
    tail->x_skip = (x_step - even) * 4;
    tail->line_bytes = line_bytes;
}

/* The sum of one output without its bias, from weights as a task has them. */
KERNEL int32_t depthwise_sum(const depthwise_short_t *p, const int32_t *weights, const word_t *x)
{
    const int32_t stride = p->phases, dilation = p->window.dilation.w;
    int32_t sum = 0;
#pragma GCC unroll 1
    for (int32_t line = 0; line < p->pairs * p->phases; line++, x += p->line_words) {
        const int32_t phase = line % p->phases;
#pragma GCC unroll 1
        for (int32_t tap = 0; tap < p->taps; tap++) {
            if (tap * dilation % stride == phase) {
                const int32_t cells = x[tap * dilation / stride], w = *weights++;
                sum += (int16_t)cells * (int16_t)w + (cells >> 16) * (w >> 16);
            }
        }
    }
    return sum >> DEPTHWISE_SCALE;
}

SELDOM void depthwise_exactly(const depthwise_short_t *p, const depthwise_work_t *work,
                              const int32_t *exact, const word_t *x, int8_t *y, int32_t rows)
{
    const depthwise_tail_t *tail = work->tail;
    const int32_t width = tail->width + 4, even = (width + 1) / 2 * 2;
#pragma GCC unroll 1
    for (; rows > 0; rows--) {
#pragma GCC unroll 1
        for (int32_t i = 0; i < width; i++) {
            const int32_t sum = depthwise_sum(p, work->task + 4, x + i) + exact[0];
            y[i * tail->pixel_bytes] = quantized(rescale(sum, exact[1], exact[2]), &p->output);
        }
        x += tail->x_skip / 4 + even;
        y += tail->y_skip + even * tail->pixel_bytes;
    }
}

/* Tells the core how an output channel is rounded. */
SELDOM void depthwise_shift(const depthwise_short_t *p, const depthwise_work_t *work, int32_t o)
{
    const int32_t shift = p->shifts[o];
    *(word_t *)(void *)(work->tail + 1) = shift;
    work->tail->addend = p->addend * (1 << shift);
}

/* Computes rows of an output channel with the weights of the task, from lines x and y on. */
KERNEL void depthwise_run(const depthwise_short_t *p, const depthwise_work_t *work,
                          const int32_t *channel, const word_t *x, int8_t *y, int32_t rows)
{
    if (channel[1] == DEPTHWISE_EXACT) {
        p->exactly(p, work, p->exact + 3 * channel[0], x, y, rows);
        return;
    }
    if (p->shifts != NULL) {
        depthwise_shift(p, work, (channel - p->channels) / 2);
    }
    p->core(work->task, (const int32_t *)x, y, rows);
}

/*
 * Puts the constants of an output channel into a task: its bias four times, its weights from
 * `packed` on, and its multiplier, with which the tail begins.
 *
 *     r0 task   r1 packed   r2 channel   r3, r6 taps   r4, r5 constants   r12 mask
 */
static __attribute__((naked, noipa, unused)) void
depthwise_task(int32_t *task __attribute__((unused)), const int8_t *packed __attribute__((unused)),
               const int32_t *channel __attribute__((unused)),
               const depthwise_taps_t *taps __attribute__((unused)))
{
    __asm__ volatile("push {r4-r6, lr}\n"
                     "ldm r2, {r4, r5}\n"
                     "ldrd r3, r6, [r3]\n"
                     "mov r12, #0xff00ff00\n"
                     "strd r4, r4, [r0], #8\n"
                     "strd r4, r4, [r0], #8\n"
                     "1: ldr r2, [r1], #4\n" /* two taps, of two rows */
                     "and r4, r2, r12\n"
                     "and lr, r12, r2, lsl #8\n"
                     "subs r3, r3, #2\n"
                     "strd r4, lr, [r0], #8\n"
                     "bgt 1b\n"
                     "cbz r6, 3f\n"
                     "mov r12, #0xff00\n"
                     "2: ldrh r2, [r1], #2\n" /* two lone taps */
                     "and r4, r12, r2, lsl #8\n"
                     "and lr, r12, r2\n"
                     "subs r6, r6, #2\n"
                     "strd r4, lr, [r0], #8\n"
                     "bgt 2b\n"
                     "3: it lt\n"
                     "sublt r0, r0, #4\n" /* there was but one left */
                     "str r5, [r0]\n"
                     "pop {r4-r6, pc}\n");
}

/* Moves the weights of a task down by a row. */
KERNEL void depthwise_lower(const depthwise_work_t *work, int32_t taps)
{
    uint32_t *first = (uint32_t *)work->task + 4, *at = (uint32_t *)(void *)work->tail;
#pragma GCC unroll 1
    while (at > first + taps) {
        at--;
        *at = *at << 16 | at[-taps] >> 16;
    }
#pragma GCC unroll 1
    while (at > first) {
        at--;
        *at <<= 16;
    }
}

/*
 * Moves words down in each of four planes.
 *
 *     r0 to   r1 from   r2 words   r3 to the next plane   r4-r7 words   r12 words to go   lr planes
 */
static __attribute__((naked, noipa, unused)) void
depthwise_move(word_t *to __attribute__((unused)), const word_t *from __attribute__((unused)),
               int32_t words __attribute__((unused)), int32_t plane_bytes __attribute__((unused)))
{
    __asm__ volatile("push {r4-r7, lr}\n"
                     "mov lr, #4\n"
                     "sub r3, r3, r2, lsl #2\n"
                     "1: subs r12, r2, #4\n"
                     "blt 3f\n"
                     "2: ldm r1!, {r4-r7}\n"
                     "stm r0!, {r4-r7}\n"
                     "subs r12, r12, #4\n"
                     "bge 2b\n"
                     "3: lsls r12, r12, #31\n" /* two are left if the carry is set, */
                     "itt cs\n"
                     "ldrdcs r4, r5, [r1], #8\n"
                     "strdcs r4, r5, [r0], #8\n"
                     "itt mi\n" /* and one if this is negative */
                     "ldrmi r4, [r1], #4\n"
                     "strmi r4, [r0], #4\n"
                     "add r0, r0, r3\n"
                     "add r1, r1, r3\n"
                     "subs lr, lr, #1\n"
                     "bne 1b\n"
                     "pop {r4-r7, pc}\n");
}

/* Keeps the last pairs of rows of a band for the next one. */
KERNEL void depthwise_keep(const depthwise_work_t *work, int32_t pairs, int32_t band)
{
    depthwise_move(work->planes, work->planes + band * work->pair_words, pairs * work->pair_words,
                   work->plane_words * 4);
}

/* Row r of the input at column 0, some bytes on, or NULL where there is no such row. */
KERNEL const int8_t *depthwise_input(const depthwise_short_t *p, const rows_t *x, int32_t r,
                                     int32_t bytes)
{
    return 0 <= r && r < p->x.h ? row_at(x, r) + bytes : NULL;
}

/* How many pairs of input rows are expanded next for output rows, p->band at most. */
KERNEL int32_t depthwise_next(const depthwise_short_t *p, span_t rows, int32_t rows_of_pair)
{
    return lesser(divide_up(rows.last - rows.first, rows_of_pair), p->band);
}

/*
 * Columns of output rows, p->columns at a time, and p->band pairs of input rows at a time. The
 * vertical stride is 1 or 2, and rows are not dilated.
 */
SHARED void depthwise_pairs(const depthwise_short_t *p, const rows_t *x, span_t rows,
                            span_t columns, made_rows_t y, int8_t *scratch)
{
    const int32_t stride = p->window.stride.h, rows_of_pair = 3 - stride;
    const int32_t more = p->pairs - 1; /* pairs that a band needs of the next one */

#pragma GCC unroll 1
    for (int32_t i = columns.first; i < columns.last; i += p->columns) {
        const int32_t outputs = lesser(p->columns, columns.last - i);
        const depthwise_work_t work =
            depthwise_work(p, scratch, p->band + more, i * p->window.stride.w - p->window.pad.w,
                           outputs + depthwise_reach(p), x->pixel_bytes);

        depthwise_steps(p, &work, outputs, work.pair_words, rows_of_pair * p->y_step.h);
#pragma GCC unroll 1
        for (int32_t c = 0; c < p->x.c; c += DEPTHWISE_GROUP) {
            const int32_t base = lesser(c, p->x.c - DEPTHWISE_GROUP);
            const int32_t bytes = base - x->first * x->pixel_bytes;
            const int32_t o = c * p->depth_multiplier;
            const word_t *planes = work.planes + (c - base) * work.plane_words;
            int32_t slot = 0;
#pragma GCC unroll 1
            for (span_t left = rows; left.first < left.last;) {
                const int32_t top = left.first * stride - p->window.pad.h;
                const int32_t pairs = depthwise_next(p, left, rows_of_pair);
                int8_t *upper = made_row(&y, left.first) + o, *lower = NULL;
                int32_t odd = 0;
#pragma GCC unroll 1
                for (; slot < pairs + more; slot++) {
                    depthwise_rows(p, &work, depthwise_input(p, x, top + 2 * slot, bytes),
                                   depthwise_input(p, x, top + 2 * slot + 1, bytes), x->pixel_bytes,
                                   work.planes + slot * work.pair_words);
                }
                if (rows_of_pair == 2 && left.first + 1 < left.last) {
                    odd = lesser(pairs, (left.last - left.first) / 2);
                    lower = made_row(&y, left.first + 1) + o;
                }

                const int32_t *channel = p->channels + 2 * o;
                const int8_t *packed = (const int8_t *)p->weights + p->weights_bytes * o;
                const word_t *plane = planes;
#pragma GCC unroll 1
                for (int32_t k = c - base; k < DEPTHWISE_GROUP; k++, plane += work.plane_words) {
#pragma GCC unroll 1
                    for (int32_t m = p->depth_multiplier; m > 0; m--) {
                        depthwise_task(work.task, packed, channel, &p->packed);
                        depthwise_run(p, &work, channel, plane, upper++, pairs);
                        if (odd > 0) {
                            depthwise_lower(&work, p->taps);
                            depthwise_run(p, &work, channel, plane, lower++, odd);
                        }
                        channel += 2;
                        packed += p->weights_bytes;
                    }
                }
                slot = 0;
                left.first += pairs * rows_of_pair;
                if (left.first < left.last) {
                    depthwise_keep(&work, more, pairs);
                    slot = more;
                }
            }
        }
        y.base += outputs * p->y_step.w;
    }
}

/*
 * The whole op: x [H, W, C] to y [OH, OW, OC], or both with rows for columns. y may be x if the
 * depth multiplier is 1 and no output reaches an input that is not expanded yet; whoever calls this
 * has checked it.
 */
SHARED void depthwise_whole(const depthwise_short_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t all = {.base = x, .row_bytes = p->x_step.h, .pixel_bytes = p->x_step.w};
    const made_rows_t made = {.base = y, .row_bytes = p->y_step.h};
    depthwise_pairs(p, &all, (span_t){0, p->y.h}, (span_t){0, p->y.w}, made, scratch);
}

/* Several whole rows. */
KERNEL void depthwise_pairs_batch(const depthwise_short_t *p, rows_t x, span_t rows, span_t columns,
                                  made_rows_t y, int8_t *scratch)
{
    depthwise_pairs(p, &x, rows, columns, y, scratch);
}

/* Columns of one row. */
KERNEL void depthwise_pairs_row(const depthwise_short_t *p, rows_t x, int32_t row, span_t columns,
                                int8_t *y, int8_t *scratch)
{
    const made_rows_t made = {.base = y};
    depthwise_pairs(p, &x, (span_t){row, row + 1}, columns, made, scratch);
}

/*
 * Columns of one output row [W, OC], p->columns of them at a time, for any vertical stride and
 * dilation.
 */
SHARED void depthwise_short_row(const depthwise_short_t *p, rows_t x, int32_t row, span_t columns,
                                int8_t *y, int8_t *scratch)
{
    const window_t *w = &p->window;
    const int32_t top = row * w->stride.h - w->pad.h;

#pragma GCC unroll 1
    for (int32_t i = columns.first; i < columns.last; i += p->columns) {
        const int32_t outputs = lesser(p->columns, columns.last - i);
        const depthwise_work_t work =
            depthwise_work(p, scratch, p->pairs, i * w->stride.w - w->pad.w,
                           outputs + depthwise_reach(p), x.pixel_bytes);
        depthwise_steps(p, &work, outputs, 0, 0);
#pragma GCC unroll 1
        for (int32_t c = 0; c < p->x.c; c += DEPTHWISE_GROUP) {
            const int32_t base = lesser(c, p->x.c - DEPTHWISE_GROUP);
#pragma GCC unroll 1
            for (int32_t pair = 0; pair < p->pairs; pair++) {
                const int8_t *in[2];
#pragma GCC unroll 1
                for (int32_t k = 0; k < 2; k++) {
                    const int32_t r = top + (2 * pair + k) * w->dilation.h;
                    const bool is_row = 0 <= r && r < p->x.h && 2 * pair + k < w->kernel.h;
                    in[k] = is_row ? row_at(&x, r) - x.first * x.pixel_bytes + base : NULL;
                }
                depthwise_rows(p, &work, in[0], in[1], x.pixel_bytes,
                               work.planes + pair * work.pair_words);
            }

            const word_t *plane = work.planes + (c - base) * work.plane_words;
            int32_t o = c * p->depth_multiplier, last = o + p->depth_multiplier;
#pragma GCC unroll 1
            for (int32_t k = c - base; k < DEPTHWISE_GROUP; k++, plane += work.plane_words) {
#pragma GCC unroll 1
                for (; o < last; o++) {
                    const int32_t *channel = p->channels + 2 * o;
                    const int8_t *packed = (const int8_t *)p->weights + p->weights_bytes * o;
                    depthwise_task(work.task, packed, channel, &p->packed);
                    depthwise_run(p, &work, channel, plane, y + o, 1);
                }
                last += p->depth_multiplier;
            }
        }
        y += outputs * p->y.c;
    }
}

/* The whole op row by row, for strides and dilations that depthwise_pairs() does not do. */
SHARED void depthwise_by_rows(const depthwise_short_t *p, const int8_t *x, int8_t *y,
                              int8_t *scratch)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        depthwise_short_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                            y + row * p->y.w * p->y.c, scratch);
    }
}

#endif
