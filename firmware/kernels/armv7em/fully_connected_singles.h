/*
 * Fully connected ops in fewer cycles: as fully_connected.h, which says how, but each word is
 * loaded by an instruction of its own, as in block_2x4.h. That takes 18 instructions and 19 cycles
 * for 16 MACs, where LDRD and LDM take 14 and 20. What expands as it reads stays as it is.
 */
#ifndef BENCH_KERNELS_ARMV7EM_FULLY_CONNECTED_SINGLES_H
#define BENCH_KERNELS_ARMV7EM_FULLY_CONNECTED_SINGLES_H

#include "armv7em/fully_connected.h"

#define QUAD_LOAD_singles                                                                          \
    "ldr.w   r12, [r0, #4]              \n"                                                        \
    "ldr.w   r6, [r0], #8               \n"                                                        \
    "ldr.n   r3, [r1, #4]               \n"                                                        \
    "ldr.n   r4, [r1, #8]               \n"                                                        \
    "ldr.n   r5, [r1, #12]              \n"                                                        \
    "ldr.w   r2, [r1], #16              \n"
#define QUAD_LOAD_BYTES_singles "18"
#define QUAD_UNIT_singles QUAD_PRODUCTS
#define QUAD_UNIT_BYTES_singles "48"

QUADS(quads_singles_add, singles, y, singles, int8, QUAD_STORE_SUMS)

#define SINGLES(NAME, CLAMP, ROUNDED)                                                              \
    QUADS(quads_singles_##NAME, singles, stream, singles, CLAMP, ROUNDED QUAD_STORE(CLAMP))        \
    QUADS(quads_on_singles_##NAME, singles, sums, singles, CLAMP, ROUNDED QUAD_STORE(CLAMP))

SINGLES(round_int8, int8, QUAD_ROUND_packed)
SINGLES(round_clamp, clamp, QUAD_ROUND_packed)

#define SINGLES_OF(SHIFT)                                                                          \
    SINGLES(line_int8_##SHIFT, int8, QUAD_LINE_packed(#SHIFT))                                     \
    SINGLES(line_clamp_##SHIFT, clamp, QUAD_LINE_packed(#SHIFT))

SINGLES_OF(1)
SINGLES_OF(2)
SINGLES_OF(3)
SINGLES_OF(4)
SINGLES_OF(5)
SINGLES_OF(6)
SINGLES_OF(7)
SINGLES_OF(8)
SINGLES_OF(9)
SINGLES_OF(10)
SINGLES_OF(11)
SINGLES_OF(12)
SINGLES_OF(13)
SINGLES_OF(14)
SINGLES_OF(15)

#endif
