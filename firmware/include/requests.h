/*
 * The requests of PROTOCOL.md and their answers.
 *
 * A request that arrives twice under one sequence number is answered twice and done once, so the
 * host may send again whatever it got no answer to.
 */
#ifndef BENCH_REQUESTS_H
#define BENCH_REQUESTS_H

#include <stdbool.h>

#include "tlm.h"

/* Says BOOT. Called once, when everything else is up; runs are refused without a clock. */
void requests_begin(bool does_clock_count);

/*
 * Does a request, unless it is the last one again, and sends its answer; none if another request
 * interrupted it (rows_interrupted_by()), since nobody waits for it any more.
 */
void requests_answer(const tlm_frame_t *request);

#endif
