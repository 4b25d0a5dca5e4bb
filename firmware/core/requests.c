#include "requests.h"

#include <stddef.h>
#include <string.h>

#include "board.h"
#include "clk.h"
#include "identity.h"
#include "inputs.h"
#include "model.h"
#include "paint.h"
#include "rows.h"
#include "runner.h"
#include "sram.h"

/* An answer: a small head of its own, and a body that is read where it lies. */
typedef struct {
    uint8_t request;
    uint8_t sequence;
    uint8_t type;
    uint32_t head_bytes;
    union {
        tlm_hello_t hello;
        tlm_samples_t samples;
        tlm_board_t board;
        tlm_paint_t paint;
        tlm_place_t place;
        tlm_refusal_t refusal;
        uint32_t held_bytes;
    } head;
    const uint8_t *body;
    uint32_t body_bytes;
} answer_t;

static answer_t answer;
static bool clock_counts;

static void refuse(tlm_error_t code, uint32_t detail)
{
    answer.type = TLM_ERROR;
    answer.head.refusal = (tlm_refusal_t){
        .code = (uint16_t)code,
        .request = answer.request,
        .detail = detail,
    };
    answer.head_bytes = sizeof answer.head.refusal;
    answer.body_bytes = 0;
}

static void answer_hello(void)
{
    tlm_hello_t *hello = &answer.head.hello;
    *hello = (tlm_hello_t){
        .protocol_version = TLM_PROTOCOL_VERSION,
        .clock_kind = (uint8_t)clk_info.kind,
        .clock_counts = clock_counts,
        .tick_hz = clk_info.tick_hz,
        .chunk_bytes = tlm_chunk_bytes(),
        .samples_max = TLM_SAMPLES_MAX,
        .input_bytes = inputs_total_bytes(model_inputs, model_input_count),
        .output_bytes = inputs_total_bytes(model_outputs, model_output_count),
        .step_count = model_step_count,
        .arena_bytes = model_arena_bytes,
        .staging_bytes = sram_staging().size_bytes,
        .fetched_bytes = model_row_bytes * model_row_count,
    };
    memcpy(hello->build_id, identity.build_id, sizeof hello->build_id);
    memcpy(hello->model_sha256, model_sha256, sizeof hello->model_sha256);
    answer.head_bytes = sizeof *hello;
}

/* The CPUID register, 0 on a host (Arm DDI 0403, B3.2.3; the same place in ARMv6-M and ARMv8-M). */
static uint32_t cpuid(void)
{
#ifdef __ARM_ARCH_PROFILE
    return *(const volatile uint32_t *)0xE000ED00u;
#else
    return 0;
#endif
}

static void answer_board(void)
{
    const board_info_t info = board_info();
    answer.head.board = (tlm_board_t){
        .cpuid = cpuid(),
        .core_hz = info.core_hz,
        .measured_hz = info.measured_hz,
        .flags = info.flags,
        .wait_states = info.wait_states,
        .reset_reason = info.reset_reason,
    };
    memcpy(answer.head.board.chip_id, info.chip_id, sizeof info.chip_id);
    answer.head_bytes = sizeof answer.head.board;
}

static void answer_load(const tlm_frame_t *request)
{
    uint32_t offset;
    if (request->payload_bytes < sizeof offset) {
        refuse(TLM_BAD_LENGTH, request->payload_bytes);
        return;
    }
    memcpy(&offset, request->payload, sizeof offset);
    const uint8_t *data = request->payload + sizeof offset;
    if (inputs_load(offset, data, request->payload_bytes - (uint32_t)sizeof offset) != 0) {
        refuse(TLM_BAD_RANGE, inputs_held_bytes());
        return;
    }
    answer.head.held_bytes = inputs_held_bytes();
    answer.head_bytes = sizeof answer.head.held_bytes;
}

/* Returns whether `inferences` can be run now, and refuses the request when not. */
static bool may_infer(uint32_t inferences)
{
    if (!inputs_are_ready() || !rows_are_served()) {
        refuse(TLM_INPUTS_MISSING, inputs_held_bytes());
    } else if (!inputs_are_staged() && inferences != 1u) {
        refuse(TLM_LOAD_EACH_TIME, sram_staging().size_bytes);
    } else {
        return true;
    }
    return false;
}

static void answer_samples(void)
{
    answer.head_bytes = (uint32_t)offsetof(tlm_samples_t, ticks) +
                        answer.head.samples.count * (uint32_t)sizeof(uint64_t);
}

static void answer_run(const tlm_frame_t *request)
{
    tlm_run_t run;
    if (request->payload_bytes != sizeof run) {
        refuse(TLM_BAD_LENGTH, request->payload_bytes);
        return;
    }
    memcpy(&run, request->payload, sizeof run);
    if (run.repeat > TLM_SAMPLES_MAX || run.warmup > UINT32_MAX - TLM_SAMPLES_MAX) {
        refuse(TLM_BAD_RANGE, TLM_SAMPLES_MAX);
    } else if (!clock_counts) {
        refuse(TLM_CLOCK_STOPPED, 0);
    } else if (may_infer(run.warmup + run.repeat)) {
        runner_run(run.warmup, run.repeat, &answer.head.samples);
        answer_samples();
    }
}

