/*
 * Rescales what stdin brings: int32 triples of a value, a multiplier and a shift. Each gives one
 * int32.
 */
#include <stdio.h>

#include "requantize.h"

int main(void)
{
    int32_t given[3];
    while (fread(given, sizeof given, 1, stdin) == 1) {
        const int32_t result = rescale(given[0], given[1], given[2]);
        fwrite(&result, sizeof result, 1, stdout);
    }
    return 0;
}
