/*
 * Depthwise convolution for MVE. A channel's taps lie far apart in a tensor [H, W, C], so up to
 * eight channels at a time are gathered into lines in which the taps of a window are neighbours:
 *
 *     column 0 |r0 r1 r2 ..|  column 1 |r0 r1 r2 ..|  column 2 |r0 r1 r2 ..|  ...
 *     \__________ `pitch` bytes a column, KH of them under a window ______/
 *
 * The window of an output is then one run of bytes, which VMLADAVA.S8 multiplies 16 at a time with
 * weights in the same order, 0 where a column holds more rows than the kernel. A pitch above KH
 * lets several output rows be made of the same lines, each a byte (times the stride) further.
 *
 * Whole tensors slide: the next rows are written into the lines `advance` bytes further, over rows
 * that are not needed any more, so that each element is gathered once. The output may lie over the
 * input as for depthwise_inplace().
 */
#ifndef BENCH_KERNELS_MVE_DEPTHWISE_H
#define BENCH_KERNELS_MVE_DEPTHWISE_H

#include "vector.h"

#include "../window.h"

#define BLOCK_WINDOWS 8 /* that are computed together */

struct depthwise_pass;

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t depth_multiplier; /* output channels of an input channel */
    int32_t padding;          /* what a padded cell holds: the input's zero point */
    int32_t pitch;            /* bytes of a column in a line */
    int32_t line_bytes;       /* of a channel */
    int32_t rows;             /* output rows that lines serve at once */
    int32_t columns;          /* output columns that lines serve at once */
    int32_t lines;            /* input channels that are gathered at once, at most eight */
    int32_t slack;            /* bytes by which lines may slide before they are moved back */
    const int8_t *weights;    /* [OC, chunks, 16] */
    const int32_t *rescale;   /* [OC, 3]: bias, multiplier, shift */
    output_t output;
    int32_t chunks;                              /* of 16 bytes under a window */
    void (*pass)(const struct depthwise_pass *); /* one for this step from window to window */
} mve_depthwise_t;

/* Output rows and columns of some channels, to be made of lines. */
typedef struct depthwise_pass {
    const mve_depthwise_t *p;
    const int8_t *lines; /* under the first window of the first channel */
    int32_t channel;     /* the first one of the output */
    int32_t channels, rows, columns;
    int8_t *y; /* the first output, of the first channel */
} depthwise_pass_t;

KERNEL rescale_t rescale_of(const mve_depthwise_t *p, int32_t channel)
{
    const int32_t *r = p->rescale + 3 * channel;
    return (rescale_t){r[0], r[1], r[2]};
}

/* What the assembly works on; it knows the offsets. */
typedef struct {
    rescale_t rescale;               /*  0: of the channel */
    output_t output;                 /* 12 */
    const int8_t *weights;           /* 24: of the next channel */
    const int32_t *rescale_next;     /* 28 */
    const int8_t *x;                 /* 32: the first window */
    int8_t *y;                       /* 36: the first output */
    int32_t channels;                /* 40: left */
    int32_t line_bytes;              /* 44 */
    int32_t columns;                 /* 48: less those of a block */
    int32_t y_step;                  /* 52: from column to column */
    uint16_t offsets[BLOCK_WINDOWS]; /* 56: of the outputs of a block */
    uint32_t mask;                   /* 72: which of them there are, two bits each */
} windows_t;

/* clang-format off */

/* The sum of a window, `at` bytes behind x, goes to a register. */
#define WINDOW_SUM(sum, at)                                                                        \
    "vldrb.8 q2, [r1, #(" at ")]\n"                                                                \
    "vmladav.s8 " sum ", q2, q4\n"                                                                 \
    ".if %c[chunks] > 1\n"                                                                         \
    "vldrb.8 q2, [r1, #(" at " + 16)]\n"                                                           \
    "vmladava.s8 " sum ", q2, q5\n"                                                                \
    ".endif\n"                                                                                     \
    ".if %c[chunks] > 2\n"                                                                         \
    "vldrb.8 q2, [r1, #(" at " + 32)]\n"                                                           \
    "vmladava.s8 " sum ", q2, q6\n"                                                                \
    "vldrb.8 q2, [r1, #(" at " + 48)]\n"                                                           \
    "vmladava.s8 " sum ", q2, q7\n"                                                                \
    ".endif\n"

