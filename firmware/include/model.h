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

/* A model input or output: where it lies in the arena. */
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

/* The same steps that model_invoke() executes, one by one, for counting each alone. */
extern const model_step_t model_steps[];
extern const uint32_t model_step_count;

/* Runs one inference: reads model_inputs, writes model_outputs. Never fails. */
void model_invoke(void);

#endif
