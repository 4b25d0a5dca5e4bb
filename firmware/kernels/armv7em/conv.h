/*
 * Convolution of int8 tensors [H, W, C], three pixels at a time, on cores with the DSP extension.
 *
 * All cells that three windows see are gathered and expanded to 16 bits on scratch, then block.h
 * makes all channels of the three pixels. Of a window, the cells that lie side by side in memory
 * are a run: a row of the kernel, or one cell if it is dilated. A run is expanded in words of four
 * values; the values of all runs that are left over come last, two by two. Where the products are
 * no more for it, none are left over: the last word of a run reaches past it, and meets weights of
 * 0.
 *
 * The input's zero point is folded into the bias, so a padded cell counts as one that holds it. A
 * window at the border is put together on scratch, run by run.
 */
#ifndef BENCH_KERNELS_ARMV7EM_CONV_H
#define BENCH_KERNELS_ARMV7EM_CONV_H

#include "armv7em/block.h"
#include "armv7em/expand.h"

#define MAX_RUNS 32
#define FEW 16 /* bytes */

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t padding;      /* what a padded cell holds: the input's zero point */
    int32_t row_runs;     /* runs in a row of the kernel */
    int32_t run_cells;    /* cells of a run */
    int32_t border_bytes; /* scratch: where a run at the border is put together */
    gather_t gather;      /* at most MAX_RUNS runs */
    gather_fn_t *lanes;
    filters_t filters;
} dsp_conv_t;

typedef struct {
    shape_t x, y;  /* one row of all pixels */
    int32_t words; /* of a pixel's channels */
    filters_t filters;
} dsp_pointwise_t;

/*
 * How many of some pixels are made next, by a block of `lanes`: of four, two and two, which is less
 * than three and one.
 */
KERNEL int32_t next_lanes(int32_t pixels, int32_t lanes)
{
    return lanes > 2 && pixels == lanes + 1 ? 2 : lesser(pixels, lanes);
}

/*
 * All channels of `count` pixels of a row, the first of them at x, to y. Pixels are read before
 * they are written, three by three: y may be x if it has no more channels.
 */
SHARED void dsp_pointwise_pixels(const dsp_pointwise_t *p, const int8_t *x, int8_t *y,
                                 int32_t count, int8_t *scratch)
{
    const int32_t from = p->x.c, to = p->y.c, rounds = divide_up(p->words, EXPAND_UNROLLED);
    const int32_t skip = (EXPAND_UNROLLED * rounds - p->words) * EXPAND_BYTES;
    void *const values = scratch;
    block_fn_t *const only = only_block(&p->filters);
    const dot_t *const dot = &p->filters.parts->dot;

    for (; count >= LANES && count != LANES + 1;
         count -= LANES, x += LANES * from, y += LANES * to) {
        expand_lanes(values, x, x + from, x + 2 * from, skip, rounds);
        if (only != 0) {
            only(dot, values, y, to, 2 * to);
        } else {
            make_channels(&p->filters, values, y, LANES, to, 2 * to);
        }
    }
#pragma GCC unroll 1
    while (count > 0) {
        const int32_t lanes = next_lanes(count, LANES), second = lanes - 1;
        expand_lanes(values, x, x + second * from, x, skip, rounds);
        make_channels(&p->filters, values, y, lanes, second * to, 0);
        count -= lanes;
        x += lanes * from;
        y += lanes * to;
    }
}

KERNEL void dsp_pointwise(const dsp_pointwise_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    dsp_pointwise_pixels(p, x, y, p->y.w, scratch);
}

KERNEL void dsp_pointwise_inplace(const dsp_pointwise_t *p, int8_t *y, int8_t *scratch)
{
    dsp_pointwise_pixels(p, y, y, p->y.w, scratch);
}

/* Columns of one output row. */
KERNEL void dsp_pointwise_row(const dsp_pointwise_t *p, rows_t x, int32_t row, span_t columns,
                              int8_t *y, int8_t *scratch)
{
    const int8_t *from = pixel_at(&x, row, columns.first);
    dsp_pointwise_pixels(p, from, y, columns.last - columns.first, scratch);
}

