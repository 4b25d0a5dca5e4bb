#include "paint.h"

#include <stdbool.h>
#include <stddef.h>

#include "inputs.h"
#include "model.h"
#include "sram.h"

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

/* Inlined, since a frame of its own would lie in what it fills. */
__attribute__((always_inline)) static inline void fill(uint8_t *begin, const uint8_t *end,
                                                       uint8_t pattern)
{
    for (volatile uint8_t *byte = begin; byte < end; byte++) {
        *byte = pattern;
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

tlm_paint_t paint_inference(uint8_t pattern)
{
    tlm_paint_t seen = {0};
    const sram_region_t stack = sram_stack();
    paint_arena(pattern);
    inputs_place();
    const uint8_t *const entry = sram_stack_pointer();
    fill(stack.begin, entry, pattern);

    model_invoke();

    const uint8_t *deepest = stack.begin;
    while (deepest < entry && *deepest == pattern) {
        deepest++;
    }
    const uint8_t *const top = stack.begin + stack.size_bytes;
    seen.stack_high_water_bytes = (uint32_t)(top - deepest);
    seen.stack_entry_bytes = (uint32_t)(top - entry);
    look_at_arena(&seen, pattern);
    return seen;
}
