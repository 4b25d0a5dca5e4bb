"""Convolutions by two pixels and four channels equal the reference, in the cycles that they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.board.schema import TimingTable
from harness.codegen.model_c import generate
from harness.experiment.case import Case, find, plan_case
from harness.experiment.run import run_case
from harness.ir import Graph
from harness.ir.ops import Activation, Padding
from harness.kernels import library
from harness.kernels.kernel_set import Isa, KernelSet
from harness.schedule.search import plan
from harness.schedule.work import estimated_instructions
from harness.timing.estimate import Estimate, estimate
from harness.toolchain.gcc import build
from tests import strategies
from tests.graphs import GraphBuilder, random_inputs
from tests.host_c import plans
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches, instructions
from tests.roundings import forbid_brief_numbers, ways_of_rounding
from tests.tiny_model import qemu_target

pytestmark = pytest.mark.qemu

BOARD = "mps2-an386"
NAME = "armv7em 2x4"
TIMED = KernelSet(Isa.ARMV7EM, timing=TimingTable.CORTEX_M4)
KERNELS = replace(TIMED, only=NAME)
"""This loop wherever it is exact, even where the other one takes fewer cycles."""


def packable(build: GraphBuilder) -> Graph:
    """Return a graph whose last op has no weight that does not fit where two are packed."""
    at = build.ops[-1].inputs[1]
    weights = build.tensors[at]
    assert weights.data is not None
    build.tensors[at] = replace(weights, data=np.maximum(weights.data, -127))
    return build.graph()


@st.composite
def convolutions(draw: st.DrawFn) -> Graph:
    """Draw a convolution of four channels or more whose weights can be packed."""
    build = GraphBuilder("conv", draw(strategies.seeds))
    size = draw(st.tuples(st.integers(1, 9), st.integers(2, 9)))
    depth = draw(st.sampled_from([1, 2, 3, 4, 5, 8, 12, 31, 40, 72]))
    channels = draw(st.sampled_from([4, 5, 6, 7, 8, 11, 16, 34]))
    is_pointwise = draw(st.booleans())
    window = draw(plans.windows(size))
    x = build.input((1, *size, depth), quantized=draw(strategies.quantizations))
    build.conv(
        x,
        channels,
        (1, 1) if is_pointwise else window.kernel,
        stride=(1, 1) if is_pointwise else window.stride,
        dilation=window.dilation,
        padding=Padding() if is_pointwise else window.padding,
        activation=draw(strategies.activations),
        weight_scales=tuple(map(abs, draw(strategies.weight_scales(channels)))),
        bias=draw(st.booleans()),
        quantized=draw(st.one_of(st.just((2.0, -128)), strategies.output_quantizations())),
    )
    return packable(build)


def taken(graph: Graph, kernels: KernelSet = KERNELS) -> list[str]:
    """Return the variant of each op."""
    return [library.variant(kernels, graph, op, None).name for op in graph.ops]


@pytest.mark.parametrize("schedule", ["layer", "inplace"])
def test_whole_tensors(schedule: str) -> None:
    seen: list[str] = []

    @given(batches(convolutions(), 24))
    @settings(max_examples=4, phases=[Phase.generate], suppress_health_check=SLOW)
    def check(batch: Batch) -> None:
        seen.extend(taken(batch.graph))
        assert_on_core(plan(batch.graph, schedule, kernels=KERNELS), BOARD)

    check()
    assert NAME in seen


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3)])
@pytest.mark.parametrize("brief", [True, False], ids=["brief", "in full"])
def test_all_ways_of_rounding(
    kernel: tuple[int, int], brief: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What assembly cannot round exactly, or is not packed, is left to the other loop."""
    if not brief:
        forbid_brief_numbers(monkeypatch)
    ways = ways_of_rounding(kernel)
    expected = {way: "plain" not in way and "exact" not in way for way in ways}
    assert {way: taken(graph) == [NAME] for way, graph in ways.items()} == expected
    assert_on_core(plan(Batch(list(ways.values())).graph, "layer", kernels=KERNELS), BOARD)


