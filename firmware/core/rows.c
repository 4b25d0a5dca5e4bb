#include "rows.h"

#include <stddef.h>
#include <string.h>

#include "board.h"
#include "clk.h"
#include "crc32.h"
#include "divide.h"
#include "model.h"

/* The request during which rows are fetched, and the one that came instead of a row. */
static tlm_frame_t running;
static tlm_frame_t interruption;
static bool is_given_up;

static tlm_serve_t grain;
static uint32_t grains_of_fetch;
static uint64_t grains; /* of the pauses so far, the last one excepted */
static uint64_t pause_ticks;
static bool has_paused;

static tlm_want_t want;
static uint8_t want_number;

void rows_serve(const tlm_serve_t *serve)
{
    grain = *serve;
}

bool rows_are_served(void)
{
    return model_row_count == 0u || grain.grains != 0u;
}

void rows_begin(const tlm_frame_t *request)
{
    running = *request;
    is_given_up = false;
}

bool rows_are_given_up(void)
{
    return is_given_up;
}

bool rows_interrupted_by(tlm_frame_t *request)
{
    *request = interruption;
    interruption.payload = NULL;
    return request->payload != NULL;
}

static uint64_t whole_grains(uint64_t ticks)
{
    return divide(ticks * grain.grains + grain.ticks / 2u, grain.ticks);
}

static void add_last_pause(void)
{
    if (has_paused) {
        grains += whole_grains(pause_ticks & clk_info.mask) + grains_of_fetch;
        has_paused = false;
    }
}

void rows_clear_pauses(void)
{
    grains = 0;
    has_paused = false;
}

uint64_t rows_pause_ticks(void)
{
    if (!has_paused && grains == 0u) {
        return 0;
    }
    add_last_pause();
    return divide(grains * grain.ticks + grain.grains / 2u, grain.grains);
}

void rows_set_fetch_ticks(uint64_t ticks)
{
    grains_of_fetch = (uint32_t)whole_grains(ticks);
}

static void send_want(void)
{
    tlm_send(TLM_WANT, want_number, &want, sizeof want, NULL, 0);
}

/*
 * Takes a row: its CRC, then its bytes, which are in place already if a debug port wrote them.
 * Returns whether it is the wanted one.
 */
static bool take_row(const tlm_frame_t *row, uint8_t *to)
{
    uint32_t crc;
    if (row->payload_bytes == sizeof crc + want.size_bytes) {
        memcpy(to, row->payload + sizeof crc, want.size_bytes);
    } else if (row->payload_bytes != sizeof crc) {
        return false;
    }
    memcpy(&crc, row->payload, sizeof crc);
    return crc == crc32_update(0, to, want.size_bytes);
}

/*
 * Waits for the wanted bytes. The host asks its request again when it hears nothing, so that is
 * when a WANT or its answer was lost. Any other request says that nobody waits for this one.
 */
static void receive(uint8_t *to)
{
    tlm_frame_t frame;
    for (;;) {
        if (!tlm_receive(&frame)) {
            continue;
        }
        if (frame.type == TLM_ROW) {
            if (frame.sequence == want_number && take_row(&frame, to)) {
                return;
            }
        } else if (frame.type == running.type && frame.sequence == running.sequence) {
            send_want();
        } else {
            interruption = frame;
            is_given_up = true;
            return;
        }
    }
}

/*
 * Whether a debug port may write rows. A data cache would have to be switched off for that, and
 * what is measured would find it cold after each row.
 */
static bool takes_rows_in_memory(void)
{
    return (board_info().flags & BOARD_DCACHE) == 0u;
}

static void fetch(uint8_t *to, uint32_t offset, uint32_t size_bytes)
{
    while (size_bytes > 0u && !is_given_up) {
        want.offset = offset;
        want.size_bytes = size_bytes < TLM_CHUNK_BYTES ? size_bytes : TLM_CHUNK_BYTES;
        want.address = takes_rows_in_memory() ? (uint32_t)(uintptr_t)to : 0;
        want_number++;
        send_want();
        receive(to);
        to += want.size_bytes;
        offset += want.size_bytes;
        size_bytes -= want.size_bytes;
    }
}

/*
 * Outside of the two readings of the clock this takes the same number of instructions each time;
 * so the pause before this one is added up here, between them.
 */
void model_fetch_row(uint8_t *to, int32_t row)
{
    const uint64_t begin = clk_now();
    add_last_pause();
    if ((uint32_t)row < model_row_count) {
        fetch(to, (uint32_t)row * model_row_bytes, model_row_bytes);
    }
    has_paused = true;
    pause_ticks = clk_now() - begin;
}
