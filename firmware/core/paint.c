#include "paint.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "inputs.h"
#include "model.h"
#include "sram.h"

/*
 * Bytes below this function's frame that are not painted: room for the call that paints. They
 * count as the harness's own stack unless the inference goes deeper.
 */
enum { STACK_MARGIN_BYTES = 64 };

static bool is_input(const uint8_t *byte)
{
    for (uint32_t i = 0; i < model_input_count; i++) {
        const model_buffer_t *input = &model_inputs[i];
        if (byte >= input->data && byte < input->data + input->size_bytes) {
            return true;
        }
    }
    return false;
}

static void paint_arena(uint8_t pattern)
{
    for (uint32_t i = 0; i < model_arena_bytes; i++) {
        if (inputs_are_staged() || !is_input(&model_arena[i])) {
            model_arena[i] = pattern;
        }
    }
}

/* Fills without a call, so that nothing of the painter lies in what it paints. */
static void paint_stack(sram_region_t stack, uint8_t pattern)
{
    volatile uint8_t *const begin = stack.begin;
    for (uint32_t i = 0; i < stack.size_bytes; i++) {
        begin[i] = pattern;
    }
}

static void look_at_arena(tlm_paint_t *seen, uint8_t pattern)
{
    const uint8_t inverse = (uint8_t)~pattern;
    for (uint32_t i = 0; i < model_arena_bytes; i++) {
        if (model_arena[i] == pattern) {
            seen->arena_pattern_bytes++;
        } else {
            seen->arena_high_water_bytes = i + 1u;
        }
        if (model_arena[i] == inverse) {
            seen->arena_inverse_bytes++;
        }
    }
}

__attribute__((noinline)) tlm_paint_t paint_inference(uint8_t pattern)
{
    tlm_paint_t seen = {0};
    const sram_region_t stack = sram_stack();
    const uintptr_t top = (uintptr_t)stack.begin + stack.size_bytes;
    sram_region_t painted = stack;
    if (stack.size_bytes > 0u) {
        const uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
        const uint32_t deep_bytes = (uint32_t)(frame - (uintptr_t)stack.begin);
        painted.size_bytes = deep_bytes > STACK_MARGIN_BYTES ? deep_bytes - STACK_MARGIN_BYTES : 0u;
    }
    const uint8_t *const painted_end = painted.begin + painted.size_bytes;

    paint_arena(pattern);
    inputs_place();
    paint_stack(painted, pattern);
    model_invoke();

    const uint8_t *deepest = painted.begin;
    while (deepest < painted_end && *deepest == pattern) {
        deepest++;
    }
    seen.stack_high_water_bytes = (uint32_t)(top - (uintptr_t)deepest);
    seen.stack_entry_bytes = (uint32_t)(top - (uintptr_t)painted_end);
    look_at_arena(&seen, pattern);
    return seen;
}
