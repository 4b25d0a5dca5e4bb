/*
 * Convolution 3x3 of stride 1 by Winograd's F(2x2, 3x3), exact (arXiv:1509.09308, section 4.1, has
 * the matrices): four outputs take 16 products instead of 36.
 *
 * A tile of 4x4 cells becomes 16 values, B' d B, sums of four cells, which fit 16 bits. Weights
 * have become 16 values as well before the build, times four so that they are integers. What
 * remains of the convolution is a product for each of the 16 and each pair of channels, summed over
 * the depth; then sums of sums, A' m A, are the four outputs, times four. All is modulo 2^32, of
 * which the outputs leave nothing out, so only they need to fit. The factor is part of how they are
 * rounded.
 *
 * Three tiles are done at a time. Their values lie as the loop over the depth takes them: for each
 * of the 16, and each pair of cells, a word of each tile. Rows and columns of the 16 are in the
 * order 1, 2, 0, 3: of the products m1 and m2, m1 + m2 and m1 - m2 are where the sums of m0 and m3
 * begin, for the left and the right output. (The sign of m3 is the weights'.)
 */
#ifndef BENCH_KERNELS_ARMV7EM_WINOGRAD_H
#define BENCH_KERNELS_ARMV7EM_WINOGRAD_H

#include "armv7em/conv.h"
#include "armv7em/winograd_cores.h"

/* Channels that are rounded alike, from `first` on. */
typedef struct {
    tiles_fn_t *outputs;
    const int32_t *stream;
    int32_t first;
    int32_t channels; /* even */
} tiles_part_t;

typedef struct {
    shape_t x, y;
    pair_t pad;
    int32_t padding; /* what a padded cell holds: the input's zero point */
    tiles_depth_t depth;
    int32_t count;
    const tiles_part_t *parts;
    const channels_t *exact; /* for channels without numbers */
} dsp_winograd_t;

/* Channels of which neither form is exact; rows and columns of the sums are in the same order. */
SELDOM const int32_t *tiles_exactly(const int32_t *numbers, const int32_t *sums,
                                    const tiles_t *tiles, int32_t channel)
{
    for (int32_t i = 0; i < 2; i++) {
        for (int32_t right = 1; right >= 0; right--) {
            for (int32_t lane = LANES - 1; lane >= 0; lane--) {
                const uint32_t *row = (const uint32_t *)sums + (right * 2 + i) * LANES + lane;
                const uint32_t m1 = row[0], m2 = row[12], m0 = row[24], m3 = row[36];
                const int32_t upper = (int32_t)(m1 + m2 + m0), lower = (int32_t)(m1 - m2 + m3);
                int8_t *const *const to = &tiles->pixels[1 - right][0][lane];
                to[0][channel + i] = requantize(tiles->exact, lower >> 2, channel + i);
                to[LANES][channel + i] = requantize(tiles->exact, upper >> 2, channel + i);
            }
        }
    }
    return numbers;
}

/* The tile of cells from a row and a column on, put together on `patch` if it is at the border. */
SHARED void gather_tile(const dsp_winograd_t *p, const int8_t *x, int32_t row, int32_t column,
                        int32_t *to, int8_t *patch)
{
    const int32_t c = p->x.c, row_bytes = p->x.w * c;
    const span_t rows = overlap((span_t){0, 4}, (span_t){-row, p->x.h - row});
    const span_t columns = overlap((span_t){0, 4}, (span_t){-column, p->x.w - column});
    const int8_t *const from = x + row * row_bytes + column * c;
    const int32_t inside = greater(columns.last - columns.first, 0);

    if (inside == 4 && rows.last - rows.first == 4) {
        transform_tile(to, from, c, row_bytes);
        return;
    }
    __builtin_memset(patch, p->padding, (uint32_t)(16 * c));
#pragma GCC unroll 1
    for (int32_t i = rows.first; i < rows.last; i++) {
        copy_cells(from + i * row_bytes + columns.first * c, patch + (4 * i + columns.first) * c,
                   inside * c);
    }
    transform_tile(to, patch, c, 4 * c);
}

/* All channels of three tiles. */
SHARED void make_tiles(const dsp_winograd_t *p, const int32_t *values, const tiles_t *tiles)
{
    int32_t sums[4 * 2 * 2 * LANES] __attribute__((aligned(8)));
    for (int32_t i = 0; i < p->count; i++) {
        const tiles_part_t *const part = &p->parts[i];
        const int32_t *stream = part->stream;
        const int32_t last = part->first + part->channels;
        for (int32_t channel = part->first; channel < last; channel += 2) {
            stream = sum_tiles(stream, values, sums, &p->depth);
            stream = part->outputs(stream, sums, tiles, channel);
        }
    }
}

/*
 * Tiles go on in the next row. At an odd end pixels that are not there lie where others do, which
 * are stored after them; so do those of lanes that are left over.
 */
SHARED void dsp_winograd_tiles(const dsp_winograd_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const int32_t c = p->y.c, row_bytes = p->y.w * c;
    int32_t *const values = (void *)scratch;
    int8_t *const patch = scratch + 96 * p->x.c;
    tiles_t tiles = {.exact = p->exact};
    int32_t row = 0, column = 0;

    while (row < p->y.h) {
        for (int32_t lane = 0; lane < LANES; lane++) {
            if (row >= p->y.h) {
                for (int32_t i = 0; i < 4; i++) {
                    tiles.pixels[i / 2][i % 2][lane] = tiles.pixels[i / 2][i % 2][0];
                }
                continue;
            }
            gather_tile(p, x, row - p->pad.h, column - p->pad.w, values + lane, patch);
            int8_t *const first = y + row * row_bytes + column * c;
            const int32_t down = row + 1 < p->y.h ? row_bytes : 0;
            const int32_t right = column + 1 < p->y.w ? c : 0;
            tiles.pixels[0][0][lane] = first + down + right;
            tiles.pixels[0][1][lane] = first + right;
            tiles.pixels[1][0][lane] = first + down;
            tiles.pixels[1][1][lane] = first;
            column += 2;
            if (column >= p->y.w) {
                column = 0;
                row += 2;
            }
        }
        make_tiles(p, values, &tiles);
    }
}

KERNEL void dsp_winograd(const dsp_winograd_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    dsp_winograd_tiles(p, x, y, scratch);
}

#endif
