#include "cobs.h"

enum { CODE_FULL_BLOCK = 0xFF };

/* Closes the block: its code byte is the distance to the zero that it stands for. */
static uint32_t close_block(cobs_encoder_t *encoder)
{
    const uint32_t size_bytes = 1u + encoder->used;
    encoder->block[0] = (uint8_t)size_bytes;
    encoder->used = 0;
    return size_bytes;
}

uint32_t cobs_encode(cobs_encoder_t *encoder, uint8_t byte)
{
    if (byte == 0u) {
        return close_block(encoder);
    }
    encoder->block[1u + encoder->used++] = byte;
    return encoder->used == COBS_BLOCK_BYTES ? close_block(encoder) : 0u;
}

uint32_t cobs_finish(cobs_encoder_t *encoder)
{
    return close_block(encoder);
}

void cobs_reset(cobs_decoder_t *decoder)
{
    decoder->size_bytes = 0;
    decoder->left = 0;
    decoder->owes_zero = false;
    decoder->spoilt = false;
}

static void append(cobs_decoder_t *decoder, uint8_t byte)
{
    if (decoder->size_bytes == decoder->capacity) {
        decoder->spoilt = true;
        return;
    }
    decoder->data[decoder->size_bytes++] = byte;
}

void cobs_decode(cobs_decoder_t *decoder, uint8_t byte)
{
    if (decoder->left > 0u) {
        decoder->left--;
        append(decoder, byte);
        return;
    }
    if (decoder->owes_zero) {
        append(decoder, 0u);
    }
    decoder->left = (uint8_t)(byte - 1u);
    decoder->owes_zero = byte != CODE_FULL_BLOCK;
}

bool cobs_is_whole(const cobs_decoder_t *decoder)
{
    return !decoder->spoilt && decoder->left == 0u;
}