@pytest.mark.parametrize("schedule", ["layer", "stream"])
def test_first_layers(schedule: str) -> None:
    """Windows that are gathered by functions of their own, and an input put into its padding."""
    shapes = (
        ((33, 35, 3), (3, 3), 8),
        ((35, 33, 1), (3, 3), 7),
        ((29, 10, 1), (10, 4), 12),
        ((30, 9, 1), (7, 3), 8),
    )
    graphs = []
    for seed, (size, kernel, channels) in enumerate(shapes):
        build = GraphBuilder("first", seed)
        x = build.input((1, *size), quantized=(0.02, 5))
        relu, quantized = Activation.RELU, (0.1, -128)
        build.conv(x, channels, kernel, stride=(2, 2), activation=relu, quantized=quantized)
        graphs.append(packable(build))
    graph = Batch(graphs).graph
    assert taken(graph) == [NAME] * len(shapes)
    assert_on_core(plan(graph, schedule, kernels=KERNELS), BOARD)


def one_conv(size: int, depth: int, channels: int, kernel: int) -> Graph:
    """Return a convolution of a square."""
    build = GraphBuilder()
    x = build.input((1, size, size, depth), quantized=(0.02, -128))
    build.conv(
        x,
        channels,
        (kernel, kernel),
        padding=Padding() if kernel == 1 else Padding(1, 1, 1, 1),
        activation=Activation.RELU,
        quantized=(0.5, -128),
    )
    return replace(packable(build), sha256="5a" * 32)


SHAPES = [
    (12, 64, 64, 1, True),
    (6, 8, 16, 1, True),
    (8, 16, 16, 3, True),
    (24, 3, 16, 3, True),
    (3, 64, 64, 1, False),
    (9, 16, 10, 1, False),
    (6, 4, 4, 1, False),
]


def both_estimates(graph: Graph, names: tuple[str, str], folder: Path) -> list[Estimate]:
    """Return what an image takes with each of two variants."""
    target, estimates = qemu_target(BOARD), []
    for name in names:
        made = plan(graph, "layer", kernels=replace(TIMED, only=name))
        firmware = build(generate(made, target=target), target, out_dir=folder / name)
        estimates.append(estimate(firmware.elf, [x.tobytes() for x in random_inputs(graph)]))
    return estimates


@pytest.mark.parametrize(("size", "depth", "channels", "kernel", "is_better"), SHAPES)
def test_the_loop_with_fewer_cycles_is_taken(
    size: int, depth: int, channels: int, kernel: int, is_better: bool, tmp_path: Path
) -> None:
    """By the estimate of whole images; without timings the one with fewer instructions is."""
    graph = one_conv(size, depth, channels, kernel)
    assert taken(graph, KernelSet(Isa.ARMV7EM)) == ["armv7em"]
    assert taken(graph, TIMED) == [NAME if is_better else "armv7em"]
    this, other = both_estimates(graph, (NAME, "armv7em"), tmp_path)
    assert this.outputs == other.outputs
    assert (this.cycles < other.cycles) == is_better
    assert this.instructions > other.instructions


@pytest.mark.parametrize(("size", "depth", "channels", "kernel"), [shape[:4] for shape in SHAPES])
def test_the_cost_model_knows_it(size: int, depth: int, channels: int, kernel: int) -> None:
    """Though it was fitted to the other loop: this one tells of its own."""
    graph = Batch([one_conv(size, depth, channels, kernel)]).graph
    made = plan(graph, "layer", kernels=KERNELS)
    (count,) = instructions(made, BOARD)
    assert estimated_instructions(made) == pytest.approx(count, rel=0.08)


@pytest.mark.parametrize(("depth", "channels"), [(64, 12), (640, 128), (800, 20)])
def test_fully_connected_ops_load_words_one_by_one(
    depth: int, channels: int, tmp_path: Path
) -> None:
    build = GraphBuilder()
    build.fully_connected(build.input((1, depth), quantized=(0.02, 3)), channels)
    graph = replace(packable(build), sha256="5a" * 32)
    assert taken(graph, TIMED) == ["armv7em singles"]
    this, other = both_estimates(graph, ("armv7em singles", "armv7em"), tmp_path)
    assert this.outputs == other.outputs
    assert this.cycles < other.cycles
    assert this.instructions > other.instructions


@pytest.mark.parametrize(("board", "is_timed"), [("nucleo-f446re", True), ("mps2-an386", False)])
def test_the_board_decides_what_is_counted(board: str, is_timed: bool) -> None:
    case = Case(board=board, model="kws", device="qemu", schedule="layer", warmup=0, repeat=1)
    assert plan_case(find(case)).plan.kernels.counts_cycles == is_timed
    assert not plan_case(find(replace(case, optimize="size"))).plan.kernels.counts_cycles
    ran = run_case(case, store=None)
    assert ran.error is None
    told = [note for note in ran.record.warnings if "the fewest cycles by the timings of" in note]
    assert bool(told) == is_timed
