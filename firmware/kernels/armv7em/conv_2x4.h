/*
 * Convolutions by blocks of two pixels and four channels (block_2x4.h): conv.h and expand.h, which
 * say how, with two lanes instead of three. Parameters are the same.
 */
#ifndef BENCH_KERNELS_ARMV7EM_CONV_2X4_H
#define BENCH_KERNELS_ARMV7EM_CONV_2X4_H

#include "armv7em/block_2x4.h"
#include "armv7em/conv.h"

/* r4, r5: two pixels; r7-r10: values 0 and 2 of a word of each, 1 and 3. */
#define FOUR_OF_BOTH                                                                               \
    "ldr.w   r9, [r4], #4       \n"                                                                \
    "ldr.w   r10, [r5], #4      \n"                                                                \
    "sxtb16  r7, r9             \n"                                                                \
    "sxtb16  r8, r10            \n"                                                                \
    "sxtb16  r9, r9, ror #8     \n"                                                                \
    "sxtb16  r10, r10, ror #8   \n"                                                                \
    "str.w   r8, [r0, #4]       \n"                                                                \
    "str.w   r9, [r0, #8]       \n"                                                                \
    "str.w   r10, [r0, #12]     \n"                                                                \
    "str.w   r7, [r0], #16      \n"

/* As expand_lanes; `skip` bytes of EXPAND_BYTES for each word, which are as many here. */
NAKED int32_t *expand_both(UNUSED int32_t *to, UNUSED const int8_t *x0, UNUSED const int8_t *x1,
                           UNUSED int32_t skip, UNUSED int32_t rounds)
{
    __asm volatile("push    {r4-r10}           \n"
                   "mov     r4, r1             \n"
                   "mov     r5, r2             \n"
                   "ldr     r12, [sp, #28]     \n"
                   ".balign 4                  \n"
                   "add     pc, r3             \n"
                   "nop                        \n"
                   "1:                         \n"
                   ".rept   4                  \n" FOUR_OF_BOTH ".endr                      \n"
                   "2:                         \n"
                   ".if     2b - 1b - 4 * 40   \n"
                   ".error  \"EXPAND_BYTES\"   \n"
                   ".endif                     \n"
                   "subs    r12, r12, #1       \n"
                   "bne.w   1b                 \n"
                   "pop     {r4-r10}           \n"
                   "bx      lr                 \n");
}

/*
 * As gather_lanes. Of values left over, the place of the next moves on by 2 and 6 bytes in turn.
 *
 * On the stack: [0] runs to go, [4] words, [8] values left over, [12] their place, [16] how far it
 * moves next.
 */
NAKED void gather_both(UNUSED int32_t *to, UNUSED const int8_t *const *runs, UNUSED int32_t first,
                       UNUSED const gather_t *p)
{
    __asm volatile("push    {r4-r11, lr}       \n"
                   "sub     sp, sp, #20        \n"
                   "ldm     r3, {r3-r7}        \n"
                   "add     r7, r0, r7         \n"
                   "mov     r8, #2             \n"
                   "stm     sp, {r4-r8}        \n"
                   "1:                         \n" /* a run */
                   "ldr     r4, [r1], #4       \n"
                   "ldr     lr, [sp, #4]       \n"
                   "add     r4, r4, r2         \n"
                   "add     r5, r4, r3         \n"
                   "cmp     lr, #0             \n"
                   "beq     4f                 \n"
                   "add     lr, lr, #1         \n"
                   "lsrs    lr, lr, #1         \n"
                   "bcc     3f                 \n"
                   "2:                         \n" FOUR_OF_BOTH
                   "3:                         \n" FOUR_OF_BOTH "subs    lr, lr, #1         \n"
                   "bne     2b                 \n"
                   "4:                         \n"
                   "ldr     lr, [sp, #8]       \n"
                   "cmp     lr, #0             \n"
                   "beq     6f                 \n"
                   "ldrd    r11, r12, [sp, #12]\n"
                   "5:                         \n" /* a value left over */
                   "ldrsb   r7, [r4], #1       \n"
                   "ldrsb   r8, [r5], #1       \n"
                   "strh    r7, [r11]          \n"
                   "strh    r8, [r11, #4]      \n"
                   "add     r11, r11, r12      \n"
                   "rsb     r12, r12, #8       \n"
                   "subs    lr, lr, #1         \n"
                   "bne     5b                 \n"
                   "strd    r11, r12, [sp, #12]\n"
                   "6:                         \n"
                   "ldr     lr, [sp]           \n"
                   "subs    lr, lr, #1         \n"
                   "str     lr, [sp]           \n"
                   "bne     1b                 \n"
                   "add     sp, sp, #20        \n"
                   "pop     {r4-r11, pc}       \n");
}

/* As RUN_OF_EACH and REST_OF_EACH. */
#define RUN_OF_BOTH(WORDS)                                                                         \
    "ldr     r4, [r1], #4       \n"                                                                \
    "add     r4, r4, r2         \n"                                                                \
    "add     r5, r4, r3         \n" WORDS
#define REST_OF_BOTH(rest)                                                                         \
    "ldrsb   r7, [r4]           \n"                                                                \
    "ldrsb   r8, [r5]           \n"                                                                \
    "strh    r7, [r0, #" rest "]\n"                                                                \
    "strh    r8, [r0, #" rest " + 4]\n"

