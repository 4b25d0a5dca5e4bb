/*
 * Functions that are assembly from their first instruction to their last. Their arguments are where
 * the procedure call standard puts them: in r0-r3, and on the stack above what they save.
 */
#ifndef BENCH_KERNELS_ARMV7EM_NAKED_H
#define BENCH_KERNELS_ARMV7EM_NAKED_H

/* Aligned, since they jump into loops at addresses that they compute. */
#define NAKED static __attribute__((naked, noipa, unused, aligned(4)))

/* By the compiler, which does not read assembly. */
#define UNUSED __attribute__((unused))

#endif