/* Several whole rows. */
KERNEL void dsp_pointwise_batch(const dsp_pointwise_t *p, rows_t x, span_t rows, span_t columns,
                                made_rows_t y, int8_t *scratch)
{
    dsp_pointwise_pixels(p, row_at(&x, rows.first), made_row(&y, rows.first),
                         (rows.last - rows.first) * columns.last, scratch);
}

/* A row of output pixels: where its runs begin for column 0, or 0 where a run is in the padding. */
typedef struct {
    const int8_t *runs[MAX_RUNS];
    int32_t row;
    span_t inner; /* the columns whose windows lie on the tensor; empty if a run does not */
} conv_lines_t;

SHARED void find_lines(const dsp_conv_t *p, const rows_t *x, int32_t row, conv_lines_t *lines)
{
    const window_t *w = &p->window;
    int32_t top = row * w->stride.h - w->pad.h;
    const int8_t **run = lines->runs;
    bool is_inner = true;

#pragma GCC unroll 1
    for (int32_t k = 0; k < w->kernel.h; k++, top += w->dilation.h) {
        const bool is_row = top >= 0 && top < p->x.h;
        const int8_t *line = is_row ? row_at(x, top) - (w->pad.w + x->first) * p->x.c : 0;
        is_inner = is_inner && is_row;
#pragma GCC unroll 1
        for (int32_t i = 0; i < p->row_runs; i++) {
            *run++ = is_row ? line + i * w->dilation.w * p->x.c : 0;
        }
    }
    lines->row = row;
    lines->inner = is_inner ? columns_inside(w, p->y.w, p->x.w) : (span_t){0, 0};
}

/* Byte by byte, through a volatile: of a plain loop GCC makes a call, which takes longer. */
KERNEL void copy_few(const int8_t *x, int8_t *to, int32_t size)
{
    volatile int8_t *const each = to;
#pragma GCC unroll 1
    for (int32_t i = 0; i < size; i++) {
        each[i] = x[i];
    }
}

KERNEL void copy_cells(const int8_t *x, int8_t *to, int32_t size)
{
    if (size < FEW) {
        copy_few(x, to, size);
    } else {
        __builtin_memcpy(to, x, (uint32_t)size);
    }
}

/* Values of a run that are left over, behind those of runs before; returns how many there are. */
KERNEL int32_t expand_rest(const int8_t *run, int32_t count, int32_t before, int16_t *rest,
                           int32_t lanes)
{
#pragma GCC unroll 1
    for (int32_t i = 0; i < count; i++, before++) {
        rest[before / 2 * (2 * lanes) + before % 2] = run[i];
    }
    return before;
}

/* A window on the tensor to one of `lanes`. */
KERNEL void gather_one(int32_t *to, const int8_t *const *runs, int32_t first, const gather_t *p,
                       int32_t lanes)
{
    int16_t *const rest = (void *)((int8_t *)to + p->rest_bytes);
    const int32_t words = p->words;
    int32_t left_over = 0;

#pragma GCC unroll 1
    for (const int8_t *const *const end = runs + p->runs; runs < end; runs++) {
        const int8_t *const run = *runs + first;
        to = expand_lane(to, run, words, lanes);
        left_over = expand_rest(run + 4 * words, p->rest, left_over, rest, lanes);
    }
}

/*
 * A window at the border to one of `lanes`. Runs that are partly on the tensor are put together on
 * `border`: its cells beside the tensor stay padding from run to run. Behind it is a run of nothing
 * but padding.
 */
KERNEL void border_one(const dsp_conv_t *p, const conv_lines_t *lines, int32_t column, int32_t *to,
                       int8_t *border, int32_t lanes)
{
    const gather_t *const gather = &p->gather;
    const int32_t c = p->x.c, cells = p->run_cells, first = column * gather->step;
    const int32_t left = column * p->window.stride.w - p->window.pad.w;
    const int8_t *const padding = border + p->border_bytes;
    int16_t *const rest = (void *)((int8_t *)to + gather->rest_bytes);
    int32_t in_row = 0, left_over = 0;

    __builtin_memset(border, p->padding, (uint32_t)(2 * p->border_bytes));
#pragma GCC unroll 1
    for (int32_t k = 0; k < gather->runs; k++) {
        const int8_t *run = lines->runs[k];
        const int32_t cell = left + in_row * p->window.dilation.w;
        const span_t on = overlap((span_t){0, cells}, (span_t){-cell, p->x.w - cell});
        const int32_t inside = on.last - on.first;
        if (run == 0 || inside <= 0) {
            run = padding;
        } else if (inside < cells) {
            copy_cells(run + first + on.first * c, border + on.first * c, inside * c);
            run = border;
        } else {
            run += first;
        }
        to = expand_lane(to, run, gather->words, lanes);
        left_over = expand_rest(run + 4 * gather->words, gather->rest, left_over, rest, lanes);
        in_row = in_row + 1 < p->row_runs ? in_row + 1 : 0;
    }
}

