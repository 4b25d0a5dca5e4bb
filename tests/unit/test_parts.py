"""Parts of a record: what a board says of itself, and the conditions of a latency."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.devices.clock import cycle_clock, host_clock, icount_clock
from harness.devices.fake import NOTHING_KNOWN
from harness.experiment.measure import Measured
from harness.experiment.parts import latency_part, state_part
from harness.telemetry.board_state import Flag, Reset
from harness.telemetry.messages import Hello, Samples
from harness.telemetry.session import SramUse

REAL = replace(
    NOTHING_KNOWN,
    cpuid=0x411FC271,
    core_hz=216_000_000,
    measured_hz=215_900_000,
    flags=Flag.ICACHE | Flag.DCACHE | Flag.OVERDRIVE,
    wait_states=7,
    reset=Reset.PIN,
    chip_id="0a" * 12,
)
HELLO = Hello.parse(
    Hello.LAYOUT.pack(1, 2, 1, 25_000_000, bytes(8), bytes(32), 1, 1, 1, 1, 1, 1, 1, 0)
)
MEASURED = Measured(
    clock=cycle_clock(HELLO),
    state=REAL,
    latency=Samples((1010, 1030, 1020), 10),
    steps=Samples((), 10),
    sram=SramUse(0, 0, 0, 0),
    outputs=(),
    capture=b"",
)


def test_a_board_that_tells_nothing_has_no_state() -> None:
    assert state_part(NOTHING_KNOWN) is None


def test_what_a_board_tells_is_recorded() -> None:
    state = state_part(REAL)
    assert state is not None
    assert (state.core, state.core_hz, state.wait_states) == ("cortex-m7", 216_000_000, 7)
    assert state.enabled == ("icache", "dcache", "overdrive")
    assert (state.reset, state.chip_id) == ("pin", "0a" * 12)


@pytest.mark.parametrize(
    ("flags", "caches"),
    [(Flag.ICACHE, "on"), (Flag.DCACHE | Flag.OVERDRIVE, "on"), (Flag.OVERDRIVE, "off")],
)
def test_cycles_say_whether_caches_were_on(flags: Flag, caches: str) -> None:
    part = latency_part(replace(MEASURED, state=replace(REAL, flags=flags)), warmup=1)
    assert (part.cycles, part.caches) == (1010, caches)


def test_cycles_last_as_long_as_the_clock_says() -> None:
    part = latency_part(MEASURED, warmup=1)
    assert (part.cycles, part.instructions) == (1010, None)
    assert part.latency_s == 1010 / 25_000_000
    assert part.samples == (1000, 1020, 1010)


def test_caches_are_unknown_or_no_question() -> None:
    silent = replace(MEASURED, state=NOTHING_KNOWN)
    assert latency_part(silent, warmup=1).caches == "unknown"
    emulated = replace(silent, clock=icount_clock(HELLO, 8))
    assert latency_part(emulated, warmup=1).caches == "not modelled"
    assert latency_part(replace(silent, clock=host_clock(HELLO)), warmup=1).caches == "unknown"
