/*
 * Depthwise convolution on ARMv6-M, channel by channel: rows of one channel are gathered into
 * scratch, padding included, each cell plus 128, so that it is loaded with an immediate offset and
 * no output is at a border:
 *
 *     | padding | x[r][0][c] + 128 | x[r][1][c] + 128 | ... | padding |    `pitch` bytes a row
 *
 * A weight that is loaded serves a few neighbouring outputs: three instructions a product, and two
 * a weight. Outputs are rescaled as in dots.h.
 */
#ifndef BENCH_KERNELS_ARMV6M_DEPTHWISE_H
#define BENCH_KERNELS_ARMV6M_DEPTHWISE_H

#include "dots.h"

/*
 * Makes sums of a few neighbouring outputs: *sums, plus the products of `taps` weights with the
 * rows at x, the first for the first output.
 */
typedef void planes_sums_t(const int8_t *weights, const uint8_t *x, int32_t pitch, int32_t taps,
                           int32_t *sums);

typedef struct {
    shape_t x, y;
    window_t window;
    int32_t depth_multiplier; /* output channels of an input channel */
    int32_t padding;          /* what a padded cell holds: the input's zero point plus 128 */
    int32_t pitch;            /* of rows in scratch; a multiple of 4 */
    int32_t rows;             /* that scratch holds */
    const int8_t *weights;    /* [OC, KH, KW] */
    const int32_t *form;      /* this, has_form and has_steps are as in dots_t */
    int32_t addend, shift;
    bool has_form, has_steps;
    channels_t exact;    /* the bias is less 128 times the sum of the weights, too */
    int32_t at_once;     /* outputs */
    planes_sums_t *sums; /* the function for this width, stride and number of outputs */
} planes_t;

#define PLANES_MOST_AT_ONCE 6

/* clang-format off */

/* Adds the product of the weight in r2 with the cell `at` behind r1. */
#define PLANES_PRODUCT(add, sum, at)                                                               \
    "ldrb r3, [r1, #(" #at ")]\n"                                                                  \
    "muls r3, r2\n"                                                                                \
    add " " sum ", r3\n"

#define PLANES_PRODUCTS_3(j, stride)                                                               \
    PLANES_PRODUCT("adds", "r4", j)                                                                \
    PLANES_PRODUCT("adds", "r5", j + stride)                                                       \
    PLANES_PRODUCT("adds", "r6", j + 2 * stride)
#define PLANES_PRODUCTS_4(j, stride)                                                               \
    PLANES_PRODUCTS_3(j, stride)                                                                   \
    PLANES_PRODUCT("adds", "r7", j + 3 * stride)
#define PLANES_PRODUCTS_5(j, stride)                                                               \
    PLANES_PRODUCTS_4(j, stride)                                                                   \
    PLANES_PRODUCT("add", "r8", j + 4 * stride)
#define PLANES_PRODUCTS_6(j, stride)                                                               \
    PLANES_PRODUCTS_5(j, stride)                                                                   \
    PLANES_PRODUCT("add", "r9", j + 5 * stride)

/* Weight j of a row with all outputs. */
#define PLANES_TAP(j, stride, count)                                                               \
    "movs r3, #" #j "\n"                                                                           \
    "ldrsb r2, [r0, r3]\n"                                                                         \
    PLANES_PRODUCTS_##count(j, stride)

#define PLANES_TAPS_3(stride, count)                                                               \
    PLANES_TAP(0, stride, count) PLANES_TAP(1, stride, count) PLANES_TAP(2, stride, count)
#define PLANES_TAPS_5(stride, count)                                                               \
    PLANES_TAPS_3(stride, count) PLANES_TAP(3, stride, count) PLANES_TAP(4, stride, count)
#define PLANES_TAPS_7(stride, count)                                                               \
    PLANES_TAPS_5(stride, count) PLANES_TAP(5, stride, count) PLANES_TAP(6, stride, count)

