/*
 * How a window moves over the rows and columns of a tensor [H, W, C], and where its rows lie.
 */
#ifndef BENCH_KERNELS_WINDOW_H
#define BENCH_KERNELS_WINDOW_H

#include "requantize.h"

typedef struct {
    int32_t h, w, c;
} shape_t;

/* Vertical, horizontal. */
typedef struct {
    int32_t h, w;
} pair_t;

/* Output row r begins at input row r * stride.h - pad.h; columns likewise. */
typedef struct {
    pair_t kernel;
    pair_t stride;
    pair_t dilation;
    pair_t pad; /* above, and to the left */
} window_t;

/* first <= i < last */
typedef struct {
    int32_t first, last;
} span_t;

KERNEL bool is_in(span_t span, int32_t i)
{
    return span.first <= i && i < span.last;
}

KERNEL int32_t lesser(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

KERNEL int32_t greater(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* What two spans share; it may be empty, and then its last may lie before its first. */
KERNEL span_t overlap(span_t a, span_t b)
{
    return (span_t){greater(a.first, b.first), lesser(a.last, b.last)};
}

/*
 * The rows of a tensor [H, W, C] of int8: all of them in one piece (slots is 0), or a ring of the
 * last few, where row i lies in slot (i + shift) % slots. Of each row the columns from `first` on
 * are kept.
 *
 * Kernels that make one row of an output take their operands like this, and make the columns
 * that they are told, the first of them at y. Rows and columns are counted in the whole tensor.
 */
typedef struct {
    const int8_t *base;
    int32_t row_bytes;
    int32_t pixel_bytes;
    int32_t slots, shift;
    int32_t first;
} rows_t;

KERNEL rows_t whole_rows(const int8_t *x, const shape_t *shape)
{
    return (rows_t){.base = x, .row_bytes = shape->w * shape->c, .pixel_bytes = shape->c};
}

/* The first pixel that is kept of a row. */
KERNEL const int8_t *row_at(const rows_t *x, int32_t row)
{
    return x->base + (x->slots > 0 ? (row + x->shift) % x->slots : row) * x->row_bytes;
}

/* The pixel in a column, which must be kept. */
KERNEL const int8_t *pixel_at(const rows_t *x, int32_t row, int32_t column)
{
    return row_at(x, row) + (column - x->first) * x->pixel_bytes;
}

/* The rows of an output of which a kernel makes several: all in one piece, whole ones. */
typedef struct {
    int8_t *base;
    int32_t row_bytes;
} made_rows_t;

KERNEL int8_t *made_row(const made_rows_t *y, int32_t row)
{
    return y->base + row * y->row_bytes;
}

/* Copies bytes to where they may overlap what is copied, but begin before it. */
KERNEL void move_down(const int8_t *from, int8_t *to, int32_t size)
{
    uint32_t word;
#pragma GCC unroll 4
    for (; size >= (int32_t)sizeof word; size -= (int32_t)sizeof word) {
        __builtin_memcpy(&word, from, sizeof word);
        __builtin_memcpy(to, &word, sizeof word);
        from += sizeof word;
        to += sizeof word;
    }
#pragma GCC unroll 1
    for (; size > 0; size--) {
        *to++ = *from++;
    }
}

/*
 * Rows lie one behind the other in `count` slots, of which the first has moved on from row 0 to row
 * *first. Makes room for `rows`, which come next: the first rows leave, and the others move down.
 */
SHARED void make_room(int8_t *slots, int32_t count, int32_t row_bytes, int32_t *first, span_t rows)
{
    const int32_t leaving = rows.last - *first - count;
    if (leaving > 0) {
        const int8_t *from = slots + leaving * row_bytes;
        *first += leaving;
        move_down(from, slots, (rows.first - *first) * row_bytes);
    }
}

KERNEL span_t all_columns(const shape_t *y)
{
    return (span_t){0, y->w};
}

KERNEL int32_t divide_up(int32_t x, int32_t by)
{
    return (x + by - 1) / by;
}

/* The kernel's cells that lie on a tensor of `size` cells; the window's first is at `begin`. */
KERNEL span_t cells_inside(int32_t begin, int32_t kernel, int32_t dilation, int32_t size)
{
    span_t cells = {0, kernel};
    if (begin < 0) {
        const int32_t before = divide_up(-begin, dilation);
        cells.first = before < kernel ? before : kernel;
    }
    if (begin + (kernel - 1) * dilation >= size) {
        cells.last = size > begin ? divide_up(size - begin, dilation) : 0;
    }
    return cells;
}

/* The output positions, out of `count`, whose windows lie on the tensor with all their cells. */
KERNEL span_t windows_inside(int32_t count, int32_t kernel, int32_t stride, int32_t dilation,
                             int32_t pad, int32_t size)
{
    const int32_t before = divide_up(pad, stride);
    const int32_t first = before < count ? before : count;
    const int32_t room = size + pad - ((kernel - 1) * dilation + 1);
    const int32_t fitting = room < 0 ? 0 : room / stride + 1;
    const int32_t last = fitting < count ? fitting : count;
    return (span_t){first, last > first ? last : first};
}

KERNEL span_t columns_inside(const window_t *w, int32_t out_w, int32_t in_w)
{
    return windows_inside(out_w, w->kernel.w, w->stride.w, w->dilation.w, w->pad.w, in_w);
}

/* The kernel rows of an output row that see the tensor. */
KERNEL span_t kernel_rows(const window_t *w, int32_t row, int32_t out_h, int32_t in_h)
{
    const span_t inside =
        windows_inside(out_h, w->kernel.h, w->stride.h, w->dilation.h, w->pad.h, in_h);
    if (is_in(inside, row)) {
        return (span_t){0, w->kernel.h};
    }
    return cells_inside(row * w->stride.h - w->pad.h, w->kernel.h, w->dilation.h, in_h);
}

/* The kernel columns of an output column that see the tensor. */
KERNEL span_t kernel_columns(const window_t *w, int32_t column, int32_t in_w)
{
    return cells_inside(column * w->stride.w - w->pad.w, w->kernel.w, w->dilation.w, in_w);
}

#endif