/* Where window i of a block lies: row i % rows, column i / rows. */
#define WINDOW_AT(i) "(" #i " %% %c[rows] * %c[down] + " #i " / %c[rows] * %c[step])"

/*
 * `rounding` is 0 for halves away from zero, 1 where results are rectified, 2 where some factors
 * then shift to the left.
 *
 * One channel after the other, with all its blocks of eight windows. r1 and r3 are where x and y
 * stand; the last block begins so that it ends with the last column.
 */
#define WINDOWS                                                                                    \
    "ldr r0, [r11, #72]\n"                                                                         \
    "vmsr p0, r0\n"                                                                                \
    "add r0, r11, #56\n"                                                                           \
    "vldrh.16 q3, [r0]\n"                                                                          \
    ".if %c[chunks] <= 2\n"                                                                        \
    "ldrd r0, r2, [r11, #16]\n"                                                                    \
    "vdup.16 q6, r0\n"                                                                             \
    "vdup.16 q7, r2\n"                                                                             \
    ".endif\n"                                                                                     \
    "ldr r9, [r11, #52]\n"                                                                         \
    "1:\n"                                                                                         \
    "ldrd r0, r2, [r11, #24]\n"                                                                    \
    "vldrb.8 q4, [r0], #16\n"                                                                      \
    ".if %c[chunks] > 1\n"                                                                         \
    "vldrb.8 q5, [r0], #16\n"                                                                      \
    ".endif\n"                                                                                     \
    ".if %c[chunks] > 2\n"                                                                         \
    "vldrb.8 q6, [r0], #16\n"                                                                      \
    "vldrb.8 q7, [r0], #16\n"                                                                      \
    ".endif\n"                                                                                     \
    "ldm r2!, {r4, r6, r8}\n"                                                                      \
    "stm r11, {r4, r6, r8}\n"                                                                      \
    "strd r0, r2, [r11, #24]\n"                                                                    \
    "ldrd r1, r3, [r11, #32]\n"                                                                    \
    "ldr r5, [r11, #48]\n"                                                                         \
    "2:\n"                                                                                         \
    WINDOW_SUM("r0", WINDOW_AT(0))                                                                 \
    WINDOW_SUM("r2", WINDOW_AT(1))                                                                 \
    WINDOW_SUM("r4", WINDOW_AT(2))                                                                 \
    WINDOW_SUM("r6", WINDOW_AT(3))                                                                 \
    ".if " WINDOW_AT(7) " + 16 * (%c[chunks] - 1) > 127\n"                                         \
    "add r1, r1, #" WINDOW_AT(4) "\n"                                                              \
    WINDOW_SUM("r8", WINDOW_AT(0))                                                                 \
    WINDOW_SUM("r10", WINDOW_AT(1))                                                                \
    WINDOW_SUM("r12", WINDOW_AT(2))                                                                \
    WINDOW_SUM("lr", WINDOW_AT(3))                                                                 \
    "add r1, r1, #(%c[step] * 8 / %c[rows] - " WINDOW_AT(4) ")\n"                                  \
    ".else\n"                                                                                      \
    WINDOW_SUM("r8", WINDOW_AT(4))                                                                 \
    WINDOW_SUM("r10", WINDOW_AT(5))                                                                \
    WINDOW_SUM("r12", WINDOW_AT(6))                                                                \
    WINDOW_SUM("lr", WINDOW_AT(7))                                                                 \
    "add r1, r1, #(%c[step] * 8 / %c[rows])\n"                                                     \
    ".endif\n"                                                                                     \
    "vmov q0[2], q0[0], r0, r8\n"                                                                  \
    "vmov q0[3], q0[1], r4, r12\n"                                                                 \
    "vmov q1[2], q1[0], r2, r10\n"                                                                 \
    "vmov q1[3], q1[1], r6, lr\n"                                                                  \
    "ldm r11, {r0, r2, r4, r6, r8, r10}\n"                                                         \
    "vadd.i32 q0, q0, r0\n"                                                                        \
    "vadd.i32 q1, q1, r0\n"                                                                        \
    ".if %c[rounding] == 2\n"                                                                      \
    "and r12, r4, r4, asr #31\n"                                                                   \
    "bic r4, r4, r4, asr #31\n"                                                                    \
    "vshl.s32 q0, r4\n"                                                                            \
    "vshl.s32 q1, r4\n"                                                                            \
    "mov r4, r12\n"                                                                                \
    ".endif\n"                                                                                     \
    "vqrdmulh.s32 q0, q0, r2\n"                                                                    \
    "vqrdmulh.s32 q1, q1, r2\n"                                                                    \
    ".if %c[rounding] == 0\n"                                                                     \
    "vshr.s32 q2, q0, #31\n"                                                                       \
    "vadd.i32 q0, q0, q2\n"                                                                        \
    "vshr.s32 q2, q1, #31\n"                                                                       \
    "vadd.i32 q1, q1, q2\n"                                                                        \
    ".endif\n"                                                                                     \
    "vrshl.s32 q0, r4\n"                                                                           \
    "vrshl.s32 q1, r4\n"                                                                           \
    "vqmovnb.s32 q0, q0\n"                                                                         \
    "vqmovnt.s32 q0, q1\n"                                                                         \
    "vqadd.s16 q0, q0, r6\n"                                                                       \
    ".if %c[chunks] > 2\n"                                                                         \
    "vdup.16 q2, r8\n"                                                                             \
    "vmax.s16 q0, q0, q2\n"                                                                        \
    "vdup.16 q2, r10\n"                                                                            \
    "vmin.s16 q0, q0, q2\n"                                                                        \
    ".else\n"                                                                                      \
    "vmax.s16 q0, q0, q6\n"                                                                        \
    "vmin.s16 q0, q0, q7\n"                                                                        \
    ".endif\n"                                                                                     \
    "subs r5, r5, #(8 / %c[rows])\n"                                                               \
    "vpst\n"                                                                                       \
    "vstrbt.16 q0, [r3, q3]\n"                                                                     \
    "add r3, r3, r9, lsl #(3 - %c[rows] / 2)\n"                                                    \
    "bge 2b\n"                                                                                     \
    "adds r0, r5, #(8 / %c[rows])\n"                                                               \
    "ble 3f\n"                                                                                     \
    "movs r0, #%c[step]\n"                                                                         \
    "mla r1, r5, r0, r1\n"                                                                         \
    "mla r3, r5, r9, r3\n"                                                                         \
    "mvn r5, #(8 / %c[rows] - 1)\n"                                                                \
    "b 2b\n"                                                                                       \
    "3:\n"                                                                                         \
    "ldrd r1, r3, [r11, #32]\n"                                                                    \
    "ldrd r0, r2, [r11, #40]\n"                                                                    \
    "add r1, r1, r2\n"                                                                             \
    "add r3, r3, #1\n"                                                                             \
    "strd r1, r3, [r11, #32]\n"                                                                    \
    "subs r0, r0, #1\n"                                                                            \
    "str r0, [r11, #40]\n"                                                                         \
    "bne 1b\n"