/* Six sums begin as the first one; r12 is the pitch, lr the end of the weights. */
#define PLANES_SUMS(width, stride, count)                                                          \
    SHARED __attribute__((naked)) void planes_##width##_##stride##_##count(                        \
        const int8_t *weights UNUSED, const uint8_t *x UNUSED, int32_t pitch UNUSED,               \
        int32_t taps UNUSED, int32_t *sums UNUSED)                                                 \
    {                                                                                              \
        __asm__(".syntax unified\n"                                                                \
                "push {r4-r7, lr}\n"                                                               \
                "mov r4, r8\n"                                                                     \
                "mov r5, r9\n"                                                                     \
                "push {r4, r5}\n"                                                                  \
                "mov r12, r2\n"                                                                    \
                "adds r3, r0, r3\n"                                                                \
                "mov lr, r3\n"                                                                     \
                "ldr r3, [sp, #28]\n"                                                              \
                "ldr r4, [r3]\n"                                                                   \
                "movs r5, r4\n"                                                                    \
                "movs r6, r4\n"                                                                    \
                "movs r7, r4\n"                                                                    \
                "mov r8, r4\n"                                                                     \
                "mov r9, r4\n"                                                                     \
                "1:\n"                                                                             \
                PLANES_TAPS_##width(stride, count)                                                 \
                "adds r0, #" #width "\n"                                                           \
                "add r1, r12\n"                                                                    \
                "cmp r0, lr\n"                                                                     \
                "beq 2f\n"                                                                         \
                "b 1b\n"                                                                           \
                "2:\n"                                                                             \
                "ldr r3, [sp, #28]\n"                                                              \
                "stm r3!, {r4-r7}\n"                                                               \
                "mov r4, r8\n"                                                                     \
                "mov r5, r9\n"                                                                     \
                "stm r3!, {r4, r5}\n"                                                              \
                "pop {r4, r5}\n"                                                                   \
                "mov r8, r4\n"                                                                     \
                "mov r9, r5\n"                                                                     \
                "pop {r4-r7, pc}\n");                                                              \
    }

/* clang-format on */

PLANES_SUMS(3, 1, 3)
PLANES_SUMS(3, 1, 4)
PLANES_SUMS(3, 1, 5)
PLANES_SUMS(3, 1, 6)
PLANES_SUMS(3, 2, 3)
PLANES_SUMS(3, 2, 4)
PLANES_SUMS(3, 2, 5)
PLANES_SUMS(3, 2, 6)
PLANES_SUMS(5, 1, 3)
PLANES_SUMS(5, 1, 4)
PLANES_SUMS(5, 1, 5)
PLANES_SUMS(5, 1, 6)
PLANES_SUMS(5, 2, 3)
PLANES_SUMS(5, 2, 4)
PLANES_SUMS(5, 2, 5)
PLANES_SUMS(5, 2, 6)
PLANES_SUMS(7, 1, 3)
PLANES_SUMS(7, 1, 4)
PLANES_SUMS(7, 1, 5)
PLANES_SUMS(7, 1, 6)
PLANES_SUMS(7, 2, 3)
PLANES_SUMS(7, 2, 4)
PLANES_SUMS(7, 2, 5)
PLANES_SUMS(7, 2, 6)

/* The constants of a channel; the assembly knows the offsets. */
typedef struct {
    int32_t multiplier_low, multiplier_high; /*  0: its halves */
    int32_t intercept, addend;               /*  8 */
    int32_t span, shift;                     /* 16: outputs above the lowest */
    int32_t step;                            /* 24: from output to output */
    int32_t low, turn;                       /* 28: the lowest output; what is taken if x < 0 */
} planes_constants_t;

/* clang-format off */

/* Outputs of `count` sums as dots_scale() computes them; r3 is x, r8 to r12 are constants. */
#define PLANES_FINISH(turn_of, turn)                                                               \
    "push {r4-r7, lr}\n"                                                                           \
    "mov r4, r8\n"                                                                                 \
    "mov r5, r9\n"                                                                                 \
    "mov r6, r10\n"                                                                                \
    "mov r7, r11\n"                                                                                \
    "push {r4-r7}\n"                                                                               \
    "lsls r3, r3, #2\n"                                                                            \
    "adds r3, r3, r1\n"                                                                            \
    "mov lr, r3\n"                                                                                 \
    "ldm r0!, {r3-r7}\n"                                                                           \
    "mov r8, r3\n"                                                                                 \
    "mov r9, r4\n"                                                                                 \
    "mov r10, r5\n"                                                                                \
    "mov r11, r6\n"                                                                                \
    "mov r12, r7\n"                                                                                \
    "ldm r0!, {r3-r6}\n"                                                                           \
    "push {r5, r6}\n"                                                                              \
    "movs r7, r3\n"                                                                                \
    "movs r0, r4\n"                                                                                \
    "1:\n"                                                                                         \
    "ldm r1!, {r3}\n"                                                                              \
    turn_of                                                                                        \
    "uxth r4, r3\n"                                                                                \
    "asrs r3, r3, #16\n"                                                                           \
    "mov r5, r8\n"                                                                                 \
    "muls r5, r4\n"                                                                                \
    "lsrs r5, r5, #16\n"                                                                           \
    turn                                                                                           \
    "mov r6, r9\n"                                                                                 \
    "muls r4, r6\n"                                                                                \
    "adds r5, r5, r4\n"                                                                            \
    "muls r6, r3\n"                                                                                \
    "mov r4, r8\n"                                                                                 \
    "muls r4, r3\n"                                                                                \
    "adds r5, r5, r4\n"                                                                            \
    "add r5, r10\n"                                                                                \
    "asrs r5, r5, #16\n"                                                                           \
    "adds r5, r5, r6\n"                                                                            \
    "add r5, r11\n"                                                                                \
    "asrs r5, r7\n"                                                                                \
    "cmp r5, r12\n"                                                                                \
    "bhi 3f\n"                                                                                     \
    "2:\n"                                                                                         \
    "ldr r6, [sp]\n"                                                                               \
    "adds r5, r5, r6\n"                                                                            \
    "strb r5, [r2]\n"                                                                              \
    "adds r2, r2, r0\n"                                                                            \
    "cmp r1, lr\n"                                                                                 \
    "bne 1b\n"                                                                                     \
    "add sp, #8\n"                                                                                 \
    "pop {r4-r7}\n"                                                                                \
    "mov r8, r4\n"                                                                                 \
    "mov r9, r5\n"                                                                                 \
    "mov r10, r6\n"                                                                                \
    "mov r11, r7\n"                                                                                \
    "pop {r4-r7, pc}\n"                                                                            \
    "3:\n" /* below the lowest, or above the highest */                                            \
    "asrs r5, r5, #31\n"                                                                           \
    "mvns r5, r5\n"                                                                                \
    "mov r6, r12\n"                                                                                \
    "ands r5, r6\n"                                                                                \
    "b 2b\n"

