/* The monotonic clock, in nanoseconds. */
#include "clk.h"

#include <time.h>

#define NANOSECONDS_PER_SECOND 1000000000u

const clk_info_t clk_info = {
    .kind = CLK_HOST,
    .tick_hz = NANOSECONDS_PER_SECOND,
    .mask = UINT64_MAX,
};

int32_t clk_init(void)
{
    return 0;
}

uint64_t clk_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)now.tv_nsec;
}
