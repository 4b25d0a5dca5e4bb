/*
 * One row of a depthwise convolution for ARMv7E-M, of a 5x5 or 7x7 kernel with a stride of 2, from
 * pairs of columns.
 *
 * Where no rows are made together, nothing is gained by pairs of rows as in depthwise.h, and those
 * of an odd kernel have one row too many. Columns side by side are a word here, so that a line is
 * one row of the input, and neighbouring outputs take neighbouring words though the stride is 2:
 *
 *     columns     a b c d e f g h         line    (a,b) (c,d) (e,f) (g,h) ...
 *
 * The last tap of a row of the kernel has a weight of 0 at its side. Of an op's fields, `pairs` are
 * lines here, one for each row of the kernel, `taps` words of a line, and there is one phase.
 */
#ifndef BENCH_KERNELS_ARMV7EM_DEPTHWISE_COLUMNS_H
#define BENCH_KERNELS_ARMV7EM_DEPTHWISE_COLUMNS_H

#include "armv7em/depthwise.h"
#include "armv7em/naked.h"

#define DEPTHWISE_MOST_LINES 7

/* Puts the constants of an output channel into a task, as depthwise_task() does. */
typedef void depthwise_columns_task_t(int32_t *task, const int8_t *packed, const int32_t *channel);

typedef struct {
    depthwise_short_t op; /* weights of a channel: a line after the other, and of each four in it
                             the first and the third, the second and the fourth */
    depthwise_columns_task_t *task;
} depthwise_columns_t;

/*
 * Lines of three words and of four.
 *
 *     r0 task   r1 packed   r2 channel, weights   r3 multiplier, weights   r12 mask
 */
NAKED void depthwise_columns_task_5x3(int32_t *task UNUSED, const int8_t *packed UNUSED,
                                      const int32_t *channel UNUSED)
{
    __asm__ volatile("push {r4-r6, lr}\n"
                     "ldm r2, {r2, r3}\n"
                     "mov r12, #0xff00ff00\n"
                     "strd r2, r2, [r0], #8\n"
                     "strd r2, r2, [r0], #8\n"
                     ".rept 5\n"
                     "ldr r2, [r1], #4\n"
                     "ldrb r6, [r1], #1\n"
                     "and r4, r12, r2, lsl #8\n"
                     "and r5, r12, r2\n"
                     "lsls r6, r6, #8\n"
                     "stm r0!, {r4-r6}\n"
                     ".endr\n"
                     "str r3, [r0]\n"
                     "pop {r4-r6, pc}\n");
}

/* The last four bytes of a line begin the next one, or lie one behind the weights. */
NAKED void depthwise_columns_task_7x4(int32_t *task UNUSED, const int8_t *packed UNUSED,
                                      const int32_t *channel UNUSED)
{
    __asm__ volatile("push {r4-r9, lr}\n"
                     "ldm r2, {r2, r9}\n"
                     "mov r12, #0xff00ff00\n"
                     "mov r8, #7\n"
                     "strd r2, r2, [r0], #8\n"
                     "strd r2, r2, [r0], #8\n"
                     "1: ldr r3, [r1, #4]\n"
                     "ldr r2, [r1], #7\n"
                     "subs r8, r8, #1\n"
                     "and r4, r12, r2, lsl #8\n"
                     "and r5, r12, r2\n"
                     "and r6, r12, r3, lsl #8\n"
                     "and r7, r3, #0xff00\n"
                     "stm r0!, {r4-r7}\n"
                     "bne 1b\n"
                     "str r9, [r0]\n"
                     "pop {r4-r9, pc}\n");
}