SHARED __attribute__((naked)) void planes_finish(const planes_constants_t *k UNUSED,
                                                 const int32_t *sums UNUSED, int8_t *y UNUSED,
                                                 int32_t count UNUSED)
{
    __asm__(".syntax unified\n" PLANES_FINISH("", ""));
}

SHARED __attribute__((naked)) void planes_finish_turned(const planes_constants_t *k UNUSED,
                                                        const int32_t *sums UNUSED,
                                                        int8_t *y UNUSED, int32_t count UNUSED)
{
    __asm__(".syntax unified\n" PLANES_FINISH("asrs r6, r3, #31\n"
                                              "ldr r5, [sp, #4]\n"
                                              "ands r6, r5\n",
                                              "subs r5, r5, r6\n"));
}

#define PLANES_CELL(at)                                                                            \
    "ldrb r4, [r0]\n"                                                                              \
    "add r0, r1\n"                                                                                 \
    "adds r4, #128\n"                                                                              \
    "strb r4, [r2, #" #at "]\n"

/* Copies `count` cells, `step` bytes apart and at least one, each plus 128. */
SHARED __attribute__((naked)) void planes_cells(const int8_t *x UNUSED, int32_t step UNUSED,
                                                uint8_t *to UNUSED, int32_t count UNUSED)
{
    __asm__(".syntax unified\n"
            "push {r4, lr}\n"
            "adds r3, r3, r2\n"
            "b 2f\n"
            "1:\n" PLANES_CELL(0)
            "adds r2, #1\n"
            "2:\n"
            "subs r4, r3, r2\n"
            "lsls r4, r4, #30\n" /* what is more than a multiple of four comes first */
            "bne 1b\n"
            "b 4f\n"
            "3:\n" PLANES_CELL(0) PLANES_CELL(1) PLANES_CELL(2) PLANES_CELL(3)
            "adds r2, #4\n"
            "4:\n"
            "cmp r2, r3\n"
            "bne 3b\n"
            "pop {r4, pc}\n");
}

/* clang-format on */

/* What is the same for all rows of an output channel. */
typedef struct {
    planes_constants_t k;
    const int8_t *weights;
    int32_t bias, channel;
} planes_channel_t;

SHARED void planes_begin(const planes_t *p, int32_t c, planes_channel_t *channel)
{
    const int32_t *form = p->form + (p->has_form ? c * (p->has_steps ? 3 : 2) : 0);
    channel->k.multiplier_low = form[0] & 0xFFFF;
    channel->k.multiplier_high = form[0] >> 16;
    channel->k.intercept = p->has_form ? form[1] : 0;
    channel->k.addend = p->addend;
    channel->k.span = p->exact.output.high - p->exact.output.low;
    channel->k.shift = p->shift;
    channel->k.step = p->y.c;
    channel->k.low = p->exact.output.low;
    channel->k.turn = p->has_steps ? form[2] : 0;
    channel->weights = p->weights + c * p->window.kernel.h * p->window.kernel.w;
    channel->bias = p->exact.bias[c];
    channel->channel = c;
}