/* clang-format on */

KERNEL void windows(windows_t *state, const int32_t step, const int32_t chunks, const int32_t rows,
                    const int32_t down, const int32_t rounding)
{
    register windows_t *r11 __asm__("r11") = state;
    __asm__ volatile(WINDOWS
                     :
                     : "r"(r11), [step] "i"(step), [chunks] "i"(chunks), [rows] "i"(rows),
                       [down] "i"(down), [rounding] "i"(rounding)
                     : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr",
                       "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");
}

KERNEL void depthwise_pass(const depthwise_pass_t *pass, const int32_t step, const int32_t chunks,
                           const int32_t rows, const int32_t down, const int32_t rounding)
{
    const mve_depthwise_t *p = pass->p;
    const int32_t row_bytes = p->y.w * p->y.c;
    const int32_t across = BLOCK_WINDOWS / rows;
    windows_t w;

    w.output = p->output;
    w.weights = p->weights + pass->channel * chunks * 16;
    w.rescale_next = p->rescale + 3 * pass->channel;
    w.x = pass->lines;
    w.y = pass->y;
    w.columns = pass->columns - across;
    w.y_step = p->y.c;
    const uint16x8_t i = vidupq_n_u16(0, 1);
    const uint16x8_t row = vandq_u16(i, vdupq_n_u16((uint16_t)(rows - 1)));
    const uint16x8_t column = vshlq_r_u16(i, -(rows / 2));
    const uint16x8_t below = vmulq_n_u16(row, (uint16_t)row_bytes);
    vst1q_u16(w.offsets, vaddq_u16(below, vmulq_n_u16(column, (uint16_t)p->y.c)));
    /* Rows below the last and columns beyond the only block are not stored. */
    w.mask = vcmphiq_u16(vdupq_n_u16((uint16_t)pass->rows), row) &
             vcmphiq_u16(vdupq_n_u16((uint16_t)pass->columns), column);

    /* A line makes `made` channels; if it is one, lines follow each other without a pause. */
    const int32_t made = p->depth_multiplier;
    w.line_bytes = made == 1 ? p->line_bytes : 0;
    for (int32_t left = pass->channels; left > 0; left -= made == 1 ? left : made) {
        w.channels = made == 1 ? left : made;
        windows(&w, step, chunks, rows, down, rounding);
        w.x += p->line_bytes;
    }
}

