/*
 * 3x3 depthwise convolution for ARMv7E-M, with strides of 1 and 2, in place or not, and by rows.
 *
 * Planes are prepared as in depthwise.h; the cores of depthwise_3x3_cores.h are faster, and go
 * through the channels themselves. Streams make rows one by one, and then what lies around the
 * blocks counts as much as they do: a single row has a function of its own, which finds the three
 * rows of its input once for all channels.
 */
#ifndef BENCH_KERNELS_ARMV7EM_DEPTHWISE_3X3_H
#define BENCH_KERNELS_ARMV7EM_DEPTHWISE_3X3_H

#include "armv7em/depthwise.h"
#include "armv7em/depthwise_3x3_cores.h"

/* `weights` are those that the cores take, [OC]; `core` of the op is not used. */
struct depthwise_3x3;

/* Computes the channel at which a core has stopped, with the rounding of the reference. */
typedef void depthwise_3x3_exactly_t(const struct depthwise_3x3 *p,
                                     const depthwise_3x3_task_t *task, int32_t width);

typedef struct depthwise_3x3 {
    depthwise_short_t op;
    depthwise_3x3_core_t *core;
    depthwise_3x3_exactly_t *exactly; /* NULL, and not linked, where no channel needs it */
    bool makes_two_rows;              /* so does the core, from a pair of rows and the next one */
} depthwise_3x3_t;

/*
 * Prepares scratch for `slots` pairs of rows, and says to the core how `width` outputs of a row, or
 * of two, are divided into blocks: outputs from column `first` on. Where rows are made one by one,
 * three outputs are a block of four whose last output gives way to the third.
 */
SHARED void depthwise_3x3_begin(const depthwise_3x3_t *p, depthwise_3x3_task_t *task,
                                depthwise_work_t *work, int8_t *scratch, int32_t slots,
                                int32_t first, int32_t width, int32_t pixel_bytes)
{
    const depthwise_short_t *op = &p->op;
    const int32_t stride = op->window.stride.w, line = op->line_words * 4, column = stride * 4;
    const int32_t step = width > 1 ? op->y_step.w : 0; /* the second of two is not wanted then */

    depthwise_planes(op, work, (word_t *)(void *)scratch, slots, first * stride - op->window.pad.w,
                     (width - 1) * stride + 3, pixel_bytes);
    task->addend = op->addend;
    task->pixel_bytes = step;
    task->three = 3 * step;
    task->begin = &task->bias;
    task->bytes_1_and_3 = 0xff00ff00;
    if (p->makes_two_rows) {
        const int32_t odd = width % 3, twos = odd == 1 && width > 1 ? 2 : divide_up(odd, 2);
        task->wide = greater(width - 2 * twos, 0) * column;
        task->narrow = 2 * twos * column;
        task->next = line;
        task->back = 12 - line;
        task->y_skip = 2 * op->y_step.h - width * step;
    } else {
        if (width == 3) {
            width = 4;
            task->three = 2 * step;
        }
        const int32_t odd = width > 1 ? width % 2 : 0, twos = divide_up(width % 4, 2);
        task->wide = width / 4 * 4 * column;
        task->narrow = 2 * twos * column;
        task->next = line - 24;
        task->back = 4 * column - 24 - line;
        task->y_skip = op->y_step.h - width * step;
        task->x_overlap = -odd * column;
        task->y_overlap = -odd * step;
    }
    task->x_skip = line - greater(width, 2) * column;
}

