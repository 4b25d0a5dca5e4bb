/*
 * 3x3 depthwise convolution for ARMv7E-M, with strides of 1 and 2, in place or not, and by rows.
 *
 * Planes are prepared as in depthwise.h; the cores of depthwise_3x3_cores.h are faster, and take
 * the constants of a channel themselves.
 */
#ifndef BENCH_KERNELS_ARMV7EM_DEPTHWISE_3X3_H
#define BENCH_KERNELS_ARMV7EM_DEPTHWISE_3X3_H

#include "armv7em/depthwise.h"
#include "armv7em/depthwise_3x3_cores.h"

/* `weights` are those that the cores take, [OC]; `core` of the op is not used. */
struct depthwise_3x3;

/* Does what a core does, with the rounding of the reference. */
typedef void depthwise_3x3_exactly_t(const struct depthwise_3x3 *p,
                                     const depthwise_3x3_task_t *task,
                                     const depthwise_3x3_weights_t *w, const int32_t *exact,
                                     const word_t *x, int32_t width);

typedef struct depthwise_3x3 {
    depthwise_short_t op;
    depthwise_3x3_core_t *core;
    depthwise_3x3_exactly_t *exactly; /* NULL, and not linked, where no channel needs it */
    bool makes_two_rows;              /* so does the core, from a pair of rows and the next one */
} depthwise_3x3_t;

/*
 * Says to the core how `width` outputs of a row, or of two, are divided into blocks. Where rows are
 * made one by one, of three outputs it makes the first two, and then the last two.
 */
KERNEL void depthwise_3x3_blocks(const depthwise_3x3_t *p, depthwise_3x3_task_t *task,
                                 int32_t width)
{
    const depthwise_short_t *op = &p->op;
    const int32_t line = op->line_words * 4, column = op->window.stride.w * 4;
    const int32_t step = width > 1 ? op->y_step.w : 0; /* the second of two is not wanted then */

    task->addend = op->addend;
    task->pixel_bytes = step;
    task->three = 3 * step;
    if (width == 3 && !p->makes_two_rows) {
        width = 2;
    }
    task->x_skip = line - width * column;
    if (p->makes_two_rows) {
        const int32_t odd = width % 3, twos = odd == 1 && width > 1 ? 2 : divide_up(odd, 2);
        task->wide = greater(width - 2 * twos, 0) * column;
        task->narrow = 2 * twos * column;
        task->next = line;
        task->back = 12 - line;
        task->y_skip = 2 * op->y_step.h - width * step;
    } else {
        const int32_t odd = width > 1 ? width % 2 : 0, twos = divide_up(width % 4, 2);
        task->wide = width / 4 * 4 * column;
        task->narrow = 2 * twos * column;
        task->next = line - 24;
        task->back = 4 * column - 24 - line;
        task->y_skip = op->y_step.h - width * step;
        task->x_overlap = -odd * column;
        task->y_overlap = -odd * step;
    }
    if (width == 1) { /* a block of two went too far */
        task->x_skip -= column;
    }
}

SELDOM void depthwise_3x3_exactly(const depthwise_3x3_t *p, const depthwise_3x3_task_t *task,
                                  const depthwise_3x3_weights_t *w, const int32_t *exact,
                                  const word_t *x, int32_t width)
{
    const depthwise_short_t *op = &p->op;
    const int8_t columns[3][3] = {
        {w->a0, w->b0, w->c0}, {w->a1, w->b1, w->c1}, {w->a2, w->b2, w->c2}};
    const int32_t stride = op->window.stride.w;
    for (int32_t row = 0; row < task->rows; row++) {
        const int32_t top = row * stride, odd = 16 * (top % 2), even = 16 - odd;
        const word_t *line = x + top / 2 * op->line_words;
        int8_t *y = task->y + row / 2 * 2 * op->y_step.h + row % 2 * task->below;
        for (int32_t i = 0; i < width; i++, line += stride, y += op->y_step.w) {
            int32_t sum = exact[0];
            for (int32_t tap = 0; tap < 3; tap++) {
                const word_t first = line[tap], next = line[op->line_words + tap];
                const int8_t *abc = columns[tap];
                sum += abc[0] * (int16_t)(first >> odd) + abc[2] * (int16_t)(next >> odd);
                sum += abc[1] * (int16_t)((odd > 0 ? next : first) >> even);
            }
            *y = quantized(rescale(sum, exact[1], exact[2]), &op->output);
        }
    }
}

/*
 * Computes `rows` rows of four input channels, from channel `first` on, whose planes are prepared;
 * of these channels `done` have been computed before. y is the first output of output channel 0,
 * the second row is `below` bytes from there.
 */
SHARED void depthwise_3x3_channels(const depthwise_3x3_t *p, depthwise_3x3_task_t *task,
                                   const depthwise_work_t *work, span_t channels, int8_t *y,
                                   int32_t below, int32_t rows, int32_t width)
{
    const depthwise_short_t *op = &p->op;
    const bool goes_twice = width == 3 && !p->makes_two_rows;
    const int32_t first = channels.first * op->depth_multiplier;
    const int32_t *channel = op->channels + 2 * first;
    const int32_t *const end = op->channels + 2 * channels.last * op->depth_multiplier;
    const depthwise_3x3_weights_t *weights = op->weights;
    const word_t *plane = work->planes;
    int32_t left = op->depth_multiplier; /* output channels of this plane */

    y += first;
    weights += first;
    plane += (DEPTHWISE_GROUP - (channels.last - channels.first)) * work->plane_words;
#pragma GCC unroll 1
    for (; channel < end; channel += 2, weights++) {
        task->y = y++;
        task->rows = rows;
        task->below = below;
        if (channel[1] == DEPTHWISE_EXACT) {
            p->exactly(p, task, weights, op->exact + 3 * channel[0], plane, width);
        } else {
            p->core(task, weights, channel, (const int32_t *)plane);
            if (goes_twice) {
                task->y += op->y_step.w;
                task->rows = rows;
                p->core(task, weights, channel, (const int32_t *)(plane + op->window.stride.w));
            }
        }
        if (--left == 0) {
            left = op->depth_multiplier;
            plane += work->plane_words;
        }
    }
}

