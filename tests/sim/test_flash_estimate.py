"""The flash that is estimated before a model is compiled, against images that the linker made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.codegen.model_c import generate
from harness.errors import DoesNotFitInFlashError
from harness.experiment.case import Case, find, plan_case
from harness.experiment.fit import check_flash, flash_limit
from harness.kernels.flash import code_of
from harness.schedule.flash import estimated_flash
from harness.toolchain import gcc

pytestmark = [pytest.mark.qemu, pytest.mark.models]

ANOTHER_MODEL = 256
"""Bytes by which the error may be above the largest that was seen when the table was made."""

CASES = (
    ("nucleo-f446re", "vww", "auto", 30_000, "cycles"),
    ("mps2-an386", "person-detect", "layer", None, "size"),
    ("nucleo-f746zg", "mcunet-vww1", "stream", None, "cycles"),
    ("mps2-an386", "ic", "patch", None, "size"),
    ("mps2-an386", "ic", "layer", None, "instructions"),
    ("raspberry-pi-pico", "micro-speech", "inplace", None, "cycles"),
    ("mps2-an385", "vww", "stream", None, "cycles"),
    ("mps3-an547", "vww", "stream", None, "cycles"),
)


@pytest.mark.parametrize(("board", "model", "schedule", "limit", "optimize"), CASES)
def test_the_estimate_is_as_near_as_it_says(
    board: str, model: str, schedule: str, limit: int | None, optimize: str, tmp_path: Path
) -> None:
    case = Case(
        board=board, model=model, schedule=schedule, sram_limit=limit, optimize=optimize,
        device="qemu",
    )  # fmt: skip
    found = find(case)
    plan = plan_case(found).plan
    image = gcc.build(
        generate(plan, target=found.target), found.target, out_dir=tmp_path, optimize=optimize
    )
    room, code = flash_limit(plan.kernels, found.board, None, found.target), code_of(plan.kernels)
    assert room is not None
    assert code is not None
    estimate, linked = estimated_flash(plan), image.footprint
    assert estimate.weights_bytes == pytest.approx(linked.weights_bytes, abs=32)
    total = estimate.total_bytes + room.runtime_bytes
    assert abs(total - linked.flash_bytes) <= code.most + ANOTHER_MODEL

    check_flash(model, linked, linked.flash_bytes)
    with pytest.raises(DoesNotFitInFlashError, match=": 1 B too much"):
        check_flash(model, replace(linked, code_bytes=linked.code_bytes + 1), linked.flash_bytes)