#define DEPTHWISE_COLUMNS_CORES(prefix, way)                                                       \
    DEPTHWISE_CORE(prefix##5x3, way, 5 * 3, LINES_5(LINE4_3), LINES_5(LINE2_3))                    \
    DEPTHWISE_CORE(prefix##7x4, way, 7 * 4, LINES_7(LINE4_4), LINES_7(LINE2_4))

DEPTHWISE_COLUMNS_CORES(depthwise_columns_, LINE)
DEPTHWISE_COLUMNS_CORES(depthwise_columns_round_, ROUND)

/* A row of the input, and where its words go, in the first of four planes. */
typedef struct {
    const int8_t *row;
    word_t *to;
} depthwise_line_t;

/*
 * The lines of a part of an output row that see the tensor; the others are filled with padding, and
 * stay so. Of `count` words of a line both columns lie on the tensor. Beside these there may be one
 * of which only the second does, or the first.
 */
typedef struct {
    int32_t pixel_bytes, plane_bytes, count;
    const depthwise_line_t *end;
    depthwise_line_t line[DEPTHWISE_MOST_LINES]; /* from the first of these words on */
    bool has_half_before, has_half_behind;
} depthwise_lines_t;

/*
 * Expands four channels of all lines, `channel` bytes behind where they begin; count > 0.
 *
 *     r0 row   r1 pixel_bytes   r2-r5 words of four columns   r8-r11 planes   r12 lines   lr count
 */
NAKED void depthwise_columns_expand(const depthwise_lines_t *lines UNUSED, int32_t channel UNUSED)
{
    __asm__ volatile("push {r0, r1, r4-r11, lr}\n"
                     "add r12, r0, #16\n"
                     "0: ldrd r4, r5, [sp]\n" /* a line */
                     "ldrd r0, r8, [r12], #8\n"
                     "ldm r4, {r1, r2, lr}\n"
                     "add r0, r0, r5\n"
                     "add r9, r8, r2\n"
                     "add r10, r9, r2\n"
                     "add r11, r10, r2\n"
                     "tst lr, #1\n"
                     "beq 2f\n"
                     "ldr r2, [r0]\n" /* an odd word first */
                     "ldr r3, [r0, r1]\n"
                     "add r0, r0, r1, lsl #1\n"
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
                     "beq 3f\n"
                     "2: ldr r2, [r0]\n" /* two words */
                     "ldr r3, [r0, r1]\n"
                     "add r0, r0, r1, lsl #1\n"
                     "ldr r4, [r0]\n"
                     "ldr r5, [r0, r1]\n"
                     "add r0, r0, r1, lsl #1\n"
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
                     "3: ldr r4, [sp]\n"
                     "ldr r4, [r4, #12]\n"
                     "cmp r12, r4\n"
                     "bne 0b\n"
                     "add sp, sp, #8\n"
                     "pop {r4-r11, pc}\n");
}

/* Expands what only half lies on the tensor. */
SELDOM void depthwise_columns_halves(const depthwise_work_t *work, const depthwise_lines_t *lines,
                                     int32_t channel)
{
    const int8_t *const padding = (const int8_t *)&work->padding;
    const depthwise_spread_t one = {.plane_bytes = lines->plane_bytes, .count = 1};
#pragma GCC unroll 1
    for (const depthwise_line_t *line = lines->line; line < lines->end; line++) {
        const int8_t *at = line->row + channel;
        if (lines->has_half_before) {
            depthwise_expand(padding, at - lines->pixel_bytes, line->to - 1, &one);
        }
        if (lines->has_half_behind) {
            depthwise_expand(at + lines->count * work->step, padding, line->to + lines->count,
                             &one);
        }
    }
}

/* Finds the lines of a part of a row, whose words lie in scratch as `work` says. */
KERNEL void depthwise_columns_find(const depthwise_short_t *p, const depthwise_work_t *work,
                                   const rows_t *x, int32_t top, int32_t words,
                                   depthwise_lines_t *lines)
{
    const depthwise_span_t *span = work->spans; /* of words with a first column */
    const bool is_cut = span->count > 0 && span->first + 2 * span->count > p->x.w;
    depthwise_line_t *line = lines->line;
    word_t *to = work->planes + span->to;

    lines->pixel_bytes = x->pixel_bytes;
    lines->plane_bytes = work->plane_words * 4;
    lines->count = is_cut ? span->count - 1 : span->count;
    lines->has_half_before = span->to > 0 && span->to <= words && span->first > 0;
    lines->has_half_behind = is_cut;
#pragma GCC unroll 1
    for (int32_t k = 0; k < p->pairs; k++, to += p->line_words) {
        if (0 <= top + k && top + k < p->x.h) {
            *line++ = (depthwise_line_t){pixel_at(x, top + k, span->first), to};
        }
    }
    lines->end = line;
}

/* Computes an output row of input channels, of which the first one's plane is `plane`. */
KERNEL void depthwise_columns_channels(const depthwise_columns_t *p, const depthwise_work_t *work,
                                       const word_t *plane, span_t channels, int8_t *y)
{
    const depthwise_short_t *op = &p->op;
    const int32_t first = channels.first * op->depth_multiplier;
    const int32_t *channel = op->channels + 2 * first;
    const int32_t *const end = op->channels + 2 * channels.last * op->depth_multiplier;
    const int8_t *packed = (const int8_t *)op->weights + op->weights_bytes * first;
    int32_t left = op->depth_multiplier; /* output channels of this plane */
    y += first;
#pragma GCC unroll 1
    for (; channel < end; channel += 2, packed += op->weights_bytes) {
        p->task(work->task, packed, channel);
        depthwise_run(op, work, channel, plane, y++, 1);
        if (--left == 0) {
            left = op->depth_multiplier;
            plane += work->plane_words;
        }
    }
}

/* Columns of one output row [W, OC], as many at a time as the op says. */
SHARED void depthwise_columns_row(const depthwise_columns_t *p, rows_t x, int32_t row,
                                  span_t columns, int8_t *y, int8_t *scratch)
{
    const depthwise_short_t *op = &p->op;
    const window_t *w = &op->window;

#pragma GCC unroll 1
    for (int32_t i = columns.first; i < columns.last; i += op->columns) {
        const int32_t outputs = lesser(op->columns, columns.last - i);
        const int32_t words = outputs + op->taps - 1;
        const depthwise_work_t work = depthwise_work(
            op, scratch, op->pairs, i * w->stride.w - w->pad.w, words, x.pixel_bytes);
        depthwise_lines_t lines;
        depthwise_columns_find(op, &work, &x, row * w->stride.h - w->pad.h, words, &lines);
        const bool has_words = lines.count > 0 && lines.end > lines.line;
        const bool has_halves = lines.has_half_before || lines.has_half_behind;

        depthwise_steps(op, &work, outputs, 0, 0);
#pragma GCC unroll 1
        for (int32_t c = 0; c < op->x.c; c += DEPTHWISE_GROUP) {
            const int32_t base = lesser(c, op->x.c - DEPTHWISE_GROUP);
            if (has_words) {
                depthwise_columns_expand(&lines, base);
            }
            if (has_halves) {
                depthwise_columns_halves(&work, &lines, base);
            }
            depthwise_columns_channels(p, &work, work.planes + (c - base) * work.plane_words,
                                       (span_t){c, base + DEPTHWISE_GROUP}, y);
        }
        y += outputs * op->y.c;
    }
}

#endif
