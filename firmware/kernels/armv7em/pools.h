/*
 * Average, maximum and mean over windows for ARMv7E-M: four channels, a word of NHWC, at a time.
 * The last word of a pixel overlaps the one before where the channels are no multiple of four.
 *
 * What is computed is that of pool.h and mean.h; the output must not overlap the input.
 */
#ifndef BENCH_KERNELS_ARMV7EM_POOLS_H
#define BENCH_KERNELS_ARMV7EM_POOLS_H

#include "mean.h"
#include "pool.h"

#define POOL_GROUP 4

/* So many cells fit a sum of 16 bits, whatever they are. */
#define POOL_CELLS 255

/* Four channels of a pixel, at any address: these cores load words from everywhere. */
KERNEL uint32_t pool_cell(const int8_t *x)
{
    uint32_t cell;
    __builtin_memcpy(&cell, x, sizeof cell);
    return cell;
}

/* The greater of four bytes each. */
KERNEL uint32_t pool_greater(uint32_t a, uint32_t b)
{
    uint32_t greater;
    __asm__("ssub8 %0, %1, %2\n"
            "sel %0, %1, %2\n"
            : "=&r"(greater)
            : "r"(a), "r"(b)
            : "cc");
    return greater;
}

/* Sums of four channels: 16-bit ones while they fit, of channels 0 and 2 and of 1 and 3. */
typedef struct {
    uint32_t even, odd;
    int32_t cells; /* that are in even and odd */
    int32_t total[POOL_GROUP];
} pool_sums_t;

KERNEL void pool_flush(pool_sums_t *s)
{
    s->total[0] += (int16_t)s->even;
    s->total[1] += (int16_t)s->odd;
    s->total[2] += (int32_t)s->even >> 16;
    s->total[3] += (int32_t)s->odd >> 16;
    s->even = s->odd = 0;
    s->cells = 0;
}

/* Adds `count` cells of a row, `step` bytes apart. */
KERNEL void pool_add(pool_sums_t *s, const int8_t *x, int32_t count, int32_t step)
{
#pragma GCC unroll 1
    while (count > 0) {
        int32_t some = lesser(count, POOL_CELLS - s->cells);
        count -= some;
        s->cells += some;
#pragma GCC unroll 2
        for (; some > 0; some--, x += step) {
            const uint32_t cell = pool_cell(x);
            __asm__("sxtab16 %0, %0, %2\n"
                    "sxtab16 %1, %1, %2, ror #8\n"
                    : "+r"(s->even), "+r"(s->odd)
                    : "r"(cell));
        }
        if (s->cells == POOL_CELLS) {
            pool_flush(s);
        }
    }
}

/* The nearest integer to sum / count, halves away from zero, as rounded_quotient() by signs. */
KERNEL int8_t pool_average(const pool_t *p, int32_t sum, int32_t count)
{
    return (int8_t)clamp(rounded_quotient(sum, count), p->low, p->high);
}

/* Columns of one output row of an average: the part of a window that is seen is `w`. */
KERNEL void pool_average_window(const pool_t *p, const rows_t *x, pool_window_t w, int8_t *y)
{
#pragma GCC unroll 1
    for (int32_t c = 0; c < p->y.c; c += POOL_GROUP) {
        const int32_t base = lesser(c, p->y.c - POOL_GROUP);
        pool_sums_t sums = {.cells = 0};
#pragma GCC unroll 1
        for (int32_t k = 0; k < w.height; k++) {
            pool_add(&sums, row_at(x, w.top + k) + w.at + base, w.width, w.step);
        }
        pool_flush(&sums);
#pragma GCC unroll 1
        for (int32_t i = 0; i < POOL_GROUP; i++) {
            y[base + i] = pool_average(p, sums.total[i], w.height * w.width);
        }
    }
}

KERNEL void pool_maximum_window(const pool_t *p, const rows_t *x, pool_window_t w, int8_t *y)
{
    const uint32_t lows = (uint32_t)(p->low & 0xff) * 0x01010101u;
    const uint32_t highs = ~((uint32_t)(p->high & 0xff) * 0x01010101u);
    for (int32_t c = 0; c < p->y.c; c += POOL_GROUP) {
        const int32_t base = lesser(c, p->y.c - POOL_GROUP);
        uint32_t greatest = lows;
        for (int32_t k = 0; k < w.height; k++) {
            const int8_t *in = row_at(x, w.top + k) + w.at + base;
#pragma GCC unroll 4
            for (int32_t j = 0; j < w.width; j++, in += w.step) {
                greatest = pool_greater(greatest, pool_cell(in));
            }
        }
        /* The lesser of a and b is the inverse of the greater of their inverses. */
        const uint32_t clamped = ~pool_greater(~greatest, highs);
        __builtin_memcpy(y + base, &clamped, sizeof clamped);
    }
}

/* Columns of one output row [W, C]; `window` makes a pixel of it. */
KERNEL void pool_words_row(const pool_t *p,
                           void (*window)(const pool_t *, const rows_t *, pool_window_t, int8_t *),
                           const rows_t *x, int32_t row, span_t columns, int8_t *y)
{
    const window_t *w = &p->window;
    const span_t rows = kernel_rows(w, row, p->y.h, p->x.h);
#pragma GCC unroll 1
    for (int32_t i = columns.first; i < columns.last; i++, y += p->y.c) {
        const span_t cells = kernel_columns(w, i, p->x.w);
        const int32_t left = i * w->stride.w - w->pad.w - x->first;
        pool_window_t seen = {
            .top = row * w->stride.h - w->pad.h + rows.first,
            .height = rows.last - rows.first,
            .at = (left + cells.first) * x->pixel_bytes,
            .width = cells.last - cells.first,
            .step = x->pixel_bytes,
        };
        if (x->slots == 0 && seen.width * seen.step == x->row_bytes) { /* all in one piece */
            seen.width *= seen.height;
            seen.height = 1;
        }
        window(p, x, seen, y);
    }
}

SHARED void average_pool_words_row(const pool_t *p, rows_t x, int32_t row, span_t columns,
                                   int8_t *y)
{
    pool_words_row(p, pool_average_window, &x, row, columns, y);
}

SHARED void max_pool_words_row(const pool_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    pool_words_row(p, pool_maximum_window, &x, row, columns, y);
}

/* The whole op: x [H, W, C] to y [OH, OW, C]. */
KERNEL void average_pool_words(const pool_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        average_pool_words_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                               y + row * p->y.w * p->y.c);
    }
}

KERNEL void max_pool_words(const pool_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < p->y.h; row++) {
        max_pool_words_row(p, whole_rows(x, &p->x), row, all_columns(&p->y),
                           y + row * p->y.w * p->y.c);
    }
}

/* Mean over the cells of x [cells, C] to y [C]. */
typedef struct {
    int32_t cells, channels;
    int32_t sum_offset; /* minus the zero points of all elements of a sum */
    factor_t factor;    /* the division by their number included */
    output_t output;
} mean_words_t;

SHARED void mean_words(const mean_words_t *p, const int8_t *x, int8_t *y)
{
    for (int32_t c = 0; c < p->channels; c += POOL_GROUP) {
        const int32_t base = lesser(c, p->channels - POOL_GROUP);
        pool_sums_t sums = {.cells = 0};
        pool_add(&sums, x + base, p->cells, p->channels);
        pool_flush(&sums);
        for (int32_t i = 0; i < POOL_GROUP; i++) {
            y[base + i] = mean_of_sum(p->factor, &p->output, sums.total[i] + p->sum_offset);
        }
    }
}

#endif
