/*
 * Depthwise convolution for MVE. A channel's taps lie far apart in a tensor [H, W, C], so up to
 * eight channels at a time are gathered into lines in which the taps of a window are neighbours:
 *
 *     column 0 |r0 r1 r2 ..|  column 1 |r0 r1 r2 ..|  column 2 |r0 r1 r2 ..|  ...
 *     \__________ `pitch` bytes a column, KH of them under a window ______/
 *
 * The window of an output is then one run of bytes, which VMLADAVA.S8 multiplies 16 at a time with
 * weights in the same order, 0 where a column holds more rows than the kernel. A pitch above KH
 * lets several output rows be made of the same lines, each a byte (times the stride) further. If a
 * few windows lie within the same 16 or 32 bytes, these are loaded once, and multiplied with
 * weights that are shifted for each. Either eight windows of a channel are made together or, where
 * planes are small, a window of eight channels.
 *
 * Several rows slide: the next ones are written into the lines further on, over rows that are not
 * needed any more, so that each element is gathered once. What an output row sees of a channel is
 * gathered before the row is written, over that row of the input which its window begins with, or
 * anything before it.
 */
#ifndef BENCH_KERNELS_MVE_DEPTHWISE_H
#define BENCH_KERNELS_MVE_DEPTHWISE_H

#include "channels.h"
#include "gather.h"
#include "windows.h"

/* Columns of one output row, `columns` of them at a time. */
SHARED void mve_depthwise_row(const mve_depthwise_t *p, rows_t x, int32_t row, span_t columns,
                              int8_t *y, int8_t *scratch)
{
    const window_t *w = &p->window;
    const int32_t top = row * w->stride.h - w->pad.h;
    for (int32_t i = columns.first; i < columns.last; i += p->columns, y += p->columns * p->y.c) {
        const int32_t count = lesser(p->columns, columns.last - i);
        const cells_t under = cells_under(p, i, count);
        depthwise_pass_t pass;
        cells_row_t cells = cells_row(p, &x, &under);
        prepare_passes(&pass, p, 1, count, 0);
        for (int32_t c = 0; c < p->x.c; c += p->lines) {
            take_channels(&cells, p, c, 0);
            gather_rows(p, &x, top, w->kernel.h, &cells, scratch);
            const int32_t first = c * p->depth_multiplier;
            const int32_t channels = lesser(p->lines * p->depth_multiplier, p->y.c - first);
            run_passes(&pass, scratch, first, channels, y + first);
        }
    }
}

/* Several whole rows one by one, for kernels that do not slide. */
KERNEL void mve_depthwise_batch_by_rows(const mve_depthwise_t *p, rows_t x, span_t rows,
                                        span_t columns, made_rows_t y, int8_t *scratch)
{
    for (int32_t row = rows.first; row < rows.last; row++) {
        mve_depthwise_row(p, x, row, columns, made_row(&y, row), scratch);
    }
}

KERNEL made_rows_t all_rows(const mve_depthwise_t *p, int8_t *y)
{
    return (made_rows_t){.base = y, .row_bytes = p->y.w * p->y.c};
}

KERNEL void mve_depthwise_by_rows(const mve_depthwise_t *p, const int8_t *x, int8_t *y,
                                  int8_t *scratch)
{
    mve_depthwise_batch_by_rows(p, whole_rows(x, &p->x), (span_t){0, p->y.h}, all_columns(&p->y),
                                all_rows(p, y), scratch);
}

/* Moves lines `by` bytes back. */
KERNEL void slide_back(int8_t *lines, int32_t by, int32_t size)
{
    for (int32_t i = 0; i < size; i += 16) {
        vstrbq_s8(lines + i, vldrbq_s8(lines + i + by));
    }
}

/* The rows of the input, or of the padding around it, that some rows of the output see. */
KERNEL span_t rows_seen(const mve_depthwise_t *p, span_t rows)
{
    const window_t *w = &p->window;
    const int32_t first = rows.first * w->stride.h - w->pad.h;
    return (span_t){first, (rows.last - 1) * w->stride.h - w->pad.h + w->kernel.h};
}