/* `count` outputs of a row, whose first window begins at x. */
SHARED void planes_row(const planes_t *p, const planes_channel_t *channel, const uint8_t *x,
                       int32_t count, int8_t *y)
{
    const int32_t taps = p->window.kernel.h * p->window.kernel.w, step = p->y.c;
    const int32_t at_once = p->at_once, made = lesser(at_once, count);
    const int32_t x_step = at_once * p->window.stride.w;
    int32_t sums[PLANES_MOST_AT_ONCE];

#pragma GCC unroll 1
    for (int32_t left = count; left > 0; left -= at_once) {
        if (left < made) {
            /* The last ones end with the row. */
            x -= (made - left) * p->window.stride.w;
            y -= (made - left) * step;
        }
        sums[0] = channel->bias;
        p->sums(channel->weights, x, p->pitch, taps, sums);
        if (p->has_steps) {
            planes_finish_turned(&channel->k, sums, y, made);
        } else if (p->has_form) {
            planes_finish(&channel->k, sums, y, made);
        } else {
            for (int32_t j = 0; j < made; j++) {
                y[j * step] = requantize(&p->exact, sums[j], channel->channel);
            }
        }
        x += x_step;
        y += made * step;
    }
}

KERNEL uint8_t *planes_pad(uint8_t *to, int32_t padding, int32_t count)
{
#pragma GCC unroll 1
    for (; count > 0; count--) {
        *to++ = (uint8_t)padding;
        /* Else GCC makes words of it, which takes longer for the few that there are. */
        __asm__ volatile("" : : : "memory");
    }
    return to;
}

/* Gathers `count` cells of channel c of a row, the first of which is in column `begin`. */
SHARED void planes_gather(const planes_t *p, const rows_t *x, int32_t row, int32_t begin,
                          int32_t count, int32_t c, uint8_t *to)
{
    const int32_t before = greater(-begin, 0), behind = greater(begin + count - p->x.w, 0);
    const int32_t inside = count - before - behind;
    if (row < 0 || row >= p->x.h || inside <= 0) {
        planes_pad(to, p->padding, count);
        return;
    }
    const int8_t *in = row_at(x, row) + (begin + before - x->first) * p->x.c + c;
    to = planes_pad(to, p->padding, before);
    planes_cells(in, p->x.c, to, inside);
    planes_pad(to + inside, p->padding, behind);
}

/* The whole op; y may begin where x begins, as for depthwise_inplace(). */
SHARED void planes_depthwise(const planes_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const window_t *w = &p->window;
    const rows_t rows = whole_rows(x, &p->x);
    const int32_t cells = (p->y.w - 1) * w->stride.w + w->kernel.w;
    const int32_t made = p->depth_multiplier;
    uint8_t *lines = (uint8_t *)scratch;
    planes_channel_t channel;

    for (int32_t c = 0; c < p->x.c; c++) {
        int32_t begin = 0, end = 0; /* padded rows that scratch holds */
        for (int32_t row = 0; row < p->y.h; row++) {
            const int32_t top = row * w->stride.h, bottom = top + w->kernel.h;
            if (bottom > begin + p->rows) {
                /* Rows that are still needed move to the front. */
                const uint32_t *from =
                    (const uint32_t *)(const void *)(lines + (top - begin) * p->pitch);
                uint32_t *to = (uint32_t *)(void *)lines;
                for (int32_t i = 0; i < (end - top) * p->pitch; i += 4) {
                    *to++ = *from++;
                }
                end = greater(end, top);
                begin = top;
            }
            for (; end < bottom; end++) {
                uint8_t *line = lines + (end - begin) * p->pitch;
                planes_gather(p, &rows, end - w->pad.h, -w->pad.w, cells, c, line);
            }
            int8_t *to = y + row * p->y.w * p->y.c + c * made;
            for (int32_t i = 0; i < made; i++) {
                if (made > 1 || row == 0) {
                    planes_begin(p, c * made + i, &channel);
                }
                planes_row(p, &channel, lines + (top - begin) * p->pitch, p->y.w, to + i);
            }
        }
    }
}

KERNEL void planes_depthwise_inplace(const planes_t *p, int8_t *x, int8_t *scratch)
{
    planes_depthwise(p, x, x, scratch);
}

/* Columns of one output row. */
SHARED void planes_depthwise_row(const planes_t *p, rows_t x, int32_t row, span_t columns,
                                 int8_t *y, int8_t *scratch)
{
    const window_t *w = &p->window;
    const int32_t count = columns.last - columns.first, made = p->depth_multiplier;
    const int32_t begin = columns.first * w->stride.w - w->pad.w;
    const int32_t cells = (count - 1) * w->stride.w + w->kernel.w;
    const int32_t top = row * w->stride.h - w->pad.h;
    uint8_t *lines = (uint8_t *)scratch;
    planes_channel_t channel;

    for (int32_t c = 0; c < p->x.c; c++) {
        for (int32_t k = 0; k < w->kernel.h; k++) {
            planes_gather(p, &x, top + k, begin, cells, c, lines + k * p->pitch);
        }
        for (int32_t i = 0; i < made; i++) {
            planes_begin(p, c * made + i, &channel);
            planes_row(p, &channel, lines, count, y + c * made + i);
        }
    }
}

#endif
