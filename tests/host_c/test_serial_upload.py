"""How long uploads take over a line that is as slow as a real one."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.devices.bad_line import Faults
from harness.telemetry.session import Session
from harness.toolchain.gcc import build
from tests.tiny_model import SIZE, host_target, tiny_sources
from tools.flaky_line import plugged

pytestmark = pytest.mark.host_c

INPUT_BYTES = 76_800
BYTES_PER_S = 921_600 / 10
WIRE_S = INPUT_BYTES / BYTES_PER_S


def test_an_upload_takes_little_more_than_the_wire_does(tmp_path: Path) -> None:
    tiny = tiny_sources()
    text = tiny.text("model.c").replace(f"#define SIZE {SIZE}", f"#define SIZE {INPUT_BYTES}")
    sources = replace(tiny, files=(("model.c", text),))
    firmware = build(sources, host_target(), out_dir=tmp_path, cache=tmp_path / "cache")
    faults = Faults(bytes_per_s=BYTES_PER_S)
    with plugged(faults, tmp_path, 0) as (_, device), device.open(firmware) as console:
        session = Session(console)
        session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
        began = time.monotonic()
        session.load([bytes(INPUT_BYTES // 2), bytes(INPUT_BYTES // 2)])
        took_s = time.monotonic() - began
    assert WIRE_S < took_s < 1.15 * WIRE_S
