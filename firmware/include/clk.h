/*
 * The clock that inferences are measured with.
 *
 * A clock counts only after it was seen to count: clk_init() watches it move, and when it does
 * not, no run is accepted.
 */
#ifndef BENCH_CLK_H
#define BENCH_CLK_H

#include <stdint.h>

/* What one tick is. The values are wire values (PROTOCOL.md, HELLO). */
typedef enum {
    CLK_CORE_CYCLES = 1, /* a cycle counter of the core itself */
    CLK_TIMER = 2,       /* a timer beside the core, `tick_hz` ticks a second */
    CLK_HOST = 3,        /* the monotonic clock of the computer that runs a native build */
} clk_kind_t;

typedef struct {
    clk_kind_t kind;
    uint32_t tick_hz;
    uint64_t mask; /* (later - earlier) & mask is the ticks between two readings */
} clk_info_t;

extern const clk_info_t clk_info;

/* Starts the clock. Returns 0 when it was seen to count, -1 when it stands still. */
int32_t clk_init(void);

/*
 * Returns the ticks since some fixed moment, modulo `clk_info.mask` + 1. Takes the same number of
 * instructions each time, so that an empty window calibrates it away.
 */
uint64_t clk_now(void);

#endif
