/*
 * Gathering for MVE: rows of up to eight channels, with the padding around them, into as many
 * lines, as depthwise.h says.
 */
#ifndef BENCH_KERNELS_MVE_GATHER_H
#define BENCH_KERNELS_MVE_GATHER_H

#include "passes.h"

/* Columns of a tensor under the windows of some output columns. */
typedef struct {
    int32_t begin; /* the first, which may lie in the padding */
    int32_t count;
    span_t inside; /* those of them that lie on the tensor */
} cells_t;

KERNEL cells_t cells_under(const mve_depthwise_t *p, int32_t column, int32_t columns)
{
    const window_t *w = &p->window;
    const int32_t begin = column * w->stride.w - w->pad.w;
    const int32_t count = (columns - 1) * w->stride.w + w->kernel.w;
    return (cells_t){begin, count, cells_inside(begin, count, w->dilation.w, p->x.w)};
}

/* What rows of pixels, between padding, have in common for lines; the assembly knows offsets. */
typedef struct {
    int32_t before, behind;  /*  0: columns of padding */
    int32_t x_next, to_next; /*  8: from behind a row to the next */
    int32_t inside;          /* columns */
    int32_t x_step, pitch;   /* from column to column */
    int32_t kept;            /* columns of padding in front that need not be gathered any more */
    int32_t first;           /* byte of a row, with that pixel before which there is padding */
    bool follow;             /* whether rows lie x_next apart */
    int32_t at;              /* byte of a row, with the first channel */
    int32_t channels;        /* up to eight */
    int32_t eight;           /* the first row of whose pixels eight channels cannot be read */
    int16x8_t padding;
    uint16x8_t offsets; /* of the lines */
} cells_row_t;

KERNEL cells_row_t cells_row(const mve_depthwise_t *p, const rows_t *x, const cells_t *cells)
{
    const int32_t dilation = p->window.dilation.w, first = cells->inside.first;
    const int32_t inside = cells->inside.last - first;
    return (cells_row_t){
        .before = first,
        .behind = cells->count - cells->inside.last,
        .x_next = x->row_bytes - inside * dilation * p->x.c,
        .to_next = 1 - cells->count * p->pitch,
        .inside = inside,
        .x_step = dilation * p->x.c,
        .pitch = p->pitch,
        .first = (cells->begin + first * dilation - x->first) * p->x.c,
        .follow = x->slots == 0 && p->window.dilation.h == 1,
        .padding = vdupq_n_s16((int16_t)p->padding),
        .offsets = multiples((uint16_t)p->line_bytes),
    };
}

/*
 * Turns to up to eight channels from `c` on. Where there are fewer, those of the next pixel may be
 * read instead, into lines that nobody reads, of rows before `followed`.
 */
KERNEL void take_channels(cells_row_t *r, const mve_depthwise_t *p, int32_t c, int32_t followed)
{
    r->at = r->first + c;
    r->channels = lesser(p->lines, p->x.c - c);
    r->eight = p->lines < 8 ? 0 : r->channels < 8 ? followed : p->x.h;
}

/* From now on, what is gathered begins behind the padding, which lines have already. */
KERNEL void keep_padding(cells_row_t *r)
{
    r->kept = r->before;
    r->before = 0;
    r->behind = 0;
    r->to_next = 1 - r->inside * r->pitch;
}

/* Padding into `count` columns; returns where the next column is. */
KERNEL int8_t *gather_padding(const cells_row_t *r, int8_t *to, int32_t count)
{
    __asm__ volatile("vctp.16 %[channels]\n"
                     "wls lr, %[count], 2f\n"
                     "1:\n"
                     "vpst\n"
                     "vstrbt.16 %q[padding], [%[to], %q[offsets]]\n"
                     "add %[to], %[pitch]\n"
                     "le lr, 1b\n"
                     "2:\n"
                     : [to] "+r"(to)
                     : [pitch] "r"(r->pitch), [channels] "r"(r->channels), [count] "r"(count),
                       [offsets] "w"(r->offsets), [padding] "w"(r->padding)
                     : "lr", "cc", "memory");
    return to;
}

