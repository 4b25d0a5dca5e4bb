/*
 * Runs a generated model on the computer we are on. For each of argv[1] samples all inputs come
 * from stdin and all outputs go to stdout.
 */
#include <stdio.h>
#include <stdlib.h>
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

int main(int argc, char **argv)
{
    const int samples = argc > 1 ? atoi(argv[1]) : 1;

    memset(model_arena, 0xA5, model_arena_bytes);
    for (int sample = 0; sample < samples; sample++) {
        if (!read_inputs()) {
            return 1;
        }
        model_invoke();
        for (uint32_t i = 0; i < model_output_count; i++) {
            fwrite(model_outputs[i].data, 1, model_outputs[i].size_bytes, stdout);
        }
    }
    return 0;
}
