"""How long uploads take over a line that is as slow as a real one."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.devices.bad_line import Faults
from harness.telemetry.capture import Direction
from harness.telemetry.frames import Decoder
from harness.telemetry.messages import Load
from harness.telemetry.session import Session
from harness.toolchain.gcc import build
from tests.tiny_model import SIZE, host_target, tiny_sources
from tools.flaky_line import plugged

pytestmark = pytest.mark.host_c

INPUT_BYTES = 76_800
BYTES_PER_S = 921_600 / 10
WIRE_S = INPUT_BYTES / BYTES_PER_S
MOST = 1.15
TURNS = 20
BOARD_TURN_BYTES = 9 + 37
"""Of a BOARD request and its answer: payload, type, number, CRC, a byte of COBS, delimiters."""


@pytest.mark.parametrize("latency_s", [0.0, 0.001])
def test_an_upload_takes_little_more_than_the_wire_does(tmp_path: Path, latency_s: float) -> None:
    """Less what this computer adds to a turn, which is up to what else it does.

    That is what small requests take beyond the line's own time, in the same session.
    """
    tiny = tiny_sources()
    text = tiny.text("model.c").replace(f"#define SIZE {SIZE}", f"#define SIZE {INPUT_BYTES}")
    sources = replace(tiny, files=(("model.c", text),))
    firmware = build(sources, host_target(), out_dir=tmp_path, cache=tmp_path / "cache")
    faults = Faults(bytes_per_s=BYTES_PER_S, latency_s=latency_s)
    ratios = []
    for attempt in range(3):
        with plugged(faults, tmp_path, attempt) as (_, device), device.open(firmware) as console:
            session = Session(console)
            session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
            began = time.monotonic()
            session.load([bytes(INPUT_BYTES // 2), bytes(INPUT_BYTES // 2)])
            took_s, turns = time.monotonic() - began, _loads(session)
            began = time.monotonic()
            for _turn in range(TURNS):
                session.board()
            line_s = 2 * latency_s + BOARD_TURN_BYTES / BYTES_PER_S
            late_s = (time.monotonic() - began) / TURNS - line_s
        ratios.append((took_s - turns * late_s) / WIRE_S)
        if ratios[-1] < MOST:
            break
    assert 0.95 < min(ratios) < MOST


def _loads(session: Session) -> int:
    sent = (t.data for t in session.capture.traffic if t.direction is Direction.TO_BOARD)
    decoder = Decoder()
    return sum(frame.type == Load.TYPE for data in sent for frame in decoder.feed(data))
