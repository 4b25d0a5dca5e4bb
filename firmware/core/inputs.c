#include "inputs.h"

#include <stddef.h>
#include <string.h>

#include "crc32.h"

static uint8_t *staged; /* the kept upload, or null when it goes straight into the arena */
static uint32_t held_bytes;
static uint32_t needed_bytes;

uint32_t inputs_total_bytes(const model_buffer_t *buffers, uint32_t count)
{
    uint32_t total_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        total_bytes += buffers[i].size_bytes;
    }
    return total_bytes;
}

void inputs_init(void)
{
    const sram_region_t staging = sram_staging();
    needed_bytes = inputs_total_bytes(model_inputs, model_input_count);
    if (needed_bytes <= staging.size_bytes) {
        staged = staging.begin;
    }
}

sram_region_t inputs_spare_sram(void)
{
    sram_region_t spare = sram_staging();
    if (inputs_are_staged()) {
        spare.begin += needed_bytes;
        spare.size_bytes -= needed_bytes;
    }
    return spare;
}

bool inputs_are_staged(void)
{
    return staged != NULL;
}

uint32_t inputs_held_bytes(void)
{
    return held_bytes;
}

/* Returns where the inputs' byte at `offset` lies in the arena, and how many follow it there. */
static uint8_t *arena_at(uint32_t offset, uint32_t *size_bytes)
{
    for (uint32_t i = 0; i < model_input_count; i++) {
        const model_buffer_t *input = &model_inputs[i];
        if (offset < input->size_bytes) {
            *size_bytes = input->size_bytes - offset;
            return &input->data[offset];
        }
        offset -= input->size_bytes;
    }
    return NULL;
}

uint8_t *inputs_at(uint32_t offset, uint32_t *size_bytes)
{
    if (!inputs_are_staged()) {
        return arena_at(offset, size_bytes);
    }
    if (offset >= needed_bytes) {
        return NULL;
    }
    *size_bytes = needed_bytes - offset;
    return &staged[offset];
}

/* Copies bytes to where the inputs lie in the arena. */
static void write_arena(uint32_t offset, const uint8_t *data, uint32_t size_bytes)
{
    while (size_bytes > 0u) {
        uint32_t room_bytes = 0;
        uint8_t *place = arena_at(offset, &room_bytes);
        const uint32_t part_bytes = size_bytes < room_bytes ? size_bytes : room_bytes;
        memcpy(place, data, part_bytes);
        offset += part_bytes;
        data += part_bytes;
        size_bytes -= part_bytes;
    }
}

uint32_t inputs_crc32(void)
{
    uint32_t crc = 0;
    uint32_t size_bytes = 0;
    for (uint32_t offset = 0; offset < needed_bytes; offset += size_bytes) {
        const uint8_t *data = inputs_at(offset, &size_bytes);
        crc = crc32_update(crc, data, size_bytes);
    }
    return crc;
}

void inputs_adopt(void)
{
    held_bytes = needed_bytes;
}

int32_t inputs_load(uint32_t offset, const uint8_t *data, uint32_t size_bytes)
{
    if (offset > held_bytes || size_bytes > needed_bytes - offset) {
        return -1;
    }
    if (inputs_are_staged()) {
        memcpy(&staged[offset], data, size_bytes);
    } else {
        write_arena(offset, data, size_bytes);
    }
    if (offset + size_bytes > held_bytes) {
        held_bytes = offset + size_bytes;
    }
    return 0;
}

bool inputs_are_ready(void)
{
    return held_bytes == needed_bytes;
}

void inputs_place(void)
{
    if (inputs_are_staged()) {
        write_arena(0, staged, needed_bytes);
    } else {
        held_bytes = 0;
    }
}
