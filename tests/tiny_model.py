"""A model of a few lines of C, written by hand: the runtime can be tried without a generator.

It adds one to each of 64 input bytes, then inverts the lowest bit. ``invoke`` replaces the body of
``model_invoke``, for tests of what the firmware makes of other bodies.
"""

from __future__ import annotations

from dataclasses import replace

from harness.board.load import load_board
from harness.board.schema import DeviceKind
from harness.board.target import Target, target_for
from harness.codegen.sources import Sources

SIZE = 64
SHA256 = "5a" * 32
INPUT = bytes(range(SIZE))
OUTPUT = bytes((byte + 1) ^ 1 for byte in INPUT)

_C = """\
#include "model.h"

#define SIZE %(size)d
#define SPARE 36

__attribute__((section(".bss.arena"), aligned(16))) uint8_t model_arena[2 * SIZE + SPARE];
const uint32_t model_arena_bytes = sizeof model_arena;
const uint8_t model_sha256[32] = {%(sha256)s};

const model_buffer_t model_inputs[] = {{model_arena, SIZE / 2}, {model_arena + SIZE / 2, SIZE / 2}};
const uint32_t model_input_count = 2;
const model_buffer_t model_outputs[] = {{model_arena + SIZE, SIZE}};
const uint32_t model_output_count = 1;

const uint32_t model_row_bytes = 0;
const uint32_t model_row_count = 0;

static __attribute__((section(".rodata.weights.one"))) const volatile uint8_t weights[4] = {1};

static __attribute__((noinline)) void add(void)
{
    for (uint32_t i = 0; i < SIZE; i++) {
        model_arena[SIZE + i] = (uint8_t)(model_arena[i] + weights[0]);
    }
}

static __attribute__((noinline)) void invert(void)
{
    for (uint32_t i = 0; i < SIZE; i++) {
        model_arena[SIZE + i] ^= 1u;
    }
}

const model_step_t model_steps[] = {{add}, {invert}};
const uint32_t model_step_count = 2;

%(invoke)s
"""

INVOKE = """\
void model_invoke(void)
{
    add();
    invert();
}"""


def tiny_sources(invoke: str = INVOKE) -> Sources:
    """Return the model's sources."""
    sha256 = ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(SHA256))
    text = _C % {"size": SIZE, "sha256": sha256, "invoke": invoke}
    return Sources(
        files=(("model.c", text),),
        model_name="tiny",
        model_sha256=SHA256,
        steps=(0, 1),
        weights_bytes=4,
    )


ROWS = 4
"""Rows of the input of the model that fetches it."""

FETCH_NOTHING = """\
void fetch_nothing(uint8_t *to, int32_t row);
__attribute__((noipa)) void fetch_nothing(uint8_t *to, int32_t row)
{
    (void)to;
    (void)row;
}
"""

_FETCH = """\
void model_invoke(void)
{
    for (int32_t row = 0; row < %(rows)d; row++) {
        %(fetch)s(model_arena + SIZE / %(rows)d * row, row);
    }
    add();
    invert();
}"""


def fetching_sources(fetch: str = "model_fetch_row") -> Sources:
    """Return the sources of the model that fetches its input row by row with a function.

    It has one step, which fetches too.
    """
    sources = tiny_sources(FETCH_NOTHING + _FETCH % {"rows": ROWS, "fetch": fetch})
    text = sources.text("model.c")
    for old, new in (
        ("{{model_arena, SIZE / 2}, {model_arena + SIZE / 2, SIZE / 2}}", "{{0}}"),
        ("model_input_count = 2", "model_input_count = 1"),
        ("model_row_bytes = 0", f"model_row_bytes = SIZE / {ROWS}"),
        ("model_row_count = 0", f"model_row_count = {ROWS}"),
        ("{{add}, {invert}}", "{{model_invoke}}"),
        ("model_step_count = 2", "model_step_count = 1"),
    ):
        assert old in text
        text = text.replace(old, new)
    return replace(sources, files=(("model.c", text),), steps=(1,))


def counting_loop(iterations: int) -> str:
    """Return a ``model_invoke`` that executes ``2 * iterations + 2`` instructions."""
    return (
        "__attribute__((naked)) void model_invoke(void)\n{\n"
        f'    __asm volatile("ldr r0, ={iterations} \\n"\n'
        '                   "1: subs r0, r0, #1 \\n"\n'
        '                   "bne 1b \\n"\n'
        '                   "bx lr \\n");\n}'
    )


def qemu_target(board: str) -> Target:
    """Return the emulated target of a board."""
    return target_for(load_board(board), DeviceKind.QEMU)


def host_target() -> Target:
    """Return the native target."""
    return target_for(load_board("mps2-an386"), DeviceKind.HOST)
