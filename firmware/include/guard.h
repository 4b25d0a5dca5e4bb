/* The end of the stack is guarded: what goes past it faults. Cortex-M only. */
#ifndef BENCH_GUARD_H
#define BENCH_GUARD_H

/* Sets the guard. Called once, on the stack that it guards. */
void guard_stack(void);

#endif
