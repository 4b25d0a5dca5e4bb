/*
 * Convolution and fully connected for MVE: the cells under windows are gathered into columns, which
 * columns.h multiplies. The cells of a 1x1 kernel without padding are columns already.
 *
 * Input and output must not overlap, but where it says so.
 */
#ifndef BENCH_KERNELS_MVE_CONV_H
#define BENCH_KERNELS_MVE_CONV_H

#include "columns.h"

#define GATHERED_ROWS 5 /* of windows that have a function, at most */

/* Gathers `count` windows, of rows that begin at x[0], x[1], ..., all cells on the tensor. */
typedef void gather_t(const int8_t *const *x, int8_t *to, int32_t count);

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t padding;  /* what a padded cell holds: the input's zero point */
    int32_t gathered; /* columns that scratch has room for */
    gather_t *gather; /* for such windows, if there is a function */
    columns_t columns;
} mve_conv_t;

typedef struct {
    int32_t batch;
    columns_t columns;
} mve_fully_connected_t;

/* Copies `size` bytes, 16 at a time, and returns where the copy ends. */
KERNEL int8_t *copy_bytes(const int8_t *x, int8_t *y, int32_t size)
{
    __asm__ volatile("wlstp.8 lr, %2, 2f\n"
                     "1:\n"
                     "vldrb.8 q0, [%0], #16\n"
                     "vstrb.8 q0, [%1], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : "+r"(x), "+r"(y)
                     : "r"(size)
                     : "lr", "q0", "cc", "memory");
    return y;
}

/* Fills `size` bytes, 16 at a time. */
KERNEL void fill_with(int8_t *y, int32_t value, int32_t size)
{
    __asm__ volatile("vdup.8 q0, %1\n"
                     "wlstp.8 lr, %2, 2f\n"
                     "1:\n"
                     "vstrb.8 q0, [%0], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : "+r"(y)
                     : "r"(value), "r"(size)
                     : "lr", "q0", "cc", "memory");
}

/* Fills `count` runs of `size` bytes, which lie y_step bytes apart. */
KERNEL void fill_runs(int8_t *y, int32_t y_step, int32_t value, int32_t size, int32_t count)
{
    if (size > 16) {
#pragma GCC unroll 1
        for (; count > 0; count--, y += y_step) {
            fill_with(y, value, size);
        }
        return;
    }
    __asm__ volatile(
        "vdup.8 q0, %[value]\n"
        "vctp.8 %[size]\n"
        "wls lr, %[count], 2f\n"
        "1:\n"
        "vpst\n"
        "vstrbt.8 q0, [%[y]]\n"
        "add %[y], %[y_step]\n"
        "le lr, 1b\n"
        "2:\n"
        : [y] "+r"(y)
        : [value] "r"(value), [y_step] "r"(y_step), [size] "r"(size), [count] "r"(count)
        : "lr", "q0", "cc", "memory");
}

/* Copies `count` runs of `size` bytes, which lie x_step bytes apart, to y_step bytes apart. */
KERNEL void copy_runs(const int8_t *x, int32_t x_step, int8_t *y, int32_t y_step, int32_t size,
                      int32_t count)
{
    if (size > 16) {
#pragma GCC unroll 1
        for (; count > 0; count--, x += x_step, y += y_step) {
            copy_bytes(x, y, size);
        }
        return;
    }
    __asm__ volatile(
        "vctp.8 %[size]\n"
        "wls lr, %[count], 2f\n"
        "1:\n"
        "vpstt\n"
        "vldrbt.8 q0, [%[x]]\n"
        "vstrbt.8 q0, [%[y]]\n"
        "add %[x], %[x_step]\n"
        "add %[y], %[y_step]\n"
        "le lr, 1b\n"
        "2:\n"
        : [x] "+r"(x), [y] "+r"(y)
        : [x_step] "r"(x_step), [y_step] "r"(y_step), [size] "r"(size), [count] "r"(count)
        : "lr", "q0", "cc", "memory");
}

/* The rows of a tensor under the windows of an output row. */
typedef struct {
    const rows_t *x;
    int32_t top;   /* the input row under the first kernel row */
    span_t inside; /* the kernel rows that lie on the tensor */
    span_t inner;  /* the output columns all of whose kernel columns do */
} window_rows_t;

KERNEL window_rows_t rows_under(const mve_conv_t *p, const rows_t *x, int32_t row)
{
    const window_t *w = &p->window;
    const span_t inside = kernel_rows(w, row, p->y.h, p->x.h);
    const span_t inner =
        w->dilation.w == 1 ? columns_inside(w, p->y.w, p->x.w) : (span_t){p->y.w, p->y.w};
    return (window_rows_t){x, row * w->stride.h - w->pad.h, inside, inner};
}

