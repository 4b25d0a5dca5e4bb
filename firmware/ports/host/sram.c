/* A computer has RAM enough to stage any input; its stack is not ours to paint. */
#include "sram.h"

#include <stddef.h>

enum { STAGING_BYTES = 16 * 1024 * 1024 };

static uint8_t staging[STAGING_BYTES];

sram_region_t sram_staging(void)
{
    return (sram_region_t){.begin = staging, .size_bytes = STAGING_BYTES};
}

sram_region_t sram_stack(void)
{
    return (sram_region_t){.begin = NULL, .size_bytes = 0};
}

uint8_t *sram_stack_pointer(void)
{
    return NULL;
}
