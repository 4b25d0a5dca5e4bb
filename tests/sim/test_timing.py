"""Cycles are estimated of what a board would execute, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BenchError, OutputsDifferError
from harness.experiment.case import Case, find, plan_case
from harness.experiment.estimated import estimate_image
from harness.experiment.run import run_case
from harness.models.preprocess import seeded_inputs
from harness.timing.estimate import estimate
from harness.toolchain.gcc import build
from tests.tiny_model import INPUT, INVOKE, OUTPUT, SIZE, qemu_target, tiny_sources

pytestmark = pytest.mark.qemu
pytest.importorskip("capstone")
pytest.importorskip("unicorn")

HALVES = (INPUT[: SIZE // 2], INPUT[SIZE // 2 :])


READS_A_REGISTER = """\
void model_invoke(void)
{
    add();
    invert();
    (void)*(volatile int32_t *)0x40000000;
}"""


def tiny_image(out_dir: Path, invoke: str = INVOKE) -> Path:
    target = qemu_target("mps2-an386")
    return build(tiny_sources(invoke), target, out_dir=out_dir).elf


def test_the_instructions_that_are_timed_are_those_that_qemu_counts() -> None:
    case = Case(board="mps2-an386", model="kws", schedule="inplace", warmup=0, repeat=1)
    graph = plan_case(find(case)).imported
    ran = run_case(case, store=None)
    assert ran.error is None
    assert ran.record.firmware is not None
    assert ran.record.latency is not None
    image, inputs = Path(ran.record.firmware.elf), seeded_inputs(graph)
    found = estimate_image(image, inputs, ran.outputs[0])
    assert found.instructions == ran.record.latency.instructions
    with pytest.raises(OutputsDifferError, match="outputs under Unicorn differ"):
        estimate_image(image, inputs, inputs)


def test_an_image_runs_without_its_board(tmp_path: Path) -> None:
    found = estimate(tiny_image(tmp_path), HALVES)
    assert found.outputs == (OUTPUT,)
    assert SIZE < found.instructions < found.cycles - found.open_cycles


def test_inputs_that_an_image_does_not_take_are_refused(tmp_path: Path) -> None:
    image = tiny_image(tmp_path)
    with pytest.raises(BenchError, match="takes inputs of 32, 32 B, not of 64 B"):
        estimate(image, [INPUT])


def test_what_only_a_board_can_answer_is_refused(tmp_path: Path) -> None:
    image = tiny_image(tmp_path, READS_A_REGISTER)
    with pytest.raises(BenchError, match="cannot execute what is at 0x"):
        estimate(image, HALVES)