/* `size` bytes from byte `at` of each row on, to each row of a window that begins at `to`. */
KERNEL void gather_runs(const mve_conv_t *p, const window_rows_t *rows, int32_t at, int8_t *to,
                        int32_t size)
{
    const int32_t run = p->window.kernel.w * p->x.c, step = p->window.dilation.h;
    const span_t inside = rows->inside;
    if (rows->x->slots == 0) {
        const int8_t *in = row_at(rows->x, rows->top + inside.first * step) + at;
        copy_runs(in, step * rows->x->row_bytes, to + inside.first * run, run, size,
                  inside.last - inside.first);
        return;
    }
#pragma GCC unroll 1
    for (int32_t k = inside.first; k < inside.last; k++) {
        copy_bytes(row_at(rows->x, rows->top + k * step) + at, to + k * run, size);
    }
}

/* Gathers the window of the pixel in column i of an output row. */
SHARED void gather_window(const mve_conv_t *p, const window_rows_t *rows, int32_t i, int8_t *to)
{
    const window_t *w = &p->window;
    const int32_t c = p->x.c, left = i * w->stride.w - w->pad.w - rows->x->first;
    const span_t cells = kernel_columns(w, i, p->x.w);

    if (cells.first > 0 || cells.last < w->kernel.w || rows->inside.first > 0 ||
        rows->inside.last < w->kernel.h) {
        fill_with(to, p->padding, p->columns.depth);
    }
    if (w->dilation.w == 1) {
        gather_runs(p, rows, (left + cells.first) * c, to + cells.first * c,
                    greater(cells.last - cells.first, 0) * c);
        return;
    }
    for (int32_t j = cells.first; j < cells.last; j++) {
        gather_runs(p, rows, (left + j * w->dilation.w) * c, to + j * c, c);
    }
}

/* clang-format off */

/* Moves what row k of a window has, 16 bytes at the most, or twice that, some of them twice. */
#define GATHER_LOAD(k)                                                                             \
    "vldrbt.8 q" #k ", [%[x" #k "]], #%c[step]\n"
#define GATHER_STORE(k)                                                                            \
    "vstrbt.8 q" #k ", [%[to], #(%c[run] * " #k ")]\n"
#define GATHER_LONG(k)                                                                             \
    "vldrb.8 q1, [%[x" #k "], #(%c[run] - 16)]\n"                                                  \
    "vldrb.8 q0, [%[x" #k "]], #%c[step]\n"                                                        \
    "vstrb.8 q1, [%[to], #(%c[run] * " #k " + %c[run] - 16)]\n"                                    \
    "vstrb.8 q0, [%[to], #(%c[run] * " #k ")]\n"

#define GATHER_3                                                                                   \
    "vpstttt\n"                                                                                    \
    GATHER_LOAD(0) GATHER_LOAD(1) GATHER_LOAD(2) GATHER_STORE(0)                                   \
    "vpstt\n"                                                                                      \
    GATHER_STORE(1) GATHER_STORE(2)
#define GATHER_5                                                                                   \
    "vpstttt\n"                                                                                    \
    GATHER_LOAD(0) GATHER_LOAD(1) GATHER_LOAD(2) GATHER_LOAD(3)                                    \
    "vpstttt\n"                                                                                    \
    GATHER_LOAD(4) GATHER_STORE(0) GATHER_STORE(1) GATHER_STORE(2)                                 \
    "vpstt\n"                                                                                      \
    GATHER_STORE(3) GATHER_STORE(4)
#define GATHER_LONG_3 GATHER_LONG(0) GATHER_LONG(1) GATHER_LONG(2)

/* clang-format on */

/* Windows of `rows` rows of `run` bytes, `step` bytes apart. */
#define GATHER(moves, rows, run_, step_)                                                           \
    SHARED void gather_##rows##_##run_##_##step_(const int8_t *const *x, int8_t *to,               \
                                                 int32_t count)                                    \
    {                                                                                              \
        const int8_t *x0 = x[0], *x1 = x[1], *x2 = x[2];                                           \
        const int8_t *x3 = x[(rows)-2], *x4 = x[(rows)-1];                                         \
        __asm__ volatile("vctp.8 %[size]\n"                                                        \
                         "wls lr, %[count], 2f\n"                                                  \
                         "1:\n" moves "add %[to], #(%c[run] * %c[rows_])\n"                        \
                         "le lr, 1b\n"                                                             \
                         "2:\n"                                                                    \
                         : [x0] "+l"(x0), [x1] "+l"(x1), [x2] "+l"(x2), [x3] "+r"(x3),             \
                           [x4] "+r"(x4), [to] "+r"(to)                                            \
                         : [count] "r"(count), [size] "r"(run_), [run] "i"(run_),                  \
                           [step] "i"(step_), [rows_] "i"(rows)                                    \
                         : "lr", "q0", "q1", "q2", "q3", "q4", "cc", "memory");                    \
    }