/* Rows of up to eight channels from `c` on. */
KERNEL void depthwise_slide(depthwise_pass_t *pass, const rows_t *x, const cells_row_t *cells,
                            int32_t c, span_t rows, const made_rows_t *y, int8_t *lines)
{
    const mve_depthwise_t *p = pass->p;
    const int32_t out = c * p->depth_multiplier, channels = cells->channels * p->depth_multiplier;
    int32_t origin = rows_seen(p, rows).first; /* which row is at lines[0] */
    int32_t gathered = origin;                 /* the next row */

    for (int32_t row = rows.first; row < rows.last; row += p->rows) {
        const int32_t count = lesser(p->rows, rows.last - row);
        const span_t seen = rows_seen(p, (span_t){row, row + count});
        if (seen.first - origin > p->slack) {
            const int32_t by = seen.first - origin;
            slide_back(lines, by, p->lines * p->line_bytes - by);
            origin = seen.first;
        }
        gathered = greater(gathered, seen.first);
        gather_rows(p, x, gathered, seen.last - gathered, cells, lines + gathered - origin);
        gathered = seen.last;
        if (count != pass->rows) {
            set_rows(pass, count);
        }
        run_passes(pass, lines + seen.first - origin, out, channels, made_row(y, row) + out);
    }
}

/* The same of rows that lines hold at once: their padding stays for all channels. */
KERNEL void depthwise_plane(depthwise_pass_t *pass, const rows_t *x, cells_row_t *cells, int32_t c,
                            span_t rows, const made_rows_t *y, int8_t *lines)
{
    const mve_depthwise_t *p = pass->p;
    const int32_t out = c * p->depth_multiplier;
    const span_t seen = rows_seen(p, rows);
    if (c == 0) {
        gather_rows(p, x, seen.first, seen.last - seen.first, cells, lines);
        keep_padding(cells);
    } else {
        const span_t inside = overlap(seen, (span_t){0, p->x.h});
        int8_t *inner = lines + inside.first - seen.first + cells->kept * cells->pitch;
        gather_rows(p, x, inside.first, inside.last - inside.first, cells, inner);
    }
    run_passes(pass, lines, out, cells->channels * p->depth_multiplier,
               made_row(y, rows.first) + out);
}

/* Whole rows without dilation. */
SHARED void depthwise_rows(const mve_depthwise_t *p, const rows_t *x, span_t rows,
                           const made_rows_t *y, int8_t *scratch)
{
    const cells_t under = cells_under(p, 0, p->y.w);
    cells_row_t cells = cells_row(p, x, &under);
    const int32_t count = rows.last - rows.first;
    const int32_t followed = x->slots == 0 ? lesser(rows_seen(p, rows).last, p->x.h) - 1 : 0;
    depthwise_pass_t pass;
    prepare_passes(&pass, p, lesser(p->rows, count), p->y.w, y->row_bytes);
    for (int32_t c = 0; c < p->x.c; c += p->lines) {
        take_channels(&cells, p, c, followed);
        if (p->rows < count || cells.inside <= 0) {
            depthwise_slide(&pass, x, &cells, c, rows, y, scratch);
        } else {
            depthwise_plane(&pass, x, &cells, c, rows, y, scratch);
        }
    }
}

/* Several whole rows. */
KERNEL void mve_depthwise_batch(const mve_depthwise_t *p, rows_t x, span_t rows, span_t columns,
                                made_rows_t y, int8_t *scratch)
{
    (void)columns;
    depthwise_rows(p, &x, rows, &y, scratch);
}

/* The whole op; y may begin where x begins. */
KERNEL void mve_depthwise(const mve_depthwise_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t whole = whole_rows(x, &p->x);
    const made_rows_t made = all_rows(p, y);
    depthwise_rows(p, &whole, (span_t){0, p->y.h}, &made, scratch);
}

KERNEL void mve_depthwise_inplace(const mve_depthwise_t *p, int8_t *x, int8_t *scratch)
{
    mve_depthwise(p, x, x, scratch);
}

#endif