static void answer_profile(const tlm_frame_t *request)
{
    uint32_t first_step;
    if (request->payload_bytes != sizeof first_step) {
        refuse(TLM_BAD_LENGTH, request->payload_bytes);
        return;
    }
    memcpy(&first_step, request->payload, sizeof first_step);
    if (!clock_counts) {
        refuse(TLM_CLOCK_STOPPED, 0);
    } else if (may_infer(1)) {
        runner_profile(first_step, &answer.head.samples);
        answer_samples();
    }
}

static void answer_paint(const tlm_frame_t *request)
{
    if (request->payload_bytes != 1u) {
        refuse(TLM_BAD_LENGTH, request->payload_bytes);
    } else if (may_infer(1)) {
        answer.head.paint = paint_inference(request->payload[0]);
        answer.head_bytes = sizeof answer.head.paint;
    }
}

/* Outputs are one run of bytes, like inputs; an answer ends at the latest where one output ends. */
static void answer_output(const tlm_frame_t *request)
{
    tlm_output_t range;
    if (request->payload_bytes != sizeof range) {
        refuse(TLM_BAD_LENGTH, request->payload_bytes);
        return;
    }
    memcpy(&range, request->payload, sizeof range);
    uint32_t offset = range.offset;
    for (uint32_t i = 0; i < model_output_count; i++) {
        const model_buffer_t *output = &model_outputs[i];
        if (offset < output->size_bytes) {
            const uint32_t left_bytes = output->size_bytes - offset;
            const uint32_t most_bytes = tlm_chunk_bytes();
            const uint32_t chunk_bytes =
                range.size_bytes < most_bytes ? range.size_bytes : most_bytes;
            answer.body = &output->data[offset];
            answer.body_bytes = chunk_bytes < left_bytes ? chunk_bytes : left_bytes;
            return;
        }
        offset -= output->size_bytes;
    }
    refuse(TLM_BAD_RANGE, inputs_total_bytes(model_outputs, model_output_count));
}

static void answer_place(const tlm_frame_t *request)
{
    uint32_t offset;
    if (request->payload_bytes != sizeof offset) {
        refuse(TLM_BAD_LENGTH, request->payload_bytes);
        return;
    }
    memcpy(&offset, request->payload, sizeof offset);
    uint32_t size_bytes = 0;
    const uint8_t *place = inputs_at(offset, &size_bytes);
    if (place == NULL) {
        refuse(TLM_BAD_RANGE, inputs_total_bytes(model_inputs, model_input_count));
        return;
    }
    board_debugger_may_write();
    answer.head.place.address = (uint32_t)(uintptr_t)place;
    answer.head.place.size_bytes = size_bytes;
    answer.head_bytes = sizeof answer.head.place;
}

static void answer_adopt(const tlm_frame_t *request)
{
    uint32_t expected_crc;
    if (request->payload_bytes != sizeof expected_crc) {
        refuse(TLM_BAD_LENGTH, request->payload_bytes);
        return;
    }
    memcpy(&expected_crc, request->payload, sizeof expected_crc);
    board_debugger_has_written();
    const uint32_t crc = inputs_crc32();
    if (crc != expected_crc) {
        refuse(TLM_OTHER_BYTES, crc);
        return;
    }
    inputs_adopt();
    answer.head.held_bytes = inputs_held_bytes();
    answer.head_bytes = sizeof answer.head.held_bytes;
}

static void answer_serve(const tlm_frame_t *request)
{
    tlm_serve_t serve;
    if (request->payload_bytes != sizeof serve) {
        refuse(TLM_BAD_LENGTH, request->payload_bytes);
        return;
    }
    memcpy(&serve, request->payload, sizeof serve);
    if (serve.ticks == 0u || serve.grains == 0u) {
        refuse(TLM_BAD_RANGE, UINT32_MAX);
        return;
    }
    rows_serve(&serve);
}

static void do_request(const tlm_frame_t *request)
{
    rows_begin(request);
    answer.request = request->type;
    answer.sequence = request->sequence;
    answer.type = request->type | TLM_ANSWER;
    answer.head_bytes = 0;
    answer.body_bytes = 0;
    switch (request->type) {
    case TLM_HELLO:
        answer_hello();
        break;
    case TLM_LOAD:
        answer_load(request);
        break;
    case TLM_RUN:
        answer_run(request);
        break;
    case TLM_PROFILE:
        answer_profile(request);
        break;
    case TLM_PAINT:
        answer_paint(request);
        break;
    case TLM_OUTPUT:
        answer_output(request);
        break;
    case TLM_PLACE:
        answer_place(request);
        break;
    case TLM_ADOPT:
        answer_adopt(request);
        break;
    case TLM_SERVE:
        answer_serve(request);
        break;
    case TLM_BOARD:
        answer_board();
        break;
    default:
        refuse(TLM_UNKNOWN_REQUEST, request->type);
        break;
    }
}

void requests_begin(bool does_clock_count)
{
    clock_counts = does_clock_count;
    answer_hello();
    tlm_send_event(TLM_BOOT, &answer.head.hello, answer.head_bytes);
}

void requests_answer(const tlm_frame_t *request)
{
    if (request->type == TLM_ROW) {
        return; /* a second answer to a WANT that was sent twice */
    }
    if (request->type != answer.request || request->sequence != answer.sequence) {
        do_request(request);
    }
    if (rows_are_given_up()) {
        return;
    }
    tlm_send(answer.type, answer.sequence, &answer.head, answer.head_bytes, answer.body,
             answer.body_bytes);
}