GATHER(GATHER_3, 3, 3, 2)
GATHER(GATHER_3, 3, 6, 2)
GATHER(GATHER_3, 3, 9, 3)
GATHER(GATHER_3, 3, 9, 6)
GATHER(GATHER_3, 3, 12, 4)
GATHER(GATHER_5, 5, 5, 2)
GATHER(GATHER_LONG_3, 3, 18, 6)
GATHER(GATHER_LONG_3, 3, 24, 8)

/* Gathers the windows of `count` columns from i on, all of whose columns lie on the tensor. */
KERNEL void gather_windows(const mve_conv_t *p, const window_rows_t *rows, int32_t i, int32_t count,
                           int8_t *to)
{
    const window_t *w = &p->window;
    const int32_t c = p->x.c, run = w->kernel.w * c, x_step = w->stride.w * c;
    const int32_t at = (i * w->stride.w - w->pad.w - rows->x->first) * c;
    const span_t inside = rows->inside;

    if (p->gather != 0 && inside.last - inside.first == w->kernel.h) {
        const int8_t *x[GATHERED_ROWS];
        for (int32_t k = 0; k < w->kernel.h; k++) {
            x[k] = row_at(rows->x, rows->top + k * w->dilation.h) + at;
        }
        p->gather(x, to, count);
        return;
    }
#pragma GCC unroll 1
    for (int32_t k = 0; k < w->kernel.h; k++, to += run) {
        if (is_in(inside, k)) {
            const int8_t *in = row_at(rows->x, rows->top + k * w->dilation.h) + at;
            copy_runs(in, x_step, to, p->columns.depth, run, count);
        } else {
            fill_runs(to, p->columns.depth, p->padding, run, count);
        }
    }
}

/*
 * Gathers the windows of the columns in a span of an output row, one after the other. Inner ones
 * are gathered one kernel row after the other where that means fewer and longer loops.
 */
SHARED void gather_columns(const mve_conv_t *p, const window_rows_t *rows, span_t columns,
                           int8_t *to)
{
    const int32_t depth = p->columns.depth;
    span_t inner = overlap(rows->inner, columns);
    if (3 * (inner.last - inner.first) < p->window.kernel.h) {
        inner.first = columns.last;
    }
    int32_t i = columns.first;
    for (; i < lesser(inner.first, columns.last); i++, to += depth) {
        gather_window(p, rows, i, to);
    }
    if (i < inner.last) {
        gather_windows(p, rows, i, inner.last - i, to);
        to += (inner.last - i) * depth;
        i = inner.last;
    }
    for (; i < columns.last; i++, to += depth) {
        gather_window(p, rows, i, to);
    }
}

/* Columns of one output row. `scratch` has room for `gathered` windows. */
SHARED void mve_conv_row(const mve_conv_t *p, rows_t x, int32_t row, span_t made, int8_t *y,
                         int8_t *scratch)
{
    const window_rows_t rows = rows_under(p, &x, row);
    for (int32_t i = made.first; i < made.last; i += p->gathered) {
        const int32_t end = lesser(i + p->gathered, made.last);
        gather_columns(p, &rows, (span_t){i, end}, scratch);
        columns(&p->columns, end - i, scratch, p->columns.depth, y);
        y += (end - i) * p->y.c;
    }
}

/* Several whole rows: what is gathered may belong to more than one of them. */
SHARED void mve_conv_rows(const mve_conv_t *p, const rows_t *x, span_t made, const made_rows_t *y,
                          int8_t *scratch)
{
    const int32_t depth = p->columns.depth;
    const bool follow = y->row_bytes == p->y.w * p->y.c;
    int8_t *to = made_row(y, made.first);
    int32_t held = 0;
    for (int32_t row = made.first; row < made.last; row++) {
        const window_rows_t rows = rows_under(p, x, row);
        for (int32_t i = 0; i < p->y.w;) {
            const int32_t count = lesser(p->gathered - held, p->y.w - i);
            gather_columns(p, &rows, (span_t){i, i + count}, scratch + held * depth);
            held += count;
            i += count;
            if (held == p->gathered) {
                columns(&p->columns, held, scratch, depth, to);
                to += held * p->y.c;
                held = 0;
            }
        }
        if (!follow) {
            columns(&p->columns, held, scratch, depth, to);
            to = made_row(y, row + 1);
            held = 0;
        }
    }
    columns(&p->columns, held, scratch, depth, to);
}

