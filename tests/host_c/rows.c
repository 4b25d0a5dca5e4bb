/*
 * Runs window kernels row by row on a ring of no more input rows than a window spans, and compares
 * with the whole tensor at once. Prints the first row that differs.
 */
#include <stdio.h>
#include <string.h>

#include "conv.h"
#include "depthwise.h"
#include "pool.h"

enum {
    H = 9,
    W = 6,
    C = 4,
    KERNEL_ROWS = 3,
    DILATION = 2,
    SLOTS = (KERNEL_ROWS - 1) * DILATION + 1
};

static int8_t input[H * W * C];
static int8_t weights[C * KERNEL_ROWS * 3 * C];
static const int32_t bias[C] = {10, -200, 3000, 0};
static const int32_t multipliers[C] = {1 << 30, 2000000000, -1500000000, 1 << 30};
static const int8_t shifts[C] = {-6, -7, -7, 0};

static const conv2d_t geometry = {
    .x = {H, W, C},
    .y = {H, W, C},
    .window = {{KERNEL_ROWS, 3}, {1, 1}, {DILATION, 1}, {2, 1}},
    .padding = -7,
    .weights = weights,
    .channels = {bias, multipliers, shifts, 1, true, {3, -100, 110}},
};

/* Copies the input rows that output row `row` is the first to need into their slots. */
static void receive_rows(int8_t *ring, int32_t row)
{
    static int32_t received;
    received = row == 0 ? 0 : received;
    for (; received < H && received < row - 2 + SLOTS; received++) {
        memcpy(ring + received % SLOTS * W * C, input + received * W * C, W * C);
    }
}

static int differs(const char *name, int32_t row, const int8_t *whole, const int8_t *y)
{
    if (memcmp(whole + row * W * C, y, W * C) != 0) {
        printf("%s: row %d\n", name, (int)row);
        return 1;
    }
    return 0;
}

int main(void)
{
    const depthwise_t depthwise_op = {
        .x = geometry.x,
        .y = geometry.y,
        .window = geometry.window,
        .depth_multiplier = 1,
        .padding = geometry.padding,
        .weights = weights,
        .channels = geometry.channels,
    };
    const pool_t pool_op = {
        .x = geometry.x,
        .y = geometry.y,
        .window = {{SLOTS, 3}, {1, 1}, {1, 1}, {2, 1}},
        .low = -100,
        .high = 100,
    };
    static int8_t ring[SLOTS * W * C], y[W * C], conv_y[H * W * C], depthwise_y[H * W * C];
    static int8_t average_y[H * W * C], max_y[H * W * C];
    const rows_t rows = {.base = ring, .row_bytes = W * C, .pixel_bytes = C, .slots = SLOTS};
    const span_t columns = {0, W};
    int wrong = 0;

    for (size_t i = 0; i < sizeof input; i++) {
        input[i] = (int8_t)(i * 37 % 251);
    }
    for (size_t i = 0; i < sizeof weights; i++) {
        weights[i] = (int8_t)(i * 73 % 239);
    }
    conv2d(&geometry, input, conv_y);
    depthwise(&depthwise_op, input, depthwise_y);
    average_pool(&pool_op, input, average_y);
    max_pool(&pool_op, input, max_y);
    for (int32_t row = 0; row < H; row++) {
        receive_rows(ring, row);
        conv2d_row(&geometry, rows, row, columns, y);
        wrong += differs("conv2d", row, conv_y, y);
        depthwise_row(&depthwise_op, rows, row, columns, y);
        wrong += differs("depthwise", row, depthwise_y, y);
        average_pool_row(&pool_op, rows, row, columns, y);
        wrong += differs("average_pool", row, average_y, y);
        max_pool_row(&pool_op, rows, row, columns, y);
        wrong += differs("max_pool", row, max_y, y);
    }
    return wrong != 0;
}
