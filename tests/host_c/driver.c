/*
 * Runs a generated model on the computer we are on: for each sample, all inputs from stdin, then
 * all outputs to stdout, until stdin ends.
 */
#include <stdio.h>
#include <string.h>

#include "model.h"

static int read_inputs(void)
{
    for (uint32_t i = 0; i < model_input_count; i++) {
        const model_buffer_t *input = &model_inputs[i];
        if (fread(input->data, 1, input->size_bytes, stdin) != input->size_bytes) {
            return 0;
        }
    }
    return 1;
}

int main(void)
{
    memset(model_arena, 0xA5, model_arena_bytes);
    while (read_inputs()) {
        model_invoke();
        for (uint32_t i = 0; i < model_output_count; i++) {
            fwrite(model_outputs[i].data, 1, model_outputs[i].size_bytes, stdout);
        }
    }
    return 0;
}