KERNEL void mve_conv_batch(const mve_conv_t *p, rows_t x, span_t rows, span_t columns,
                           made_rows_t y, int8_t *scratch)
{
    (void)columns;
    mve_conv_rows(p, &x, rows, &y, scratch);
}

KERNEL void mve_conv(const mve_conv_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t whole = whole_rows(x, &p->x);
    const made_rows_t made = {.base = y, .row_bytes = p->y.w * p->y.c};
    mve_conv_rows(p, &whole, (span_t){0, p->y.h}, &made, scratch);
}

/* A 1x1 kernel without padding, any stride. */
KERNEL void mve_pointwise_row(const mve_conv_t *p, rows_t x, int32_t row, span_t made, int8_t *y)
{
    const pair_t stride = p->window.stride;
    const int8_t *from = pixel_at(&x, row * stride.h, made.first * stride.w);
    columns(&p->columns, made.last - made.first, from, stride.w * p->x.c, y);
}

/* How many rows of pixels lie one behind the other, in the input and in the output: all or one. */
KERNEL int32_t rows_at_once(const mve_conv_t *p, const rows_t *x, span_t rows, const made_rows_t *y)
{
    const pair_t stride = p->window.stride;
    const bool follow = x->slots == 0 && y->row_bytes == p->y.w * p->y.c &&
                        stride.h * x->row_bytes == p->y.w * stride.w * p->x.c;
    return follow ? rows.last - rows.first : 1;
}

/* Several whole rows. */
KERNEL void mve_pointwise_batch(const mve_conv_t *p, rows_t x, span_t rows, span_t all,
                                made_rows_t y)
{
    const pair_t stride = p->window.stride;
    const int32_t at_once = rows_at_once(p, &x, rows, &y);
    for (int32_t row = rows.first; row < rows.last; row += at_once) {
        columns(&p->columns, at_once * all.last, row_at(&x, row * stride.h), stride.w * p->x.c,
                made_row(&y, row));
    }
}

/*
 * `count` pixels, one behind the other, that have as many channels as the outputs. If these go over
 * them, columns are copied first, so that no channel is written before all have read the pixel.
 */
SHARED void mve_pointwise_over(const mve_conv_t *p, int32_t count, const int8_t *x, int8_t *y,
                               int8_t *scratch)
{
    const int32_t depth = p->columns.depth;
    if (x != y) {
        columns(&p->columns, count, x, depth, y);
        return;
    }
    for (; count > 0; count -= p->gathered, y += p->gathered * depth) {
        const int32_t held = lesser(count, p->gathered);
        copy_bytes(y, scratch, held * depth);
        columns(&p->columns, held, scratch, depth, y);
    }
}

/* The same rows, which may go over those that they are made of. */
KERNEL void mve_pointwise_over_row(const mve_conv_t *p, rows_t x, int32_t row, span_t made,
                                   int8_t *y, int8_t *scratch)
{
    const int8_t *from = pixel_at(&x, row, made.first);
    mve_pointwise_over(p, made.last - made.first, from, y, scratch);
}

KERNEL void mve_pointwise_over_batch(const mve_conv_t *p, rows_t x, span_t rows, span_t all,
                                     made_rows_t y, int8_t *scratch)
{
    const int32_t at_once = rows_at_once(p, &x, rows, &y);
    for (int32_t row = rows.first; row < rows.last; row += at_once) {
        mve_pointwise_over(p, at_once * all.last, row_at(&x, row), made_row(&y, row), scratch);
    }
}

KERNEL void mve_pointwise(const mve_conv_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        mve_pointwise_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                          y + row * p->y.w * p->y.c);
    }
}

KERNEL void mve_fully_connected(const mve_fully_connected_t *p, const int8_t *x, int8_t *y)
{
    columns(&p->columns, p->batch, x, p->columns.depth, y);
}

/* The one pixel of a tensor that has no more. */
KERNEL void mve_fully_connected_row(const mve_fully_connected_t *p, rows_t x, int32_t row,
                                    span_t made, int8_t *y)
{
    columns(&p->columns, 1, pixel_at(&x, row, made.first), 0, y);
}

#endif
