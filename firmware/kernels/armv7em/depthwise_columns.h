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

/* Words of a line that lie on the tensor: from `to` on `count` of which both columns do, and beside
   these perhaps one of which only the second does, or the first. */
typedef struct {
    int32_t first, to, count;
    bool has_half_before, has_half_behind;
} depthwise_columns_span_t;

KERNEL depthwise_columns_span_t depthwise_columns_span(const depthwise_work_t *work, int32_t words,
                                                       int32_t width)
{
    const depthwise_span_t *all = work->spans; /* with a first column */
    const bool is_cut = all->count > 0 && all->first + 2 * all->count > width;
    return (depthwise_columns_span_t){
        .first = all->first,
        .to = all->to,
        .count = is_cut ? all->count - 1 : all->count,
        .has_half_before = all->to > 0 && all->to <= words && all->first > 0,
        .has_half_behind = is_cut,
    };
}

/* Expands four channels of a row, of which `row` points to column 0. */
KERNEL void depthwise_columns_line(const depthwise_work_t *work,
                                   const depthwise_columns_span_t *span, const int8_t *row,
                                   int32_t pixel_bytes, word_t *to)
{
    const int8_t *const padding = (const int8_t *)&work->padding;
    const int8_t *at = row + span->first * pixel_bytes;
    depthwise_spread_t how = {work->step, work->step, work->plane_words * 4, span->count};

    to += span->to;
    if (span->count > 0) {
        depthwise_expand(at, at + pixel_bytes, to, &how);
    }
    how.count = 1;
    if (span->has_half_before) {
        depthwise_expand(padding, at - pixel_bytes, to - 1, &how);
    }
    if (span->has_half_behind) {
        depthwise_expand(at + span->count * work->step, padding, to + span->count, &how);
    }
}

/* Columns of one output row [W, OC], as many at a time as the op says. */
SHARED void depthwise_columns_row(const depthwise_columns_t *p, rows_t x, int32_t row,
                                  span_t columns, int8_t *y, int8_t *scratch)
{
    const depthwise_short_t *op = &p->op;
    const int32_t top = row * op->window.stride.h - op->window.pad.h;
    const int8_t *rows[DEPTHWISE_MOST_LINES];

#pragma GCC unroll 1
    for (int32_t k = 0; k < op->pairs; k++) {
        rows[k] = depthwise_input(op, &x, top + k, -x.first * x.pixel_bytes);
    }
#pragma GCC unroll 1
    for (int32_t i = columns.first; i < columns.last; i += op->columns) {
        const int32_t outputs = lesser(op->columns, columns.last - i);
        const int32_t words = outputs + op->taps - 1;
        const depthwise_work_t work =
            depthwise_work(op, scratch, op->pairs, i * op->window.stride.w - op->window.pad.w,
                           words, x.pixel_bytes);
        const depthwise_columns_span_t span = depthwise_columns_span(&work, words, op->x.w);

        depthwise_steps(op, &work, outputs, 0, 0);
#pragma GCC unroll 1
        for (int32_t c = 0; c < op->x.c; c += DEPTHWISE_GROUP) {
            const int32_t base = lesser(c, op->x.c - DEPTHWISE_GROUP);
            word_t *line = work.planes;
#pragma GCC unroll 1
            for (int32_t k = 0; k < op->pairs; k++, line += op->line_words) {
                if (rows[k] != NULL) { /* the others are filled with padding, and stay so */
                    depthwise_columns_line(&work, &span, rows[k] + base, x.pixel_bytes, line);
                }
            }

            const word_t *plane = work.planes + (c - base) * work.plane_words;
            const int32_t o = c * op->depth_multiplier;
            const int32_t *channel = op->channels + 2 * o;
            const int8_t *packed = (const int8_t *)op->weights + op->weights_bytes * o;
            int8_t *to = y + o;
#pragma GCC unroll 1
            for (int32_t k = c - base; k < DEPTHWISE_GROUP; k++, plane += work.plane_words) {
#pragma GCC unroll 1
                for (int32_t m = op->depth_multiplier; m > 0; m--) {
                    p->task(work.task, packed, channel);
                    depthwise_run(op, &work, channel, plane, to++, 1);
                    channel += 2;
                    packed += op->weights_bytes;
                }
            }
        }
        y += outputs * op->y.c;
    }
}

#endif