/* Passes for windows `step` bytes apart whose taps take `chunks` times 16 bytes. */
#define DEPTHWISE_PASS(step, chunks, rows, down)                                                   \
    SHARED void depthwise_##step##_##chunks##_##rows(const depthwise_pass_t *pass)                 \
    {                                                                                              \
        depthwise_pass(pass, step, chunks, rows, down, 0);                                         \
    }                                                                                              \
    SHARED void depthwise_##step##_##chunks##_##rows##_rectified(const depthwise_pass_t *pass)     \
    {                                                                                              \
        depthwise_pass(pass, step, chunks, rows, down, 1);                                         \
    }                                                                                              \
    SHARED void depthwise_##step##_##chunks##_##rows##_shifted(const depthwise_pass_t *pass)       \
    {                                                                                              \
        depthwise_pass(pass, step, chunks, rows, down, 2);                                         \
    }

DEPTHWISE_PASS(3, 1, 1, 1)
DEPTHWISE_PASS(6, 1, 1, 1)
DEPTHWISE_PASS(6, 1, 4, 1)
DEPTHWISE_PASS(10, 1, 2, 2)
DEPTHWISE_PASS(5, 2, 1, 1)
DEPTHWISE_PASS(6, 2, 2, 1)
DEPTHWISE_PASS(10, 2, 1, 1)
DEPTHWISE_PASS(7, 4, 1, 1)
DEPTHWISE_PASS(8, 4, 2, 1)
DEPTHWISE_PASS(14, 4, 1, 1)
DEPTHWISE_PASS(18, 4, 2, 2)

