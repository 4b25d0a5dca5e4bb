/*
 * SRAM that an inference touches, found by painting it before and looking at it after.
 *
 * A touched byte may happen to end as the pattern. So an inference is painted twice, with a
 * pattern and with its inverse, and each time both values are counted: an inference writes the
 * same bytes both times, hence
 *
 *     untouched = (pattern after run 1) - (pattern after run 2)
 *               = (inverse after run 2) - (inverse after run 1)
 */
#ifndef BENCH_PAINT_H
#define BENCH_PAINT_H

#include <stdint.h>

#include "tlm.h"

/*
 * Runs one inference in painted SRAM. The inputs must be ready; their bytes count as touched.
 * High-water is the end of the last byte that does not hold the pattern: in the arena counted
 * from its begin, in the stack from its top downwards.
 */
tlm_paint_t paint_inference(uint8_t pattern);

#endif
