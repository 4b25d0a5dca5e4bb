/*
 * The ends of a model: from and to float32, and between integers of different widths; whole, or
 * columns of one row.
 *
 * Elements are addressed as bytes, since the arena has no type, and are read and written in order.
 * An output may start where its input does if its elements are not wider; otherwise they must not
 * overlap.
 */
#ifndef BENCH_KERNELS_QUANTIZE_H
#define BENCH_KERNELS_QUANTIZE_H

#include "requantize.h"
#include "window.h"

enum { FLOAT_BYTES = 4 };

typedef enum {
    ELEMENT_INT8,
    ELEMENT_UINT8,
    ELEMENT_INT16,
    ELEMENT_INT32,
} element_t;

typedef struct {
    int32_t size;
    element_t y;
    float scale;
    output_t output;
} quantize_t;

typedef struct {
    int32_t size;
    element_t x;
    float scale;
    int32_t zero_point;
} dequantize_t;

typedef struct {
    int32_t size;
    element_t x, y;
    int32_t x_offset; /* minus the input's zero point */
    factor_t factor;
    output_t output;
} requantize_t;

KERNEL int32_t load_element(element_t type, const uint8_t *x, int32_t i)
{
    int16_t narrow;
    int32_t wide;
    switch (type) {
    case ELEMENT_INT8:
        return (int8_t)x[i];
    case ELEMENT_UINT8:
        return x[i];
    case ELEMENT_INT16:
        __builtin_memcpy(&narrow, x + 2 * i, sizeof narrow);
        return narrow;
    case ELEMENT_INT32:
    default:
        __builtin_memcpy(&wide, x + 4 * i, sizeof wide);
        return wide;
    }
}

/* The value must be in the type's range. */
KERNEL void store_element(element_t type, uint8_t *y, int32_t i, int32_t value)
{
    const int16_t narrow = (int16_t)value;
    switch (type) {
    case ELEMENT_INT8:
    case ELEMENT_UINT8:
        y[i] = (uint8_t)value;
        break;
    case ELEMENT_INT16:
        __builtin_memcpy(y + 2 * i, &narrow, sizeof narrow);
        break;
    case ELEMENT_INT32:
    default:
        __builtin_memcpy(y + 4 * i, &value, sizeof value);
        break;
    }
}

KERNEL int32_t element_bytes(element_t type)
{
    switch (type) {
    case ELEMENT_INT8:
    case ELEMENT_UINT8:
        return 1;
    case ELEMENT_INT16:
        return 2;
    case ELEMENT_INT32:
    default:
        return 4;
    }
}

KERNEL float load_float(const uint8_t *x, int32_t i)
{
    float value;
    __builtin_memcpy(&value, x + FLOAT_BYTES * i, sizeof value);
    return value;
}

/*
 * The integer nearest to x in [low, high], halves away from zero; low for a NaN. The fraction is
 * compared rather than 0.5 added, which would carry 0.49999997 to 1.
 */
KERNEL int32_t round_between(float x, int32_t low, int32_t high)
{
    if (!(x > (float)low)) {
        return low;
    }
    if (x >= (float)high) {
        return high;
    }
    const int32_t whole = (int32_t)x;
    const float fraction = x - (float)whole;
    if (fraction >= 0.5f) {
        return whole + 1;
    }
    return fraction <= -0.5f ? whole - 1 : whole;
}

/* x float32 [size] to y. */
KERNEL void quantize_run(const quantize_t *p, int32_t size, const uint8_t *x, uint8_t *y)
{
    const output_t *out = &p->output;
    for (int32_t i = 0; i < size; i++) {
        const float steps = load_float(x, i) / p->scale;
        const int32_t value =
            round_between(steps, out->low - out->zero_point, out->high - out->zero_point);
        store_element(p->y, y, i, value + out->zero_point);
    }
}

KERNEL void quantize(const quantize_t *p, const uint8_t *x, uint8_t *y)
{
    quantize_run(p, p->size, x, y);
}

KERNEL void quantize_row(const quantize_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    const int32_t size = (columns.last - columns.first) * (x.pixel_bytes / FLOAT_BYTES);
    quantize_run(p, size, (const uint8_t *)pixel_at(&x, row, columns.first), (uint8_t *)y);
}

/* x to y float32 [size]. */
KERNEL void dequantize_run(const dequantize_t *p, int32_t size, const uint8_t *x, uint8_t *y)
{
    for (int32_t i = 0; i < size; i++) {
        const float value = p->scale * (float)(load_element(p->x, x, i) - p->zero_point);
        __builtin_memcpy(y + FLOAT_BYTES * i, &value, sizeof value);
    }
}

KERNEL void dequantize(const dequantize_t *p, const uint8_t *x, uint8_t *y)
{
    dequantize_run(p, p->size, x, y);
}

KERNEL void dequantize_row(const dequantize_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    const int32_t size = (columns.last - columns.first) * (x.pixel_bytes / element_bytes(p->x));
    dequantize_run(p, size, (const uint8_t *)pixel_at(&x, row, columns.first), (uint8_t *)y);
}

/* Between integers. */
KERNEL void requantize_run(const requantize_t *p, int32_t size, const uint8_t *x, uint8_t *y)
{
    const output_t *out = &p->output;
    for (int32_t i = 0; i < size; i++) {
        const int32_t centred = load_element(p->x, x, i) + p->x_offset;
        const int32_t value = rescale(centred, p->factor.multiplier, p->factor.shift);
        const int32_t clamped =
            clamp(value, out->low - out->zero_point, out->high - out->zero_point);
        store_element(p->y, y, i, clamped + out->zero_point);
    }
}

KERNEL void requantize_elements(const requantize_t *p, const uint8_t *x, uint8_t *y)
{
    requantize_run(p, p->size, x, y);
}

KERNEL void requantize_elements_row(const requantize_t *p, rows_t x, int32_t row, span_t columns,
                                    int8_t *y)
{
    const int32_t size = (columns.last - columns.first) * (x.pixel_bytes / element_bytes(p->x));
    requantize_run(p, size, (const uint8_t *)pixel_at(&x, row, columns.first), (uint8_t *)y);
}

#endif