/* What makes one of the lanes of a block: where all of its cells are on the tensor, or not. */
typedef void gather_one_t(int32_t *to, const int8_t *const *runs, int32_t first, const gather_t *p);
typedef void border_one_t(const dsp_conv_t *p, const conv_lines_t *lines, int32_t column,
                          int32_t *to, int8_t *border);

SHARED void gather_lane(int32_t *to, const int8_t *const *runs, int32_t first, const gather_t *p)
{
    gather_one(to, runs, first, p, LANES);
}

SHARED void border_lane(const dsp_conv_t *p, const conv_lines_t *lines, int32_t column, int32_t *to,
                        int8_t *border)
{
    border_one(p, lines, column, to, border, LANES);
}

/*
 * Columns of `rows` output rows from `row` on, to y without a gap, by blocks of `lanes` pixels,
 * which go on in the next row.
 */
KERNEL void conv_rows(const dsp_conv_t *p, const rows_t *x, int32_t row, int32_t rows,
                      span_t columns, int8_t *y, int8_t *scratch, int32_t lanes,
                      gather_one_t *gather, border_one_t *border)
{
    const int32_t c = p->y.c, width = columns.last - columns.first;
    int32_t *const values = (void *)(scratch + 2 * p->border_bytes);
    block_fn_t *const only = only_block(&p->filters);
    int32_t column = columns.first, left = rows * width;
    conv_lines_t lines;

    find_lines(p, x, row, &lines);
#pragma GCC unroll 1
    for (int32_t count; left > 0; left -= count, y += count * c) {
        count = next_lanes(left, lanes);
        if (column == columns.last) {
            column = columns.first;
            find_lines(p, x, lines.row + 1, &lines);
        }
        if (count == lanes && column >= lines.inner.first &&
            column + lanes <= lesser(lines.inner.last, columns.last)) {
            p->lanes(values, lines.runs, column * p->gather.step, &p->gather);
            column += lanes;
            if (only != 0) {
                only(&p->filters.parts->dot, values, y, c, 2 * c);
                continue;
            }
        } else {
#pragma GCC unroll 1
            for (int32_t lane = 0; lane < count; lane++, column++) {
                if (column == columns.last) {
                    column = columns.first;
                    find_lines(p, x, lines.row + 1, &lines);
                }
                if (is_in(lines.inner, column)) {
                    const int32_t first = column * p->gather.step;
                    gather(values + lane, lines.runs, first, &p->gather);
                } else {
                    border(p, &lines, column, values + lane, scratch);
                }
            }
        }
        make_channels(&p->filters, values, y, count, count > 1 ? c : 0, count > 2 ? 2 * c : 0);
    }
}

SHARED void dsp_conv_rows(const dsp_conv_t *p, const rows_t *x, int32_t row, int32_t rows,
                          span_t columns, int8_t *y, int8_t *scratch)
{
    conv_rows(p, x, row, rows, columns, y, scratch, LANES, gather_lane, border_lane);
}

KERNEL void dsp_conv_row(const dsp_conv_t *p, rows_t x, int32_t row, span_t columns, int8_t *y,
                         int8_t *scratch)
{
    dsp_conv_rows(p, &x, row, 1, columns, y, scratch);
}

/* Several whole rows. */
KERNEL void dsp_conv_batch(const dsp_conv_t *p, rows_t x, span_t rows, span_t columns,
                           made_rows_t y, int8_t *scratch)
{
    dsp_conv_rows(p, &x, rows.first, rows.last - rows.first, columns, made_row(&y, rows.first),
                  scratch);
}

KERNEL void dsp_conv(const dsp_conv_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t all = whole_rows(x, &p->x);
    dsp_conv_rows(p, &all, 0, p->y.h, all_columns(&p->y), y, scratch);
}