NAKED void gather_nines_of_both(UNUSED int32_t *to, UNUSED const int8_t *const *runs,
                                UNUSED int32_t first, UNUSED const gather_t *p)
{
    __asm volatile("push    {r4-r10}           \n"
                   "ldr     r3, [r3]           \n" RUN_OF_BOTH(FOUR_OF_BOTH FOUR_OF_BOTH)
                       REST_OF_BOTH("64") RUN_OF_BOTH(FOUR_OF_BOTH FOUR_OF_BOTH) REST_OF_BOTH("34")
                           RUN_OF_BOTH(FOUR_OF_BOTH FOUR_OF_BOTH)
                               REST_OF_BOTH("8") "pop     {r4-r10}           \n"
                                                 "bx      lr                 \n");
}

NAKED void gather_threes_of_both(UNUSED int32_t *to, UNUSED const int8_t *const *runs,
                                 UNUSED int32_t first, UNUSED const gather_t *p)
{
    __asm volatile("push    {r4-r10}           \n"
                   "ldr     r3, [r3]           \n" RUN_OF_BOTH(FOUR_OF_BOTH)
                       RUN_OF_BOTH(FOUR_OF_BOTH)
                           RUN_OF_BOTH(FOUR_OF_BOTH) "pop     {r4-r10}           \n"
                                                     "bx      lr                 \n");
}

SHARED void dsp_pointwise_2x4_pixels(const dsp_pointwise_t *p, const int8_t *x, int8_t *y,
                                     int32_t count, int8_t *scratch)
{
    const int32_t from = p->x.c, to = p->y.c, rounds = divide_up(p->words, EXPAND_UNROLLED);
    const int32_t skip = (EXPAND_UNROLLED * rounds - p->words) * EXPAND_BYTES;
    void *const values = scratch;
    block_fn_t *const only = only_block(&p->filters);

#pragma GCC unroll 1
    for (; count > 0; count -= 2, x += 2 * from, y += 2 * to) {
        const int32_t second = count > 1;
        expand_both(values, x, x + second * from, skip, rounds);
        if (only != 0) {
            only(&p->filters.parts->dot, values, y, second * to, 0);
        } else {
            make_channels(&p->filters, values, y, 2, second * to, 0);
        }
    }
}

KERNEL void dsp_pointwise_2x4(const dsp_pointwise_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    dsp_pointwise_2x4_pixels(p, x, y, p->y.w, scratch);
}

KERNEL void dsp_pointwise_2x4_inplace(const dsp_pointwise_t *p, int8_t *y, int8_t *scratch)
{
    dsp_pointwise_2x4_pixels(p, y, y, p->y.w, scratch);
}

KERNEL void dsp_pointwise_2x4_row(const dsp_pointwise_t *p, rows_t x, int32_t row, span_t columns,
                                  int8_t *y, int8_t *scratch)
{
    const int8_t *from = pixel_at(&x, row, columns.first);
    dsp_pointwise_2x4_pixels(p, from, y, columns.last - columns.first, scratch);
}

KERNEL void dsp_pointwise_2x4_batch(const dsp_pointwise_t *p, rows_t x, span_t rows, span_t columns,
                                    made_rows_t y, int8_t *scratch)
{
    dsp_pointwise_2x4_pixels(p, row_at(&x, rows.first), made_row(&y, rows.first),
                             (rows.last - rows.first) * columns.last, scratch);
}

SHARED void gather_one_of_both(int32_t *to, const int8_t *const *runs, int32_t first,
                               const gather_t *p)
{
    gather_one(to, runs, first, p, 2);
}

SHARED void border_one_of_both(const dsp_conv_t *p, const conv_lines_t *lines, int32_t column,
                               int32_t *to, int8_t *border)
{
    border_one(p, lines, column, to, border, 2);
}

SHARED void dsp_conv_2x4_rows(const dsp_conv_t *p, const rows_t *x, int32_t row, int32_t rows,
                              span_t columns, int8_t *y, int8_t *scratch)
{
    conv_rows(p, x, row, rows, columns, y, scratch, 2, gather_one_of_both, border_one_of_both);
}

KERNEL void dsp_conv_2x4_row(const dsp_conv_t *p, rows_t x, int32_t row, span_t columns, int8_t *y,
                             int8_t *scratch)
{
    dsp_conv_2x4_rows(p, &x, row, 1, columns, y, scratch);
}

KERNEL void dsp_conv_2x4_batch(const dsp_conv_t *p, rows_t x, span_t rows, span_t columns,
                               made_rows_t y, int8_t *scratch)
{
    dsp_conv_2x4_rows(p, &x, rows.first, rows.last - rows.first, columns, made_row(&y, rows.first),
                      scratch);
}

KERNEL void dsp_conv_2x4(const dsp_conv_t *p, const int8_t *x, int8_t *y, int8_t *scratch)
{
    const rows_t all = whole_rows(x, &p->x);
    dsp_conv_2x4_rows(p, &all, 0, p->y.h, all_columns(&p->y), y, scratch);
}

SHARED void dsp_conv_2x4_padded_rows(const dsp_conv_padded_t *p, const rows_t *x, span_t rows,
                                     int8_t *y, int8_t *scratch)
{
    conv_padded(p, x, rows, y, scratch, 2, dsp_conv_2x4_rows);
}

KERNEL void dsp_conv_2x4_padded_batch(const dsp_conv_padded_t *p, rows_t x, span_t rows,
                                      UNUSED span_t columns, made_rows_t y, int8_t *scratch)
{
    dsp_conv_2x4_padded_rows(p, &x, rows, made_row(&y, rows.first), scratch);
}

KERNEL void dsp_conv_2x4_padded(const dsp_conv_padded_t *p, const int8_t *x, int8_t *y,
                                int8_t *scratch)
{
    const rows_t all = {.base = x, .row_bytes = p->row_bytes};
    dsp_conv_2x4_padded_rows(p, &all, (span_t){0, p->conv.y.h}, y, scratch);
}

#endif
