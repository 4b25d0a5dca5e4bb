#include "divide.h"

#include <stdbool.h>

/* Bit by bit: the dividend leaves at the top, the quotient enters at the bottom. */
uint64_t divide(uint64_t dividend, uint32_t divisor)
{
    uint32_t rest = 0;
    for (uint32_t bit = 0; bit < 64u; bit++) {
        const bool is_large = rest >> 31 != 0u;
        rest = rest << 1 | (uint32_t)(dividend >> 63);
        dividend <<= 1;
        if (is_large || rest >= divisor) {
            rest -= divisor;
            dividend |= 1u;
        }
    }
    return dividend;
}