/*
 * A convolution whose input is put into its padding on scratch first: all of it, or what a band of
 * output rows sees.
 */
typedef struct {
    dsp_conv_t conv;   /* of the padded rows of a band: without padding */
    int32_t height;    /* rows of the input, */
    int32_t row_bytes; /* bytes of each, */
    int32_t above;     /* and rows of padding above them */
    int32_t seen, at;  /* bytes of a row that windows see, and where they begin in a padded one */
    int32_t band;      /* output rows at a time */
} dsp_conv_padded_t;

typedef void conv_rows_t(const dsp_conv_t *p, const rows_t *x, int32_t row, int32_t rows,
                         span_t columns, int8_t *y, int8_t *scratch);

/* Puts `rows` of the input, and padding where there are none, to `band`. */
SHARED void conv_pad(const dsp_conv_padded_t *p, const rows_t *x, span_t rows, int8_t *band)
{
    const int32_t row_bytes = p->conv.x.w * p->conv.x.c;
    const span_t on = overlap(rows, (span_t){0, p->height});
    int8_t *to = band + (on.first - rows.first) * row_bytes + p->at;

    __builtin_memset(band, p->conv.padding, (uint32_t)((rows.last - rows.first) * row_bytes));
#pragma GCC unroll 1
    for (int32_t row = on.first; row < on.last; row++, to += row_bytes) {
        __builtin_memcpy(to, row_at(x, row), (uint32_t)p->seen);
    }
}

/*
 * Rows where little is padded: no window is at the border then, and blocks of `lanes` rows can be
 * one pixel wide, however few columns there are. Others make rows that are left over.
 */
KERNEL void conv_padded(const dsp_conv_padded_t *p, const rows_t *x, span_t rows, int8_t *y,
                        int8_t *scratch, int32_t lanes, conv_rows_t *others)
{
    const dsp_conv_t *const conv = &p->conv;
    const int32_t row_bytes = conv->x.w * conv->x.c, stride = conv->window.stride.h;
    const rows_t padded = whole_rows(scratch, &conv->x);
    const int32_t below = conv->y.w * conv->y.c;
    int8_t *const rest = scratch + divide_up(conv->x.h * row_bytes, 4) * 4;
    void *const values = rest + 2 * conv->border_bytes;
    gather_t down = conv->gather;
    conv_lines_t lines;

    down.step = stride * row_bytes;
#pragma GCC unroll 1
    for (int32_t first = rows.first; first < rows.last; first += p->band) {
        const int32_t count = lesser(p->band, rows.last - first);
        const int32_t top = first * stride - p->above;
        int32_t row = 0;

        conv_pad(p, x, (span_t){top, top + conv->x.h - (p->band - count) * stride}, scratch);
#pragma GCC unroll 1
        for (; row + lanes <= count; row += lanes, y += (lanes - 1) * below) {
            find_lines(conv, &padded, row, &lines);
#pragma GCC unroll 1
            for (int32_t column = 0; column < conv->y.w; column++, y += conv->y.c) {
                conv->lanes(values, lines.runs, column * conv->gather.step, &down);
                make_channels(&conv->filters, values, y, lanes, below, 2 * below);
            }
        }
        if (row < count) {
            others(conv, &padded, row, count - row, all_columns(&conv->y), y, rest);
            y += (count - row) * below;
        }
    }
}

SHARED void dsp_conv_padded_rows(const dsp_conv_padded_t *p, const rows_t *x, span_t rows,
                                 int8_t *y, int8_t *scratch)
{
    conv_padded(p, x, rows, y, scratch, LANES, dsp_conv_rows);
}

/* Several whole rows, for all columns. */
KERNEL void dsp_conv_padded_batch(const dsp_conv_padded_t *p, rows_t x, span_t rows,
                                  UNUSED span_t columns, made_rows_t y, int8_t *scratch)
{
    dsp_conv_padded_rows(p, &x, rows, made_row(&y, rows.first), scratch);
}

KERNEL void dsp_conv_padded(const dsp_conv_padded_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t all = {.base = x, .row_bytes = p->row_bytes};
    dsp_conv_padded_rows(p, &all, (span_t){0, p->conv.y.h}, y, scratch);
}

#endif
