/*
 * Runs a generated model on the computer we are on: for each sample, all inputs from stdin, then
 * all outputs to stdout, until stdin ends. An input that is fetched row by row comes last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static int is_at_end(void)
{
    return ungetc(getc(stdin), stdin) == EOF;
}

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

int main(void)
{
    memset(model_arena, 0xA5, model_arena_bytes);
    while (!is_at_end()) {
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
