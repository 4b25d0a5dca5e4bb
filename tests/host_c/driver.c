/*
 * Runs a generated model on the computer we are on. For each of argv[1] samples all inputs come
 * from stdin, one that is fetched row by row last, and all outputs go to stdout.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static void read_exactly(uint8_t *to, size_t size_bytes)
{
    if (fread(to, 1, size_bytes, stdin) != size_bytes) {
        exit(1);
    }
}

static int32_t fetched;

void model_fetch_row(uint8_t *to, int32_t row)
{
    if (row != fetched) {
        exit(2);
    }
    fetched++;
    read_exactly(to, model_row_bytes);
}

/* Rows that no op reads. */
static void skip_rows(void)
{
    for (; fetched < (int32_t)model_row_count; fetched++) {
        for (uint32_t i = 0; i < model_row_bytes; i++) {
            (void)getc(stdin);
        }
    }
    fetched = 0;
}

int main(int argc, char **argv)
{
    const int samples = argc > 1 ? atoi(argv[1]) : 1;

    memset(model_arena, 0xA5, model_arena_bytes);
    for (int sample = 0; sample < samples; sample++) {
        for (uint32_t i = 0; i < model_input_count; i++) {
            if (model_inputs[i].size_bytes > 0u) {
                read_exactly(model_inputs[i].data, model_inputs[i].size_bytes);
            }
        }
        model_invoke();
        skip_rows();
        for (uint32_t i = 0; i < model_output_count; i++) {
            fwrite(model_outputs[i].data, 1, model_outputs[i].size_bytes, stdout);
        }
    }
    return 0;
}
