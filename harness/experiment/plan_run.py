"""Run a plan on an emulated board, without a case or a record: for measuring kernels themselves."""

from __future__ import annotations

from dataclasses import dataclass

from harness.board.schema import Board, DeviceKind
from harness.board.target import target_for
from harness.codegen.model_c import generate
from harness.devices.registry import open_device
from harness.experiment.case import Case
from harness.experiment.correctness import compare_outputs
from harness.experiment.estimated import estimate_image
from harness.experiment.measure import measure
from harness.models.preprocess import Inputs, seeded_inputs
from harness.reference.interpreter import run as run_reference
from harness.schedule.plan import Plan
from harness.timing.estimate import Estimate
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import build
from harness.toolchain.workspace import build_dir


@dataclass(frozen=True, slots=True)
class PlanRun:
    """The image, whether its outputs are right, and the instructions of each step.

    A step stands under the position of the last op that it executes.
    """

    firmware: Firmware
    is_bit_exact: bool
    instructions: dict[int, int]
    estimate: Estimate | None = None


def run_plan(made: Plan, board: Board, optimize: str, *, is_estimated: bool = False) -> PlanRun:
    """Build a plan for an emulated board, run it once on seeded inputs, and compare.

    With ``is_estimated`` its cycles are estimated too.

    Raises:
        BenchError: it cannot be built or run.
    """
    target = target_for(board, DeviceKind.QEMU)
    sources = generate(made, target=target)
    out_dir = build_dir(sources, target, optimize)
    firmware = build(sources, target, out_dir=out_dir, optimize=optimize)
    graph = made.graph
    inputs = Inputs((tuple(seeded_inputs(graph)),))
    settings = Case(board=board.name, model=graph.name, warmup=0, repeat=1)
    device = open_device(DeviceKind.QEMU)
    measured = measure(settings, graph, inputs, device, firmware, lambda *_: None)
    expected = [run_reference(graph, sample) for sample in inputs.samples]
    overhead = measured.steps.overhead_ticks
    counts = [int(measured.clock.measure(ticks, overhead)) for ticks in measured.steps.ticks]
    return PlanRun(
        firmware,
        compare_outputs(measured.outputs, expected).bit_exact,
        dict(zip(sources.steps, counts, strict=True)),
        estimate_image(firmware.elf, inputs.samples[0], expected[0]) if is_estimated else None,
    )
