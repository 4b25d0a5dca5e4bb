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
 * Whole tensors slide: the next rows are written into the lines `advance` bytes further, over rows
 * that are not needed any more, so that each element is gathered once. The output may lie over the
 * input as for depthwise_inplace().
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
        prepare_passes(&pass, p, 1, count);
        for (int32_t c = 0; c < p->x.c; c += p->lines) {
            take_channels(&cells, p, c, p->x.h);
            gather_rows(p, &x, top, w->kernel.h, &cells, scratch);
            const int32_t first = c * p->depth_multiplier;
            const int32_t channels = lesser(p->lines * p->depth_multiplier, p->y.c - first);
            run_passes(&pass, scratch, first, channels, y + first);
        }
    }
}

/* Whole tensors by rows, for kernels that do not slide. */
KERNEL void mve_depthwise_by_rows(const mve_depthwise_t *p, const int8_t *x, int8_t *y,
                                  int8_t *scratch)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        mve_depthwise_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                          y + row * p->y.w * p->y.c, scratch);
    }
}

/* Moves lines `by` bytes back. */
KERNEL void slide_back(int8_t *lines, int32_t by, int32_t size)
{
    for (int32_t i = 0; i < size; i += 16) {
        vstrbq_s8(lines + i, vldrbq_s8(lines + i + by));
    }
}

/* Up to eight channels from `c` on of a whole tensor. */
KERNEL void depthwise_slide(depthwise_pass_t *pass, const rows_t *x, const cells_row_t *cells,
                            int32_t c, int8_t *y, int8_t *lines)
{
    const mve_depthwise_t *p = pass->p;
    const window_t *w = &p->window;
    const int32_t channels = cells->channels * p->depth_multiplier;
    int32_t gathered = 0, origin = 0; /* padded rows: up to which, and which is at lines[0] */

    for (int32_t row = 0; row < p->y.h; row += p->rows) {
        const int32_t rows = lesser(p->rows, p->y.h - row), first = row * w->stride.h;
        const int32_t end = first + (rows - 1) * w->stride.h + w->kernel.h;
        if (first - origin > p->slack) {
            slide_back(lines, first - origin, p->lines * p->line_bytes - (first - origin));
            origin = first;
        }
        gathered = greater(gathered, first);
        gather_rows(p, x, gathered - w->pad.h, end - gathered, cells, lines + gathered - origin);
        gathered = end;
        if (rows != pass->rows) {
            set_rows(pass, rows);
        }
        const int32_t out = c * p->depth_multiplier;
        run_passes(pass, lines + first - origin, out, channels, y + row * p->y.w * p->y.c + out);
    }
}

/* The same of planes that lines hold at once: their padding stays for all channels. */
KERNEL void depthwise_plane(depthwise_pass_t *pass, const rows_t *x, cells_row_t *cells, int32_t c,
                            int8_t *y, int8_t *lines)
{
    const mve_depthwise_t *p = pass->p;
    const int32_t top = p->window.pad.h, out = c * p->depth_multiplier;
    const int32_t end = (p->y.h - 1) * p->window.stride.h + p->window.kernel.h;
    if (c == 0) {
        gather_rows(p, x, -top, end, cells, lines);
        keep_padding(cells);
    } else {
        int8_t *inner = lines + top + cells->kept * cells->pitch;
        gather_rows(p, x, 0, lesser(end - top, p->x.h), cells, inner);
    }
    run_passes(pass, lines, out, cells->channels * p->depth_multiplier, y + out);
}

/* The whole op without dilation; y may begin where x begins. */
SHARED void mve_depthwise(const mve_depthwise_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t rows = whole_rows(x, &p->x);
    const cells_t under = cells_under(p, 0, p->y.w);
    cells_row_t cells = cells_row(p, &rows, &under);
    depthwise_pass_t pass;
    prepare_passes(&pass, p, lesser(p->rows, p->y.h), p->y.w);
    for (int32_t c = 0; c < p->x.c; c += p->lines) {
        take_channels(&cells, p, c, 1);
        if (p->rows < p->y.h || cells.inside <= 0) {
            depthwise_slide(&pass, &rows, &cells, c, y, scratch);
        } else {
            depthwise_plane(&pass, &rows, &cells, c, y, scratch);
        }
    }
}

KERNEL void mve_depthwise_inplace(const mve_depthwise_t *p, int8_t *x, int8_t *scratch)
{
    mve_depthwise(p, x, x, scratch);
}

#endif
