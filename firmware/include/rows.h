/*
 * The input that a model fetches row by row while an inference runs: each row is asked of the host
 * (PROTOCOL.md, WANT), so the input is never whole on the board.
 *
 * Waiting is none of the model's work. A fetch reads the clock when it begins and when it ends;
 * what lies between is its pause, and what a fetch costs beside its pause is calibrated once. Both
 * are taken off the window around an inference.
 *
 * Pauses are summed up in *grains*, the least by which two readings of the clock can differ: an
 * instruction on an emulator, whose ticks are parts of one, and a tick elsewhere. Each pause is a
 * whole number of them, so however many pauses there are, the sum is exact.
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "tlm.h"

/* Notes that the host answers WANT, and that `serve->ticks` of the clock are `serve->grains`. */
void rows_serve(const tlm_serve_t *serve);

/* Returns whether an inference gets the rows that it asks for, if it asks for any. */
bool rows_are_served(void);

/* Begins a request during which rows may be fetched; it may arrive again while they are. */
void rows_begin(const tlm_frame_t *request);

/* Begins a window without pauses. */
void rows_clear_pauses(void);

/* Returns the ticks to take off the window: pauses, and the calibrated cost of each fetch. */
uint64_t rows_pause_ticks(void);

/* Sets the ticks that a fetch costs beside its pause. */
void rows_set_fetch_ticks(uint64_t ticks);

/*
 * Returns whether another request came instead of a row. What runs then ends without asking for
 * more rows, and its result is worth nothing.
 */
bool rows_are_given_up(void);

/* Returns whether another request came instead of a row, and hands it out once. */
bool rows_interrupted_by(tlm_frame_t *request);

#endif
