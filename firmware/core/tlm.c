#include "tlm.h"

#include <stddef.h>
#include <string.h>

#include "board.h"
#include "cobs.h"
#include "crc32.h"

enum {
    HEADER_BYTES = 2, /* type, sequence */
    CRC_BYTES = 4,
    CHUNK_HEAD_BYTES = 4, /* a LOAD's offset, a ROW's CRC */
    AROUND_CHUNK_BYTES = HEADER_BYTES + CHUNK_HEAD_BYTES + CRC_BYTES,
    FRAME_BYTES = AROUND_CHUNK_BYTES + TLM_CHUNK_BYTES,
    LONG_FRAME_BYTES = AROUND_CHUNK_BYTES + TLM_LONG_CHUNK_BYTES,
};

static uint8_t short_frame[FRAME_BYTES];
static cobs_decoder_t decoder = {.data = short_frame, .capacity = FRAME_BYTES};
static cobs_encoder_t encoder;
static uint8_t next_event;

void tlm_receive_into(uint8_t *ram, uint32_t size_bytes)
{
    if (size_bytes >= LONG_FRAME_BYTES) {
        decoder.data = ram;
        decoder.capacity = LONG_FRAME_BYTES;
    }
}

uint32_t tlm_chunk_bytes(void)
{
    return decoder.capacity - AROUND_CHUNK_BYTES;
}

/* Returns whether the decoded bytes are a frame: long enough, and their CRC is right. */
static bool is_frame(void)
{
    if (!cobs_is_whole(&decoder) || decoder.size_bytes < HEADER_BYTES + CRC_BYTES) {
        return false;
    }
    const uint32_t body_bytes = decoder.size_bytes - CRC_BYTES;
    uint32_t crc;
    memcpy(&crc, &decoder.data[body_bytes], sizeof crc);
    return crc == crc32_update(0, decoder.data, body_bytes);
}

bool tlm_receive(tlm_frame_t *frame)
{
    uint8_t byte;
    while (uart_read(&byte, 1) == 1u) {
        if (byte != 0u) {
            cobs_decode(&decoder, byte);
            continue;
        }
        const bool is_empty = decoder.size_bytes == 0u && cobs_is_whole(&decoder);
        const bool is_good = is_frame();
        const uint32_t size_bytes = decoder.size_bytes;
        cobs_reset(&decoder);
        if (is_good) {
            *frame = (tlm_frame_t){
                .type = decoder.data[0],
                .sequence = decoder.data[1],
                .payload = &decoder.data[HEADER_BYTES],
                .payload_bytes = size_bytes - HEADER_BYTES - CRC_BYTES,
            };
            return true;
        }
        if (!is_empty) {
            tlm_send_event(TLM_DAMAGED, NULL, 0);
        }
    }
    return false;
}

static void put(const uint8_t *data, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        const uint32_t ready_bytes = cobs_encode(&encoder, data[i]);
        if (ready_bytes > 0u) {
            (void)uart_write(encoder.block, ready_bytes);
        }
    }
}

void tlm_send(uint8_t type, uint8_t sequence, const void *head, uint32_t head_bytes,
              const void *body, uint32_t body_bytes)
{
    /* A line that takes nothing loses the frame; the host asks again. */
    static const uint8_t delimiter = 0;
    const uint8_t header[HEADER_BYTES] = {type, sequence};
    uint32_t crc = crc32_update(0, header, HEADER_BYTES);
    crc = crc32_update(crc, head, head_bytes);
    crc = crc32_update(crc, body, body_bytes);
    uint8_t crc_bytes[CRC_BYTES];
    memcpy(crc_bytes, &crc, sizeof crc_bytes);

    (void)uart_write(&delimiter, 1);
    put(header, HEADER_BYTES);
    put(head, head_bytes);
    put(body, body_bytes);
    put(crc_bytes, CRC_BYTES);
    (void)uart_write(encoder.block, cobs_finish(&encoder));
    (void)uart_write(&delimiter, 1);
}

void tlm_send_event(tlm_event_t type, const void *payload, uint32_t payload_bytes)
{
    tlm_send((uint8_t)type, next_event++, payload, payload_bytes, NULL, 0);
}
