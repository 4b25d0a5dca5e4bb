/*
 * Telemetry: the frames of PROTOCOL.md, as the board sends and receives them.
 *
 * Wire values and layouts are little endian, as every core here is.
 */
#ifndef BENCH_TLM_H
#define BENCH_TLM_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TLM_PROTOCOL_VERSION = 1,
    TLM_CHUNK_BYTES = 1024,      /* most data bytes in one LOAD, OUTPUT or ROW */
    TLM_LONG_CHUNK_BYTES = 4096, /* the same where RAM is left for it; a ROW stays short */
    TLM_SAMPLES_MAX = 64,        /* most samples in one RUN or PROFILE */
};

/* Requests of the host. The answer to a request has its number with TLM_ANSWER set. */
typedef enum {
    TLM_HELLO = 0x01,
    TLM_LOAD = 0x02,
    TLM_RUN = 0x03,
    TLM_PROFILE = 0x04,
    TLM_PAINT = 0x05,
    TLM_OUTPUT = 0x06,
    TLM_PLACE = 0x07,
    TLM_ADOPT = 0x08,
    TLM_SERVE = 0x09,
    TLM_BOARD = 0x0A,
    TLM_ANSWER = 0x80,
    TLM_ERROR = 0xC0, /* the answer to a request that cannot be done */
} tlm_request_t;

/* What the board says unasked. */
typedef enum {
    TLM_BOOT = 0x41,
    TLM_PROGRESS = 0x42,
    TLM_FAULT = 0x43,
    TLM_DAMAGED = 0x44,
    TLM_WANT = 0x45, /* the one event that is answered, by TLM_ROW with its number */
    TLM_ROW = 0xC5,
} tlm_event_t;

/* Why a request was refused. 0 is good. */
typedef enum {
    TLM_OK = 0,
    TLM_UNKNOWN_REQUEST = 1, /* detail: the request's type */
    TLM_BAD_LENGTH = 2,      /* detail: payload bytes received */
    TLM_BAD_RANGE = 3,       /* detail: what was allowed at most */
    TLM_INPUTS_MISSING = 4,  /* detail: input bytes held so far */
    TLM_LOAD_EACH_TIME = 5,  /* no staging: one inference a load; detail: staging bytes */
    TLM_CLOCK_STOPPED = 6,   /* the clock was not seen to count */
    TLM_OTHER_BYTES = 7,     /* detail: the CRC of what is there */
} tlm_error_t;

typedef struct {
    uint8_t type;
    uint8_t sequence;
    const uint8_t *payload; /* valid until the next call of tlm_receive() */
    uint32_t payload_bytes;
} tlm_frame_t;

typedef struct {
    uint16_t protocol_version;
    uint8_t clock_kind;
    uint8_t clock_counts;
    uint32_t tick_hz;
    uint8_t build_id[8];
    uint8_t model_sha256[32];
    uint32_t chunk_bytes;
    uint32_t samples_max;
    uint32_t input_bytes;
    uint32_t output_bytes;
    uint32_t step_count;
    uint32_t arena_bytes;
    uint32_t staging_bytes;
    uint32_t fetched_bytes;
} tlm_hello_t;
_Static_assert(sizeof(tlm_hello_t) == 80, "PROTOCOL.md: HELLO is 80 bytes");

/* What board.h says of the board; zeros are what it does not know. */
typedef struct {
    uint32_t cpuid;
    uint32_t core_hz;
    uint32_t measured_hz;
    uint16_t flags;
    uint8_t wait_states;
    uint8_t reset_reason;
    uint8_t chip_id[12];
} tlm_board_t;
_Static_assert(sizeof(tlm_board_t) == 28, "PROTOCOL.md: BOARD is 28 bytes");

typedef struct {
    uint32_t warmup;
    uint32_t repeat;
} tlm_run_t;
_Static_assert(sizeof(tlm_run_t) == 8, "PROTOCOL.md: RUN is 8 bytes");

/* The answer to RUN and PROFILE: `count` of `ticks` are sent. */
typedef struct {
    uint32_t overhead_ticks;
    uint32_t count;
    uint64_t ticks[TLM_SAMPLES_MAX];
} tlm_samples_t;
_Static_assert(sizeof(tlm_samples_t) == 8 + 8 * TLM_SAMPLES_MAX, "PROTOCOL.md: samples");

typedef struct {
    uint32_t done;
    uint32_t total;
    uint64_t ticks; /* of the last inference, the overhead of the window included */
} tlm_progress_t;
_Static_assert(sizeof(tlm_progress_t) == 16, "PROTOCOL.md: PROGRESS is 16 bytes");

typedef struct {
    uint32_t arena_high_water_bytes;
    uint32_t arena_pattern_bytes;
    uint32_t arena_inverse_bytes;
    uint32_t stack_high_water_bytes;
    uint32_t stack_entry_bytes;
} tlm_paint_t;
_Static_assert(sizeof(tlm_paint_t) == 20, "PROTOCOL.md: PAINT is 20 bytes");

typedef struct {
    uint32_t offset;
    uint32_t size_bytes;
} tlm_output_t;
_Static_assert(sizeof(tlm_output_t) == 8, "PROTOCOL.md: OUTPUT is 8 bytes");

typedef struct {
    uint32_t address;
    uint32_t size_bytes;
} tlm_place_t;
_Static_assert(sizeof(tlm_place_t) == 8, "PROTOCOL.md: PLACE is 8 bytes");

/* So many ticks of the clock are so many grains, the least by which two readings differ. */
typedef struct {
    uint32_t ticks;
    uint32_t grains;
} tlm_serve_t;
_Static_assert(sizeof(tlm_serve_t) == 8, "PROTOCOL.md: SERVE is 8 bytes");

typedef struct {
    uint32_t offset;
    uint32_t size_bytes;
    uint32_t address;
} tlm_want_t;
_Static_assert(sizeof(tlm_want_t) == 12, "PROTOCOL.md: WANT is 12 bytes");

typedef struct {
    uint16_t code;
    uint16_t request;
    uint32_t detail;
} tlm_refusal_t;
_Static_assert(sizeof(tlm_refusal_t) == 8, "PROTOCOL.md: ERROR is 8 bytes");

typedef struct {
    uint32_t exception;
    uint32_t cfsr;
    uint32_t hfsr;
    uint32_t mmfar;
    uint32_t bfar;
    uint32_t pc;
    uint32_t lr;
    uint32_t sp;
    uint32_t stack_begin;
} tlm_fault_t;
_Static_assert(sizeof(tlm_fault_t) == 36, "PROTOCOL.md: FAULT is 36 bytes");

/* Receives into RAM that nobody else needs, if it holds long chunks. Called before any frame. */
void tlm_receive_into(uint8_t *ram, uint32_t size_bytes);

/* Returns how many data bytes one LOAD or OUTPUT may have. */
uint32_t tlm_chunk_bytes(void);

/*
 * Takes what has arrived. Returns true when `frame` is a whole frame with a right CRC; a frame
 * with a wrong one is answered with DAMAGED, so that the host need not wait to send it again.
 */
bool tlm_receive(tlm_frame_t *frame);

/* Sends one frame whose payload is `head` followed by `body`; either may be empty. */
void tlm_send(uint8_t type, uint8_t sequence, const void *head, uint32_t head_bytes,
              const void *body, uint32_t body_bytes);

/* Sends one frame that nobody asked for; these count their own sequence. */
void tlm_send_event(tlm_event_t type, const void *payload, uint32_t payload_bytes);

#endif