/* A pass for any kernel: sums first, then eight of them are rescaled together. */
SHARED void depthwise_any(const depthwise_pass_t *pass)
{
    const mve_depthwise_t *p = pass->p;
    const int32_t step = p->pitch * p->window.stride.w;
    const uint16x8_t offsets = multiples((uint16_t)p->y.c);

    for (int32_t i = 0; i < pass->channels * pass->rows; i++) {
        const int32_t channel = i / pass->rows, row = i % pass->rows, c = pass->channel + channel;
        const int8_t *weights = p->weights + c * p->chunks * 16;
        const int8_t *x =
            pass->lines + channel / p->depth_multiplier * p->line_bytes + row * p->window.stride.h;
        const rescale_t rescale = rescale_of(p, c);
        int8_t *y = pass->y + row * p->y.w * p->y.c + channel;
        for (int32_t j = 0; j < pass->columns; j += 8, y += 8 * p->y.c) {
            int32_t sums[8] = {0};
            for (int32_t k = 0; k < lesser(8, pass->columns - j); k++, x += step) {
                for (int32_t chunk = 0; chunk < 16 * p->chunks; chunk += 16) {
                    const int8x16_t w = vldrbq_s8(weights + chunk);
                    sums[k] = vmladavaq_s8(sums[k], vldrbq_s8(x + chunk), w);
                }
            }
            const int32x4x2_t both = vld2q_s32(sums);
            vstrbq_scatter_offset_p_s16(
                y, offsets, rescaled(both.val[0], both.val[1], &rescale, false, &p->output),
                vctp16q((uint32_t)(pass->columns - j)));
        }
    }
}

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

/* Padding into `count` columns of `channels` lines; returns where the next column is. */
KERNEL int8_t *gather_padding(int8_t *to, int32_t pitch, int32_t channels, int32_t count,
                              uint16x8_t offsets, int16x8_t padding)
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
                     : [pitch] "r"(pitch), [channels] "r"(channels), [count] "r"(count),
                       [offsets] "w"(offsets), [padding] "w"(padding)
                     : "lr", "cc", "memory");
    return to;
}

/* `count` pixels, x_step bytes apart, into as many columns; returns where the next column is. */
KERNEL int8_t *gather_pixels(const int8_t *x, int32_t x_step, int8_t *to, int32_t pitch,
                             int32_t channels, int32_t count, uint16x8_t offsets)
{
    if (channels < 8) {
        __asm__ volatile("vctp.16 %[channels]\n"
                         "wls lr, %[count], 2f\n"
                         "1:\n"
                         "vpstt\n"
                         "vldrbt.u16 q0, [%[x]]\n"
                         "vstrbt.16 q0, [%[to], %q[offsets]]\n"
                         "add %[x], %[x_step]\n"
                         "add %[to], %[pitch]\n"
                         "le lr, 1b\n"
                         "2:\n"
                         : [x] "+l"(x), [to] "+r"(to)
                         : [x_step] "r"(x_step), [pitch] "r"(pitch), [channels] "r"(channels),
                           [count] "r"(count), [offsets] "w"(offsets)
                         : "lr", "q0", "cc", "memory");
        return to;
    }
    __asm__ volatile(
        "wls lr, %[pairs], 2f\n"
        "1:\n"
        "vldrb.u16 q0, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q0, [%[to], %q[offsets]]\n"
        "add %[to], %[pitch]\n"
        "vldrb.u16 q1, [%[x]]\n"
        "add %[x], %[x_step]\n"
        "vstrb.16 q1, [%[to], %q[offsets]]\n"
        "add %[to], %[pitch]\n"
        "le lr, 1b\n"
        "2:\n"
        : [x] "+l"(x), [to] "+r"(to)
        : [x_step] "r"(x_step), [pitch] "r"(pitch), [pairs] "r"(count / 2), [offsets] "w"(offsets)
        : "lr", "q0", "q1", "cc", "memory");
    if (count % 2 != 0) {
        vstrbq_scatter_offset_u16((uint8_t *)to, offsets, vldrbq_u16((const uint8_t *)x));
        to += pitch;
    }
    return to;
}

/*
 * Gathers rows `row`, `row` + dilation, ... up to eight channels from `c` on into as many lines,
 * each row a byte behind the one before: the padding, what lies on the tensor, the padding.
 */
