/* A division of 64 bits that is small: the compiler's own would take 700 bytes of every image. */
#ifndef BENCH_DIVIDE_H
#define BENCH_DIVIDE_H

#include <stdint.h>

/* Returns the quotient, rounded down, in some 700 instructions; the divisor is not 0. */
uint64_t divide(uint64_t dividend, uint32_t divisor);

#endif
