/*
 * What depthwise kernels for MVE share: lines into which channels are gathered, as depthwise.h
 * says, and passes over them, which windows.h and channels.h have.
 */
#ifndef BENCH_KERNELS_MVE_PASSES_H
#define BENCH_KERNELS_MVE_PASSES_H

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
    const int8_t *weights;    /* [OC, shared, chunks, 16]: those of each window that shares loads */
    const int32_t *rescale;   /* of windows.h: [OC, 3]: bias, multiplier, shift; or of lines
                                 addend, scale, multiplier. Of channels.h: [OC / 8, 2 or 3, 2, 4]:
                                 the same, but scales, of channels 0, 2, 4, 6, then 1, 3, 5, 7 */
    int32_t rescale_words;    /* of a channel */
    int32_t scale;            /* of lines, which in channels.h all channels have, else 0 */
    output_t output;
    int32_t chunks;                        /* of 16 bytes under a window */
    int32_t weight_bytes;                  /* of a channel */
    void (*pass)(struct depthwise_pass *); /* one for this step from window to window */
} mve_depthwise_t;

/*
 * Output rows and columns of some channels, to be made of lines; the assembly knows the offsets.
 * Those from 48 to 79 are of windows.h, those from 80 to 111 of channels.h.
 */
typedef struct depthwise_pass {
    rescale_t rescale;               /*  0: of the channel */
    int32_t zero_point, one;         /* 12 */
    int32_t low, high;               /* 20 */
    const int8_t *weights;           /* 28: of the next channel */
    const int32_t *rescale_next;     /* 32 */
    const int8_t *x;                 /* 36: the first window */
    int8_t *y;                       /* 40: the first output */
    int32_t channels;                /* 44: left */
    int32_t columns;                 /* 48: less those of a block */
    int32_t line_bytes;              /* 52 */
    int32_t y_step;                  /* 56: from column to column */
    uint16_t offsets[BLOCK_WINDOWS]; /* 60: of the outputs of a block */
    uint32_t mask;                   /* 76: which of them there are, two bits each */
    int32_t constant, unit;          /* 80: a line's scale or the zero point, 1 */
    int32_t x_next, y_next;          /* 88: from behind a window's last line to the next window */
    int32_t x_row, y_row;            /* 96: from behind a row to the next */
    int32_t across, down;            /* 104: columns of a row, rows that are left */
    const mve_depthwise_t *p;
    int32_t channel; /* the first one of the output */
    int32_t rows;    /* of the output */
} depthwise_pass_t;

/* Says that passes make `rows` rows: those below, or beyond the only block, are not stored. */
SHARED void set_rows(depthwise_pass_t *pass, int32_t rows)
{
    const int32_t across = BLOCK_WINDOWS / pass->p->rows;
    const uint16x8_t i = vidupq_n_u16(0, 1);
    const uint16x8_t row = vandq_u16(i, vdupq_n_u16((uint16_t)(pass->p->rows - 1)));
    const uint16x8_t column = vshlq_r_u16(i, -(pass->p->rows / 2));
    pass->rows = rows;
    pass->mask = vcmphiq_u16(vdupq_n_u16((uint16_t)rows), row) &
                 vcmphiq_u16(vdupq_n_u16((uint16_t)(pass->columns + across)), column);
}

/*
 * What passes over up to `rows` rows and `columns` columns have in common; rows of the output lie
 * row_bytes apart.
 */
SHARED void prepare_passes(depthwise_pass_t *pass, const mve_depthwise_t *p, int32_t rows,
                           int32_t columns, int32_t row_bytes)
{
    const int32_t across = BLOCK_WINDOWS / p->rows;
    pass->zero_point = p->output.zero_point;
    pass->one = 1;
    pass->low = p->output.low;
    pass->high = p->output.high;
    /* A line makes `depth_multiplier` channels; if it is one, lines follow without a pause. */
    pass->line_bytes = p->depth_multiplier == 1 ? p->line_bytes : 0;
    pass->columns = columns - across;
    pass->y_step = p->y.c;
    pass->p = p;
    const uint16x8_t i = vidupq_n_u16(0, 1);
    const uint16x8_t row = vandq_u16(i, vdupq_n_u16((uint16_t)(p->rows - 1)));
    const uint16x8_t column = vshlq_r_u16(i, -(p->rows / 2));
    const uint16x8_t below = vmulq_n_u16(row, (uint16_t)row_bytes);
    vst1q_u16(pass->offsets, vaddq_u16(below, vmulq_n_u16(column, (uint16_t)p->y.c)));
    set_rows(pass, rows);
    const int32_t step = p->pitch * p->window.stride.w;
    pass->constant = p->scale != 0 ? p->scale : p->output.zero_point;
    pass->unit = 1;
    pass->x_next = step - BLOCK_WINDOWS * p->line_bytes;
    pass->y_next = p->y.c;
    pass->x_row = p->window.stride.h - columns * step;
    pass->y_row = row_bytes - columns * p->y.c;
    pass->across = columns;
}

/* Makes `channels` channels from `channel` on, y being the first output of the first. */
SHARED void run_passes(depthwise_pass_t *pass, const int8_t *lines, int32_t channel,
                       int32_t channels, int8_t *y)
{
    const mve_depthwise_t *p = pass->p;
    const int32_t at_once = p->depth_multiplier == 1 ? channels : p->depth_multiplier;
    pass->weights = p->weights + channel * p->weight_bytes;
    pass->rescale_next = p->rescale + p->rescale_words * channel;
    pass->down = pass->rows;
    pass->y = y;
    pass->channel = channel;
    for (int32_t left = channels; left > 0; left -= at_once) {
        pass->x = lines;
        pass->channels = at_once;
        p->pass(pass);
        lines += p->line_bytes;
        pass->channel += at_once;
    }
}

#endif
