"""The runtime on emulated cores: exact counts, painting, faults, and boards short of RAM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.board.target import Region
from harness.devices.qemu import QemuDevice
from harness.errors import DeviceError, FirmwareFaultError, NoAnswerError, WrongFirmwareError
from harness.telemetry.link import Patience
from harness.telemetry.messages import Samples
from harness.telemetry.session import Session
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import STACK_BYTES, build
from tests.tiny_model import INPUT, OUTPUT, counting_loop, qemu_target, tiny_sources

pytestmark = pytest.mark.qemu

BOARDS = ["mps2-an386", "nucleo-f746zg", "mps3-an547"]
INPUTS = [INPUT[:32], INPUT[32:]]
on_each_core = pytest.mark.parametrize("board", BOARDS)
by_either_way = pytest.mark.parametrize("has_debug_port", [True, False], ids=["port", "line"])


def tiny(
    board: str,
    tmp_path: Path,
    body: str = "add();\n    invert();",
    stack_bytes: int = STACK_BYTES,
) -> Firmware:
    """Build the tiny model; ``body`` is that of model_invoke, or a whole model_invoke."""
    invoke = body if "model_invoke" in body else f"void model_invoke(void)\n{{\n    {body}\n}}"
    sources = tiny_sources(invoke)
    return build(sources, qemu_target(board), out_dir=tmp_path, stack_bytes=stack_bytes)


@contextmanager
def booted(
    firmware: Firmware, patience: Patience | None = None, *, has_debug_port: bool = True
) -> Iterator[Session]:
    with QemuDevice(has_debug_port=has_debug_port).open(firmware) as console:
        session = Session(console, patience=patience)
        session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
        yield session


def instructions(firmware: Firmware, samples: Samples) -> list[int | float]:
    with QemuDevice().open(firmware) as console:
        hello = Session(console).hello(
            build_id=firmware.build_id, model_sha256=firmware.model_sha256
        )
    clock = QemuDevice().clock(hello)
    return [clock.measure(ticks, samples.overhead_ticks) for ticks in samples.ticks]


@on_each_core
@by_either_way
def test_a_session_from_hello_to_counters(board: str, has_debug_port: bool, tmp_path: Path) -> None:
    firmware = tiny(board, tmp_path)
    with booted(firmware, has_debug_port=has_debug_port) as session:
        session.load(INPUTS)
        runs = [session.run(warmup=1, repeat=70) for _ in range(2)]
        assert session.outputs([64]) == [OUTPUT]
        steps = session.profile()
        use = session.sram()
        assert session.outputs([64]) == [OUTPUT]
    counts = {count for run in runs for count in instructions(firmware, run)}
    assert len(counts) == 1, "two runs count the same"
    parts = instructions(firmware, steps)
    assert 0 < counts.pop() - sum(parts) < 10, "the model is its steps and the calls to them"
    assert (use.arena_high_water, use.arena_touched) == (128, 128)
    assert use.stack_entry <= use.stack_high_water < 512


@on_each_core
@pytest.mark.parametrize("iterations", [1, 1000, 40_000_000])
def test_a_known_loop_is_counted_to_the_instruction(
    board: str, iterations: int, tmp_path: Path
) -> None:
    firmware = tiny(board, tmp_path, counting_loop(iterations))
    with booted(firmware) as session:
        session.load(INPUTS)
        samples = session.run(warmup=0, repeat=2)
    assert instructions(firmware, samples) == [2 * iterations + 2] * 2


def test_counts_stay_exact_where_the_fine_timer_wraps(tmp_path: Path) -> None:
    """At 6.4 ticks an instruction, 32 bits are 671 million instructions."""
    firmware = tiny("mps2-an386", tmp_path, counting_loop(350_000_000))
    with booted(firmware) as session:
        session.load(INPUTS)
        samples = session.run(warmup=0, repeat=1)
    assert samples.ticks[0] > 1 << 32
    assert instructions(firmware, samples) == [700_000_002]


@on_each_core
def test_painting_finds_the_stack_that_an_inference_takes(board: str, tmp_path: Path) -> None:
    deep = "volatile uint8_t frame[%d];\n    frame[0] = 1u;\n    model_arena[150] = frame[0];"
    depths = []
    for size in (400, 1400):
        with booted(tiny(board, tmp_path, deep % size)) as session:
            session.load(INPUTS)
            use = session.sram()
            assert (use.arena_high_water, use.arena_touched) == (151, 65)
            depths.append(use.stack_high_water)
    assert depths[1] - depths[0] == 1000


@on_each_core
@by_either_way
def test_a_board_without_room_for_inputs_gets_them_again_for_each_inference(
    board: str, has_debug_port: bool, tmp_path: Path
) -> None:
    whole = qemu_target(board)
    taken = tiny(board, tmp_path, stack_bytes=1024).footprint.linked_sram_bytes
    tight = replace(whole, ram=Region(whole.ram.origin, taken + 60))
    firmware = build(tiny_sources(), tight, out_dir=tmp_path, stack_bytes=1024)
    with booted(firmware, has_debug_port=has_debug_port) as session:
        session.load(INPUTS)
        samples = session.run(warmup=1, repeat=3)
        assert session.outputs([64]) == [OUTPUT]
        use = session.sram()
        assert (use.arena_high_water, use.arena_touched) == (128, 128)
        assert len(session.profile().ticks) == 2
    assert len(set(instructions(firmware, samples))) == 1


FAULTS = {
    'udf #0");': "UsageFault (UNDEFINSTR)",
    'cpsid i \\n udf #0");': "HardFault (UNDEFINSTR)",
    'mov r0, #0 \\n bx r0");': "UsageFault (INVSTATE)",
    'mov r0, #0 \\n mov r1, #1 \\n udiv r0, r1, r0");': "UsageFault (DIVBYZERO)",
}


@pytest.mark.parametrize(("code", "name"), FAULTS.items(), ids=FAULTS.values())
def test_a_fault_is_reported_by_name(code: str, name: str, tmp_path: Path) -> None:
    firmware = tiny("nucleo-f746zg", tmp_path, f'add();\n    invert();\n    __asm volatile("{code}')
    with booted(firmware) as session:
        session.load(INPUTS)
        with pytest.raises(FirmwareFaultError) as caught:
            session.run(warmup=0, repeat=1)
    assert name in caught.value.message
    assert caught.value.capture.startswith(b"bench-capture 1\n")


@on_each_core
def test_a_stack_overflow_faults_and_is_named(board: str, tmp_path: Path) -> None:
    deep = "volatile uint8_t frame[5000];\n    frame[0] = 1u;\n    model_arena[150] = frame[0];"
    with booted(tiny(board, tmp_path, deep)) as session:
        session.load(INPUTS)
        with pytest.raises(FirmwareFaultError) as caught:
            session.run(warmup=0, repeat=1)
    assert caught.value.hint == "the stack overflowed its reserve: build with more stack"


def test_a_locked_up_core_is_told_with_qemus_own_words(tmp_path: Path) -> None:
    body = 'add();\n    invert();\n    __asm volatile("cpsid f \\n udf #0");'
    with booted(tiny("nucleo-f746zg", tmp_path, body)) as session:
        session.load(INPUTS)
        with pytest.raises(
            DeviceError, match="ended with signal SIGABRT: qemu: fatal: Lockup"
        ) as caught:
            session.run(warmup=0, repeat=1)
    assert caught.value.capture


def test_an_inference_that_never_ends_is_given_up(tmp_path: Path) -> None:
    body = 'add();\n    invert();\n    for (;;) {\n        __asm volatile("");\n    }'
    with booted(tiny("nucleo-f746zg", tmp_path, body), Patience(silence_s=0.5)) as session:
        session.load(INPUTS)
        with pytest.raises(NoAnswerError, match="RUN: no inference ended within"):
            session.run(warmup=0, repeat=1)


def test_requests_that_cannot_be_done_are_refused(tmp_path: Path) -> None:
    with booted(tiny("nucleo-f746zg", tmp_path)) as session:
        with pytest.raises(FirmwareFaultError, match="RUN: the board has only 0 B of its inputs"):
            session.run(warmup=0, repeat=1)
        session.load(INPUTS)
        assert session.run(warmup=0, repeat=1).ticks, "a refusal breaks nothing"


def test_another_firmware_is_refused(tmp_path: Path) -> None:
    firmware = tiny("nucleo-f746zg", tmp_path)
    with pytest.raises(WrongFirmwareError), booted(replace(firmware, build_id="00" * 8)):
        pass
