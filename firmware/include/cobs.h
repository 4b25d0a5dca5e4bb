/*
 * Consistent Overhead Byte Stuffing (Cheshire & Baker, IEEE/ACM ToN 7(2), 1999): bytes without
 * zeros, so that a zero on the line can only be the end of a frame. Both directions work byte by
 * byte; neither needs a buffer of a whole frame twice.
 */
#ifndef BENCH_COBS_H
#define BENCH_COBS_H

#include <stdbool.h>
#include <stdint.h>

enum { COBS_BLOCK_BYTES = 254 };

/* Encoder: collects one block behind its code byte. Zero-initialise it before each frame. */
typedef struct {
    uint8_t block[1 + COBS_BLOCK_BYTES];
    uint32_t used;
} cobs_encoder_t;

/*
 * Takes one byte. Returns how many bytes of `block` are now ready to be sent, 0 for none; they
 * stay valid until the next call.
 */
uint32_t cobs_encode(cobs_encoder_t *encoder, uint8_t byte);

/* Ends the frame. Returns how many bytes of `block` are to be sent, the delimiter not included. */
uint32_t cobs_finish(cobs_encoder_t *encoder);

/* Decoder: writes into the caller's buffer. */
typedef struct {
    uint8_t *data;
    uint32_t capacity;
    uint32_t size_bytes; /* decoded so far */
    uint8_t left;        /* bytes until the next code byte */
    bool owes_zero;      /* the block that ends now stood for its bytes and a zero */
    bool spoilt;         /* too long, or malformed: nothing of it counts until the next delimiter */
} cobs_decoder_t;

/* Forgets what was decoded. */
void cobs_reset(cobs_decoder_t *decoder);

/* Takes one byte other than the delimiter. */
void cobs_decode(cobs_decoder_t *decoder, uint8_t byte);

/* Returns whether the bytes so far are a whole frame. */
bool cobs_is_whole(const cobs_decoder_t *decoder);

#endif