/* Up to eight channels of pixels at x. */
KERNEL void gather_some(const cells_row_t *r, const int8_t *x, int8_t *to)
{
    to = gather_padding(r, to, r->before);
    __asm__ volatile("wls lr, %[count], 2f\n"
                     "1:\n"
                     "vpstt\n"
                     "vldrbt.u16 q0, [%[x]]\n"
                     "vstrbt.16 q0, [%[to], %q[offsets]]\n"
                     "add %[x], %[x_step]\n"
                     "add %[to], %[pitch]\n"
                     "le lr, 1b\n"
                     "2:\n"
                     : [x] "+l"(x), [to] "+r"(to)
                     : [x_step] "r"(r->x_step), [pitch] "r"(r->pitch), [count] "r"(r->inside),
                       [offsets] "w"(r->offsets)
                     : "lr", "q0", "cc", "memory");
    gather_padding(r, to, r->behind);
}

/* Eight channels of `rows` rows of pixels that follow each other, four pixels at a time. */
KERNEL void gather_eight(const cells_row_t *r, const int8_t *x, int8_t *to, int32_t rows)
{
    const uint16x8_t second = vaddq_n_u16(r->offsets, (uint16_t)r->pitch);
    const uint16x8_t third = vaddq_n_u16(second, (uint16_t)r->pitch);
    const uint16x8_t fourth = vaddq_n_u16(third, (uint16_t)r->pitch);
    __asm__ volatile(
        "1:\n"
        "ldr lr, [%[row]]\n"
        "wls lr, lr, 3f\n"
        "2:\n"
        "vstrb.16 %q[padding], [%[to], %q[first]]\n"
        "add %[to], %[pitch]\n"
        "le lr, 2b\n"
        "3:\n"
        "wls lr, %[fours], 5f\n"
        "4:\n"
        "vldrb.u16 q0, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vldrb.u16 q1, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q0, [%[to], %q[first]]\n"
        "vldrb.u16 q0, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q1, [%[to], %q[second]]\n"
        "vldrb.u16 q1, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q0, [%[to], %q[third]]\n"
        "vstrb.16 q1, [%[to], %q[fourth]]\n"
        "add %[to], %[to], %[pitch], lsl #2\n"
        "le lr, 4b\n"
        "5:\n"
        "wls lr, %[rest], 7f\n"
        "6:\n"
        "vldrb.u16 q0, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q0, [%[to], %q[first]]\n"
        "add %[to], %[pitch]\n"
        "le lr, 6b\n"
        "7:\n"
        "ldr lr, [%[row], #4]\n"
        "wls lr, lr, 9f\n"
        "8:\n"
        "vstrb.16 %q[padding], [%[to], %q[first]]\n"
        "add %[to], %[pitch]\n"
        "le lr, 8b\n"
        "9:\n"
        "ldr lr, [%[row], #8]\n"
        "add %[x], lr\n"
        "ldr lr, [%[row], #12]\n"
        "add %[to], lr\n"
        "subs %[rows], #1\n"
        "bne 1b\n"
        : [x] "+l"(x), [to] "+r"(to), [rows] "+r"(rows)
        : [x_step] "r"(r->x_step), [pitch] "r"(r->pitch), [fours] "r"(r->inside / 4),
          [rest] "r"(r->inside % 4), [row] "r"(r), [first] "w"(r->offsets), [second] "w"(second),
          [third] "w"(third), [fourth] "w"(fourth), [padding] "w"(r->padding)
        : "lr", "q0", "q1", "cc", "memory");
}

/*
 * Gathers rows `row`, `row` + dilation, ... up to eight channels into as many lines, each row a
 * byte behind the one before: the padding, what lies on the tensor, the padding.
 */
SHARED void gather_rows(const mve_depthwise_t *p, const rows_t *x, int32_t row, int32_t count,
                        const cells_row_t *r, int8_t *to)
{
    const int32_t step = p->window.dilation.h;
#pragma GCC unroll 1
    for (int32_t done = 1; count > 0; count -= done, row += done * step, to += done) {
        done = 1;
        if (row < 0 || row >= p->x.h || r->inside <= 0) {
            gather_padding(r, to, r->before + r->inside + r->behind);
        } else if (row < r->eight) {
            done = r->follow ? lesser(count, r->eight - row) : 1;
            gather_eight(r, row_at(x, row) + r->at, to, done);
        } else {
            gather_some(r, row_at(x, row) + r->at, to);
        }
    }
}

#endif
