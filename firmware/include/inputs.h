/*
 * The model's inputs, kept from one inference to the next.
 *
 * An inference may destroy its inputs, since later tensors take their bytes. So an upload is kept
 * in staging and copied into the arena before each inference. Where staging is too small the
 * upload goes straight into the arena, and serves one inference.
 *
 * The inputs of a model are one run of bytes here, one input after the other without gaps.
 */
#ifndef BENCH_INPUTS_H
#define BENCH_INPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "sram.h"

/* Returns the bytes of several buffers together. */
uint32_t inputs_total_bytes(const model_buffer_t *buffers, uint32_t count);

/* Decides where uploads are kept. Called once. */
void inputs_init(void);

/* Returns what is left of staging beside the upload; all of it where uploads are not kept. */
sram_region_t inputs_spare_sram(void);

/* Returns whether uploads are kept in staging. */
bool inputs_are_staged(void);

/* Returns how many bytes, from the first on, have been uploaded and still count. */
uint32_t inputs_held_bytes(void);

/*
 * Keeps `size_bytes` bytes from `offset` on. The offset may lie at most at the end of what is
 * held, so that no gap stays unseen. Returns 0, or -1 when the range is not allowed.
 */
int32_t inputs_load(uint32_t offset, const uint8_t *data, uint32_t size_bytes);

/*
 * Returns where the bytes from `offset` on are kept, and how many lie there in one piece, for a
 * debugger to write them; null past the end.
 */
uint8_t *inputs_at(uint32_t offset, uint32_t *size_bytes);

/* Returns the CRC-32 of the inputs' bytes where they are kept, uploaded or not. */
uint32_t inputs_crc32(void);

/* Takes the bytes where they are kept for a whole upload. */
void inputs_adopt(void);

/* Returns whether an inference can be run. */
bool inputs_are_ready(void);

/* Puts the inputs into the arena for one inference. To be called only when they are ready. */
void inputs_place(void);

#endif
