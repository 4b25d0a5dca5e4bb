#include "runner.h"

#include <stddef.h>

#include "board.h"
#include "clk.h"
#include "inputs.h"
#include "model.h"
#include "rows.h"

enum { CALIBRATION_WINDOWS = 16 };

static void nothing(void)
{
}

/* One piece of code for every window, so that the empty one costs what the others do. */
__attribute__((noipa)) static uint64_t ticks_of(void (*work)(void))
{
    const uint64_t begin = clk_now();
    work();
    return (clk_now() - begin) & clk_info.mask;
}

/* Returns the ticks of a window without those of waiting for rows. */
static uint64_t working_ticks_of(void (*work)(void))
{
    rows_clear_pauses();
    board_mark(true);
    const uint64_t ticks = ticks_of(work);
    board_mark(false);
    return ticks - rows_pause_ticks();
}

/* The least of several: on hardware the first ones also pay for cold caches. */
static uint64_t least_ticks_of(void (*work)(void))
{
    uint64_t least = UINT32_MAX;
    for (uint32_t i = 0; i < CALIBRATION_WINDOWS; i++) {
        const uint64_t ticks = working_ticks_of(work);
        least = ticks < least ? ticks : least;
    }
    return least;
}

static void fetch_no_row(void)
{
    model_fetch_row(NULL, INT32_MAX);
}

/* Returns the ticks of an empty window, and lets fetches of rows cost nothing. */
static uint32_t calibrate(void)
{
    const uint64_t overhead_ticks = least_ticks_of(nothing);
    if (model_row_count > 0u) {
        rows_set_fetch_ticks(0);
        rows_set_fetch_ticks(least_ticks_of(fetch_no_row) - overhead_ticks);
    }
    return (uint32_t)overhead_ticks;
}

static void report_progress(uint32_t done, uint32_t total, uint64_t ticks)
{
    const tlm_progress_t progress = {.done = done, .total = total, .ticks = ticks};
    tlm_send_event(TLM_PROGRESS, &progress, sizeof progress);
}

void runner_run(uint32_t warmup, uint32_t repeat, tlm_samples_t *samples)
{
    const uint32_t total = warmup + repeat;
    samples->overhead_ticks = calibrate();
    samples->count = repeat;
    report_progress(0, total, 0);
    for (uint32_t i = 0; i < total && !rows_are_given_up(); i++) {
        inputs_place();
        const uint64_t ticks = working_ticks_of(model_invoke);
        if (i >= warmup) {
            samples->ticks[i - warmup] = ticks;
        }
        report_progress(i + 1u, total, ticks);
    }
}

void runner_profile(uint32_t first_step, tlm_samples_t *samples)
{
    samples->overhead_ticks = calibrate();
    samples->count = 0;
    report_progress(0, 1, 0);
    inputs_place();
    for (uint32_t step = 0; step < model_step_count; step++) {
        const uint64_t ticks = working_ticks_of(model_steps[step].run);
        if (step >= first_step && samples->count < TLM_SAMPLES_MAX) {
            samples->ticks[samples->count++] = ticks;
        }
    }
}
