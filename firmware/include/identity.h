/* Which image this is. The build writes the definition beside the model's sources. */
#ifndef BENCH_IDENTITY_H
#define BENCH_IDENTITY_H

#include <stdint.h>

/* Lies in section .bench_identity of the image, so that a file can be told without running it. */
typedef struct {
    char magic[8]; /* "bench-1" */
    uint8_t build_id[8];
    uint8_t model_sha256[32];
} identity_t;

extern const identity_t identity;

#endif
