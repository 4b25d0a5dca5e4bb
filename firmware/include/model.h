/*
 * The model, as the firmware sees it. Generated code (model.c) defines what is declared here;
 * nothing else in the firmware knows which model it carries.
 *
 * All memory is static. The arena holds activations and scratch; weights are constants in flash.
 * Between two calls of model_invoke() the caller must fill every input again, since an input's
 * bytes may have been taken by later tensors.
 */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include <stdint.h>

/*
 * A model input or output: where it lies in the arena. An input that is fetched row by row has no
 * data and size 0 here.
 */
typedef struct {
    uint8_t *data;
    uint32_t size_bytes;
} model_buffer_t;

/* One step of an inference: a whole op or a fused segment. */
typedef struct {
    void (*run)(void);
} model_step_t;

extern uint8_t model_arena[];
extern const uint32_t model_arena_bytes;

extern const uint8_t model_sha256[32];

extern const model_buffer_t model_inputs[];
extern const uint32_t model_input_count;
extern const model_buffer_t model_outputs[];
extern const uint32_t model_output_count;

/*
 * If the model fetches an input row by row: how many bytes a row has, and how many rows there are.
 * Both are 0 if all inputs lie in the arena before model_invoke() is called.
 */
extern const uint32_t model_row_bytes;
extern const uint32_t model_row_count;

/*
 * Provided by whoever runs such a model, and called within model_invoke(): puts a row of the input
 * where it belongs. Each row is fetched once an inference, from 0 upwards; the last ones not at all
 * if no op reads them.
 */
void model_fetch_row(uint8_t *to, int32_t row);

/* The same steps that model_invoke() executes, one by one, for counting each alone. */
extern const model_step_t model_steps[];
extern const uint32_t model_step_count;

/* Runs one inference: reads model_inputs, writes model_outputs. Never fails. */
void model_invoke(void);

#endif