SELDOM void depthwise_3x3_exactly(const depthwise_3x3_t *p, const depthwise_3x3_task_t *task,
                                  int32_t width)
{
    const depthwise_short_t *op = &p->op;
    const depthwise_3x3_weights_t *w = task->weights;
    const int32_t *exact = op->exact + 3 * task->channel[0];
    const int8_t columns[3][3] = {
        {w->a0, w->b0, w->c0}, {w->a1, w->b1, w->c1}, {w->a2, w->b2, w->c2}};
    const int32_t stride = op->window.stride.w;
    for (int32_t row = 0; row < task->rows; row++) {
        const int32_t top = row * stride, odd = 16 * (top % 2), even = 16 - odd;
        const word_t *line = (const word_t *)task->x + top / 2 * op->line_words;
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

/* Says to the core how many rows of a channel it makes, from `pairs` of lines. */
KERNEL void depthwise_3x3_band(const depthwise_3x3_t *p, depthwise_3x3_task_t *task,
                               const depthwise_work_t *work, int32_t rows, int32_t pairs,
                               int32_t row_bytes)
{
    const depthwise_short_t *op = &p->op;
    const int32_t made = p->makes_two_rows ? 2 * pairs : pairs;
    const int32_t plane_words = op->depth_multiplier == 1 ? work->plane_words : 0;
    task->rows = rows;
    task->below = rows > 1 ? row_bytes : 0;
    task->x_channel = (plane_words - pairs * op->line_words) * 4 + task->x_skip;
    task->y_channel = 1 - made * op->y_step.h + task->y_skip;
}

/* Computes channels up to the task's last one, the first of which the core does not. */
SELDOM void depthwise_3x3_go_on(const depthwise_3x3_t *p, depthwise_3x3_task_t *task,
                                int32_t plane_words, int32_t width)
{
    do {
        p->exactly(p, task, width);
        task->channel += 2;
        task->weights++;
        task->x += plane_words;
        task->y++;
        p->core(task);
    } while (task->channel < task->last);
}

/*
 * Computes the output channels of the last `planes`, which begin with the task's channel; the task
 * goes on to what follows them.
 */
KERNEL void depthwise_3x3_channels(const depthwise_3x3_t *p, depthwise_3x3_task_t *task,
                                   const depthwise_work_t *work, int32_t planes, int32_t width)
{
    const int32_t multiplier = p->op.depth_multiplier;
    const int32_t plane_words = work->plane_words;
    const int32_t *x = (const int32_t *)work->planes;
    int32_t at_once = planes; /* neighbouring planes, or those of a plane go alike */
    if (planes < DEPTHWISE_GROUP) {
        x += (DEPTHWISE_GROUP - planes) * plane_words;
    }
    if (multiplier > 1) {
        at_once = multiplier;
    }
    task->last = task->channel;
#pragma GCC unroll 1
    do {
        task->last += 2 * at_once;
        task->x = x;
        p->core(task);
        if (task->channel < task->last) {
            depthwise_3x3_go_on(p, task, multiplier == 1 ? plane_words : 0, width);
        }
        x += plane_words;
    } while (multiplier > 1 && --planes > 0);
}

/* A row of the input at some column, or padding, where a row has but one pixel. */
typedef struct {
    const int8_t *at;
    int32_t step;  /* to the next pixel that is expanded */
    int32_t group; /* to the next four channels */
} depthwise_3x3_input_t;

SHARED depthwise_3x3_input_t depthwise_3x3_input(const depthwise_3x3_t *p,
                                                 const depthwise_work_t *work, const rows_t *x,
                                                 int32_t row)
{
    if (row < 0 || row >= p->op.x.h) {
        return (depthwise_3x3_input_t){(const int8_t *)&work->padding, 0, 0};
    }
    const int8_t *at = pixel_at(x, row, work->spans->first);
    return (depthwise_3x3_input_t){at, work->step, DEPTHWISE_GROUP};
}

/* Columns of one row, op->columns at a time. */
SHARED void depthwise_3x3_one_row(const depthwise_3x3_t *p, const rows_t *x, int32_t row,
                                  span_t columns, int8_t *y, int8_t *scratch)
{
    const depthwise_short_t *op = &p->op;
    const int32_t top = row * op->window.stride.w - op->window.pad.h;
    depthwise_3x3_task_t task;
    depthwise_work_t work;

#pragma GCC unroll 1
    for (int32_t i = columns.first; i < columns.last; i += op->columns) {
        const int32_t width = lesser(op->columns, columns.last - i);
        depthwise_3x3_begin(p, &task, &work, scratch, 2, i, width, x->pixel_bytes);
        depthwise_3x3_input_t upper = depthwise_3x3_input(p, &work, x, top);
        depthwise_3x3_input_t middle = depthwise_3x3_input(p, &work, x, top + 1);
        depthwise_3x3_input_t lower = depthwise_3x3_input(p, &work, x, top + 2);
        const depthwise_spread_t two = {upper.step, middle.step, work.plane_words * 4,
                                        work.spans->count};
        const depthwise_spread_t one = {lower.step, 0, work.plane_words * 4, work.spans->count};
        word_t *const line = work.planes + work.spans->to;

        depthwise_3x3_band(p, &task, &work, 1, 1, 0);
        task.channel = op->channels;
        task.weights = op->weights;
        task.y = y;
#pragma GCC unroll 1
        for (int32_t left = op->x.c; left > 0; left -= DEPTHWISE_GROUP) {
            const int32_t planes = lesser(left, DEPTHWISE_GROUP);
            if (planes < DEPTHWISE_GROUP) { /* with channels of the group before */
                upper.at += upper.group > 0 ? planes - DEPTHWISE_GROUP : 0;
                middle.at += middle.group > 0 ? planes - DEPTHWISE_GROUP : 0;
                lower.at += lower.group > 0 ? planes - DEPTHWISE_GROUP : 0;
            }
            if (two.count > 0) {
                depthwise_expand(upper.at, middle.at, line, &two);
                depthwise_expand_upper(lower.at, line + work.pair_words, &one);
            }
            upper.at += upper.group;
            middle.at += middle.group;
            lower.at += lower.group;
            depthwise_3x3_channels(p, &task, &work, planes, width);
        }
        y += width * op->y_step.w;
    }
}

/*
 * Expands four channels of the input's rows from `row` on into `pairs` of lines from `to` on, or
 * padding where there is no such row. Row 0 is at x.
 */
KERNEL void depthwise_3x3_expand(const depthwise_3x3_t *p, const depthwise_work_t *work,
                                 const int8_t *x, int32_t row_bytes, int32_t row, word_t *to,
                                 int32_t pairs)
{
    const int8_t *const padding = (const int8_t *)&work->padding;
    const uint32_t rows = (uint32_t)p->op.x.h;
    const int32_t step = work->step, words = work->pair_words;
    depthwise_spread_t how = {.plane_bytes = work->plane_words * 4, .count = work->spans->count};
    x += row * row_bytes;
#pragma GCC unroll 1
    for (; pairs > 0; pairs--, to += words, row += 2, x += 2 * row_bytes) {
        const bool has_upper = (uint32_t)row < rows, has_lower = (uint32_t)row + 1 < rows;
        how.upper_step = has_upper ? step : 0;
        how.lower_step = has_lower ? step : 0;
        depthwise_expand(has_upper ? x : padding, has_lower ? x + row_bytes : padding, to, &how);
    }
}

/*
 * Columns of output rows, op->columns at a time, and op->band pairs of input rows at a time. The
 * rows of the input lie one behind the other.
 */
SHARED void depthwise_3x3_rows(const depthwise_3x3_t *p, const rows_t *x, span_t rows,
                               span_t columns, made_rows_t y, int8_t *scratch)
{
    const depthwise_short_t *op = &p->op;
    const int32_t rows_of_pair = p->makes_two_rows ? 2 : 1, stride = op->window.stride.w;
    const int32_t most = op->band * rows_of_pair;
    depthwise_3x3_task_t task;
    depthwise_work_t work;

#pragma GCC unroll 1
    for (int32_t i = columns.first; i < columns.last; i += op->columns) {
        const int32_t width = lesser(op->columns, columns.last - i);
        depthwise_3x3_begin(p, &task, &work, scratch, op->band + 1, i, width, x->pixel_bytes);
        const int32_t *channel = op->channels;
        const depthwise_3x3_weights_t *weights = op->weights;
        word_t *const line = work.planes + work.spans->to;
        int32_t pairs = 0;

        task.rows = 0;
#pragma GCC unroll 1
        for (int32_t c = 0; c < op->x.c; c += DEPTHWISE_GROUP) {
            const int32_t planes = lesser(op->x.c - c, DEPTHWISE_GROUP);
            const int8_t *in = pixel_at(x, 0, work.spans->first) + c + planes - DEPTHWISE_GROUP;
            int32_t kept = 0; /* pairs that the band before has left */
#pragma GCC unroll 1
            for (int32_t row = rows.first; row < rows.last; row += task.rows) {
                const int32_t count = lesser(rows.last - row, most);
                if (count != task.rows) {
                    pairs = divide_up(count, rows_of_pair);
                    depthwise_3x3_band(p, &task, &work, count, pairs, y.row_bytes);
                }
                if (kept > 0) {
                    depthwise_keep(&work, 1, op->band);
                }
                if (work.spans->count > 0) {
                    depthwise_3x3_expand(p, &work, in, x->row_bytes,
                                         row * stride - op->window.pad.h + 2 * kept,
                                         line + kept * work.pair_words, pairs + 1 - kept);
                }
                task.channel = channel;
                task.weights = weights;
                task.y = made_row(&y, row) + c * op->depth_multiplier;
                depthwise_3x3_channels(p, &task, &work, planes, width);
                kept = 1;
            }
            channel = task.channel;
            weights = task.weights;
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
    depthwise_3x3_one_row(p, &x, row, columns, y, scratch);
}

#endif
