/*
 * Addition, subtraction and multiplication of int8 tensors, element by element.
 *
 * The output may lie exactly over an operand that has its shape; otherwise it must not overlap.
 */
#ifndef BENCH_KERNELS_ELEMENTWISE_H
#define BENCH_KERNELS_ELEMENTWISE_H

#include "window.h"

#define ELEMENTWISE_AXES 4

/*
 * The output's axes, the last one running fastest, and by how many elements an operand moves on
 * along each: 0 where it is broadcast. Axes along which both move alike are joined.
 */
typedef struct {
    int32_t length[ELEMENTWISE_AXES];
    int32_t a_step[ELEMENTWISE_AXES];
    int32_t b_step[ELEMENTWISE_AXES];
} broadcast_t;

/* clamp(y + output(a(a + a_offset) +- b(b + b_offset))), with left_shift bits of headroom. */
typedef struct {
    broadcast_t shape;
    int32_t a_offset, b_offset; /* minus the zero points */
    int32_t left_shift;
    factor_t a, b;
    factor_t sum;
    output_t output;
} add_t;

/* clamp(y + product((a + a_offset) * (b + b_offset))) */
typedef struct {
    broadcast_t shape;
    int32_t a_offset, b_offset;
    factor_t product;
    output_t output;
} mul_t;

KERNEL int32_t add_operand(int32_t x, int32_t offset, int32_t left_shift, factor_t factor)
{
    return rescale((x + offset) * (1 << left_shift), factor.multiplier, factor.shift);
}

KERNEL int8_t add_element(const void *parameters, int32_t a, int32_t b)
{
    const add_t *p = parameters;
    const int32_t sum = add_operand(a, p->a_offset, p->left_shift, p->a) +
                        add_operand(b, p->b_offset, p->left_shift, p->b);
    return quantized(rescale(sum, p->sum.multiplier, p->sum.shift), &p->output);
}

KERNEL int8_t sub_element(const void *parameters, int32_t a, int32_t b)
{
    const add_t *p = parameters;
    const int32_t difference = add_operand(a, p->a_offset, p->left_shift, p->a) -
                               add_operand(b, p->b_offset, p->left_shift, p->b);
    return quantized(rescale(difference, p->sum.multiplier, p->sum.shift), &p->output);
}

KERNEL int8_t mul_element(const void *parameters, int32_t a, int32_t b)
{
    const mul_t *p = parameters;
    const int32_t product = (a + p->a_offset) * (b + p->b_offset);
    return quantized(rescale(product, p->product.multiplier, p->product.shift), &p->output);
}

/* Calls `element` for every output element, in order. */
KERNEL void elementwise(const broadcast_t *s, int8_t (*element)(const void *, int32_t, int32_t),
                        const void *parameters, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t i = 0; i < s->length[0]; i++) {
        for (int32_t j = 0; j < s->length[1]; j++) {
            for (int32_t k = 0; k < s->length[2]; k++) {
                const int8_t *a_run = a + i * s->a_step[0] + j * s->a_step[1] + k * s->a_step[2];
                const int8_t *b_run = b + i * s->b_step[0] + j * s->b_step[1] + k * s->b_step[2];
                for (int32_t l = 0; l < s->length[3]; l++) {
                    *y++ = element(parameters, a_run[l * s->a_step[3]], b_run[l * s->b_step[3]]);
                }
            }
        }
    }
}

/* Columns of one output row; operands and output have one shape. */
KERNEL void elementwise_row(int8_t (*element)(const void *, int32_t, int32_t),
                            const void *parameters, const rows_t *a, const rows_t *b, int32_t row,
                            span_t columns, int8_t *y)
{
    const int8_t *from_a = pixel_at(a, row, columns.first);
    const int8_t *from_b = pixel_at(b, row, columns.first);
    const int32_t size = (columns.last - columns.first) * a->pixel_bytes;
    for (int32_t i = 0; i < size; i++) {
        y[i] = element(parameters, from_a[i], from_b[i]);
    }
}

KERNEL void add_row(const add_t *p, rows_t a, rows_t b, int32_t row, span_t columns, int8_t *y)
{
    elementwise_row(add_element, p, &a, &b, row, columns, y);
}

KERNEL void sub_row(const add_t *p, rows_t a, rows_t b, int32_t row, span_t columns, int8_t *y)
{
    elementwise_row(sub_element, p, &a, &b, row, columns, y);
}

KERNEL void mul_row(const mul_t *p, rows_t a, rows_t b, int32_t row, span_t columns, int8_t *y)
{
    elementwise_row(mul_element, p, &a, &b, row, columns, y);
}

KERNEL void add(const add_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    elementwise(&p->shape, add_element, p, a, b, y);
}

KERNEL void sub(const add_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    elementwise(&p->shape, sub_element, p, a, b, y);
}

KERNEL void mul(const mul_t *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    elementwise(&p->shape, mul_element, p, a, b, y);
}

#endif