SHARED void gather_rows(const mve_depthwise_t *p, const rows_t *x, int32_t row, int32_t count,
                        const cells_t *cells, int32_t c, int8_t *to)
{
    const int32_t channels = lesser(p->lines, p->x.c - c), pitch = p->pitch;
    const int32_t dilation = p->window.dilation.w, x_step = dilation * p->x.c;
    const int32_t first = cells->inside.first, inside = cells->inside.last - first;
    const int32_t at = (cells->begin + first * dilation - x->first) * p->x.c + c;
    const int32_t behind = cells->count - cells->inside.last;
    const uint16x8_t offsets = multiples((uint16_t)p->line_bytes);
    const int16x8_t padding = vdupq_n_s16((int16_t)p->padding);

#pragma GCC unroll 1
    for (; count > 0; count--, row += p->window.dilation.h, to++) {
        if (row < 0 || row >= p->x.h || inside <= 0) {
            gather_padding(to, pitch, channels, cells->count, offsets, padding);
            continue;
        }
        int8_t *next = gather_padding(to, pitch, channels, first, offsets, padding);
        next = gather_pixels(row_at(x, row) + at, x_step, next, pitch, channels, inside, offsets);
        gather_padding(next, pitch, channels, behind, offsets, padding);
    }
}

/* Columns of one output row, `columns` of them at a time. */
SHARED void mve_depthwise_row(const mve_depthwise_t *p, rows_t x, int32_t row, span_t columns,
                              int8_t *y, int8_t *scratch)
{
    const window_t *w = &p->window;
    const int32_t top = row * w->stride.h - w->pad.h;
    for (int32_t i = columns.first; i < columns.last; i += p->columns, y += p->columns * p->y.c) {
        const int32_t count = lesser(p->columns, columns.last - i);
        const cells_t cells = cells_under(p, i, count);
        for (int32_t c = 0; c < p->x.c; c += p->lines) {
            gather_rows(p, &x, top, w->kernel.h, &cells, c, scratch);
            const int32_t first = c * p->depth_multiplier;
            const int32_t channels = lesser(p->lines * p->depth_multiplier, p->y.c - first);
            const depthwise_pass_t pass = {p, scratch, first, channels, 1, count, y + first};
            p->pass(&pass);
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
KERNEL void depthwise_slide(const mve_depthwise_t *p, const rows_t *x, int32_t c, int8_t *y,
                            int8_t *lines)
{
    const window_t *w = &p->window;
    const cells_t cells = cells_under(p, 0, p->y.w);
    const int32_t channels = lesser(p->lines, p->x.c - c) * p->depth_multiplier;
    int32_t gathered = 0, origin = 0; /* padded rows: up to which, and which is at lines[0] */

    for (int32_t row = 0; row < p->y.h; row += p->rows) {
        const int32_t rows = lesser(p->rows, p->y.h - row), first = row * w->stride.h;
        const int32_t end = first + (rows - 1) * w->stride.h + w->kernel.h;
        if (first - origin > p->slack) {
            slide_back(lines, first - origin, p->lines * p->line_bytes - (first - origin));
            origin = first;
        }
        gathered = greater(gathered, first);
        gather_rows(p, x, gathered - w->pad.h, end - gathered, &cells, c,
                    lines + gathered - origin);
        gathered = end;
        const int32_t out = c * p->depth_multiplier;
        const depthwise_pass_t pass = {p,      lines + first - origin,         out, channels, rows,
                                       p->y.w, y + row * p->y.w * p->y.c + out};
        p->pass(&pass);
    }
}

/* The whole op without dilation; y may begin where x begins. */
SHARED void mve_depthwise(const mve_depthwise_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t rows = whole_rows(x, &p->x);
    for (int32_t c = 0; c < p->x.c; c += p->lines) {
        depthwise_slide(p, &rows, c, y, scratch);
    }
}

KERNEL void mve_depthwise_inplace(const mve_depthwise_t *p, int8_t *x, int8_t *scratch)
{
    mve_depthwise(p, x, x, scratch);
}

#endif