/*
 * Expands rows r and r + 1 of the input, or padding where there is no such row: of four channels,
 * the first of which lies `at` bytes behind where a row begins. There is one line, from `to` on.
 */
KERNEL void depthwise_3x3_expand(const depthwise_short_t *op, const depthwise_work_t *work,
                                 const rows_t *x, int32_t r, int32_t at, word_t *to)
{
    const int8_t *padding = (const int8_t *)&work->padding;
    const bool has_upper = 0 <= r && r < op->x.h, has_lower = 0 <= r + 1 && r + 1 < op->x.h;
    const depthwise_pair_t pair = {
        .upper = has_upper ? row_at(x, r) + at : padding,
        .lower = has_lower ? row_at(x, r + 1) + at : padding,
        .upper_step = has_upper ? work->step : 0,
        .lower_step = has_lower ? work->step : 0,
    };
    depthwise_expand(&pair, to, work->plane_words * 4, work->spans->count);
}

/* Columns of output rows, op->columns at a time, and op->band pairs of input rows at a time. */
SHARED void depthwise_3x3_rows(const depthwise_3x3_t *p, const rows_t *x, span_t rows,
                               span_t columns, made_rows_t y, int8_t *scratch)
{
    const depthwise_short_t *op = &p->op;
    const int32_t rows_of_pair = p->makes_two_rows ? 2 : 1, stride = op->window.stride.w;
    const int32_t between = rows_of_pair * stride; /* rows of the input from a band to the next */
    depthwise_3x3_task_t *task = (void *)scratch;

#pragma GCC unroll 1
    for (int32_t i = columns.first; i < columns.last; i += op->columns) {
        const int32_t width = lesser(op->columns, columns.last - i);
        const depthwise_work_t work = depthwise_planes(op, (word_t *)(void *)(task + 1),
                                                       op->band + 1, i * stride - op->window.pad.w,
                                                       (width - 1) * stride + 3, x->pixel_bytes);
        const depthwise_span_t *const span = work.spans;
        depthwise_3x3_blocks(p, task, width);
#pragma GCC unroll 1
        for (int32_t c = 0; c < op->x.c; c += DEPTHWISE_GROUP) {
            const span_t channels = {c, lesser(c + DEPTHWISE_GROUP, op->x.c)};
            const int32_t at =
                lesser(c, op->x.c - DEPTHWISE_GROUP) + (span->first - x->first) * x->pixel_bytes;
            const int32_t filled = span->count > 0 ? 0 : op->band + 1; /* with padding */
            int32_t slot = filled;
#pragma GCC unroll 1
            for (span_t left = rows; left.first < left.last;) {
                const int32_t pairs = depthwise_next(op, left, rows_of_pair);
                const int32_t count = lesser(pairs * rows_of_pair, left.last - left.first);
                const int32_t top = left.first * stride - op->window.pad.h;
                int8_t *to = made_row(&y, left.first);
                const int32_t below = count > 1 ? y.row_bytes : 0;
#pragma GCC unroll 1
                for (; slot < pairs + 1; slot++) {
                    depthwise_3x3_expand(op, &work, x, top + 2 * slot, at,
                                         work.planes + slot * work.pair_words + span->to);
                }
                depthwise_3x3_channels(p, task, &work, channels, to, below, count, width);
                left.first += count;
                slot = filled;
                if (left.first < left.last && between == 2) {
                    depthwise_keep(&work, 1, pairs);
                    slot = greater(filled, 1);
                }
            }
        }
        y.base += width * op->y_step.w;
    }
}

/*
 * The whole op: x [H, W, C] to y [OH, OW, OC], or both with rows for columns. y may be x if the
 * depth multiplier is 1 and no output reaches an input that is not expanded yet; whoever calls this
 * has checked it.
 */
SHARED void depthwise_3x3(const depthwise_3x3_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t all = {.base = x, .row_bytes = p->op.x_step.h, .pixel_bytes = p->op.x_step.w};
    const made_rows_t made = {.base = y, .row_bytes = p->op.y_step.h};
    depthwise_3x3_rows(p, &all, (span_t){0, p->op.y.h}, (span_t){0, p->op.y.w}, made, scratch);
}

/* Several whole rows. */
KERNEL void depthwise_3x3_batch(const depthwise_3x3_t *p, rows_t x, span_t rows, span_t columns,
                                made_rows_t y, int8_t *scratch)
{
    depthwise_3x3_rows(p, &x, rows, columns, y, scratch);
}

/* Columns of one row. */
KERNEL void depthwise_3x3_row(const depthwise_3x3_t *p, rows_t x, int32_t row, span_t columns,
                              int8_t *y, int8_t *scratch)
{
    const made_rows_t made = {.base = y};
    depthwise_3x3_rows(p, &x, (span_t){row, row + 1}, columns, made, scratch);
}

#endif
