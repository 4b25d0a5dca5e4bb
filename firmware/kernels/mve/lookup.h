/*
 * Tables of 256 results for MVE: a gathering load looks sixteen values up at once. What lookup.h
 * says holds here too.
 */
#ifndef BENCH_KERNELS_MVE_LOOKUP_H
#define BENCH_KERNELS_MVE_LOOKUP_H

#include "../lookup.h"

SHARED void mve_lookup_run(const lookup_t *p, const uint8_t *x, uint8_t *y, int32_t size)
{
    __asm__ volatile("vdup.8 q1, %[lowest]\n"
                     "wlstp.8 lr, %[size], 2f\n"
                     "1:\n"
                     "vldrb.8 q0, [%[x]], #16\n"
                     "veor q0, q0, q1\n"
                     "vldrb.u8 q2, [%[table], q0]\n"
                     "vstrb.8 q2, [%[y]], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : [x] "+r"(x), [y] "+r"(y)
                     : [lowest] "r"(p->lowest), [size] "r"(size), [table] "r"(p->table)
                     : "lr", "q0", "q1", "q2", "cc", "memory");
}

KERNEL void mve_lookup(const lookup_t *p, const uint8_t *x, uint8_t *y)
{
    mve_lookup_run(p, x, y, p->size);
}

/* Columns of one row. */
KERNEL void mve_lookup_row(const lookup_t *p, rows_t x, int32_t row, span_t columns, int8_t *y)
{
    mve_lookup_run(p, (const uint8_t *)pixel_at(&x, row, columns.first), (uint8_t *)y,
                   (columns.last - columns.first) * x.pixel_bytes);
}

#endif
