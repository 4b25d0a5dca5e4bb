/*
 * Inferences, measured: nothing between the two clock reads but the inference.
 *
 * A window is [read the clock, call, read the clock]. What the window itself costs is measured
 * with an empty function in place of the inference, in the same code, and is reported beside the
 * samples for the host to subtract.
 */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include <stdint.h>

#include "tlm.h"

/*
 * Runs `warmup` inferences, then `repeat` (at most TLM_SAMPLES_MAX) whose ticks are kept. The
 * inputs must be ready before each. Sends PROGRESS before the first and after each.
 */
void runner_run(uint32_t warmup, uint32_t repeat, tlm_samples_t *samples);

/*
 * Runs one inference step by step, and keeps the ticks of up to TLM_SAMPLES_MAX steps from
 * `first_step` on. The inputs must be ready.
 */
void runner_profile(uint32_t first_step, tlm_samples_t *samples);

#endif
