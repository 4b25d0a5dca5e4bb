"""Convolutions by Winograd's tiles on an emulated Cortex-M4 equal the reference, and take less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.ir.ops import Conv2D, Padding
from harness.ir.tensor import constant
from harness.kernels import library
from harness.kernels.armv7em import winograd
from harness.kernels.kernel_set import Isa, KernelSet
from harness.passes.pipeline import run_passes
from harness.schedule.search import plan
from tests import strategies
from tests.graphs import GraphBuilder
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches, instructions
from tests.roundings import alternating, lower, ways_of_rounding

pytestmark = pytest.mark.qemu

BOARD = "mps2-an386"
KERNELS = KernelSet(Isa.ARMV7EM, "instructions")


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose tiles for shapes too for which they do not pay."""
    monkeypatch.setattr(winograd, "instructions", lambda *_: 0.0)


@st.composite
def convolutions(draw: st.DrawFn) -> Graph:
    """Draw sizes odd and even, padding of any kind, and factors as networks have them and beyond.

    Of sums that may need more than 30 bits there are none, so that each is done by tiles.
    """
    build = GraphBuilder("conv", draw(strategies.seeds))
    side = st.integers(0, 3)
    padding = None
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    if draw(st.booleans()):
        padding = Padding(draw(side), draw(side), draw(side), draw(side))
        if size[0] + padding.top + padding.bottom < 3 or size[1] + padding.left + padding.right < 3:
            padding = None
    channels = draw(st.sampled_from([2, 3, 4, 7, 8]))
    depth = draw(st.sampled_from([4, 8, 12, 16, 20, 36, 40]))
    x = build.input((1, *size, depth), quantized=draw(strategies.quantizations))
    build.conv(
        x,
        channels,
        padding=padding,
        activation=draw(strategies.activations),
        weight_scales=draw(strategies.weight_scales(channels)),
        bias=draw(st.booleans()),
        quantized=draw(strategies.output_quantizations()),
    )
    if draw(st.booleans()):
        lower(build, build.ops[-1].inputs[1])
    return build.graph()


def assert_by_tiles(graph: Graph) -> None:
    """Run convolutions on the core; see that they were done by tiles."""
    for op in graph.ops:
        if isinstance(op, Conv2D) and winograd.is_supported(graph, op):
            assert library.variant(KERNELS, graph, op, None).name == "armv7em winograd"
    assert_on_core(plan(graph, "layer", kernels=KERNELS), BOARD)


@pytest.mark.usefixtures("always")
def test_whole_tensors() -> None:
    @given(batches(convolutions(), 24))
    @settings(max_examples=3, phases=[Phase.generate], suppress_health_check=SLOW)
    def check(batch: Batch) -> None:
        assert_by_tiles(batch.graph)

    check()


@pytest.mark.usefixtures("always")
def test_all_ways_of_rounding() -> None:
    graphs = [*ways_of_rounding((3, 3)).values(), alternating(2, (3, 3))]
    assert_by_tiles(Batch(graphs).graph)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("scales", [(0.01,), (-0.01, *[0.01] * 7)], ids=["in assembly", "in C"])
def test_sums_as_large_as_they_may_be(scales: tuple[float, ...]) -> None:
    """Outputs need all 32 bits; of the sums on the way there some need more."""
    build = GraphBuilder()
    x = build.input((1, 6, 6, 8), quantized=(0.05, -128))
    build.conv(x, 8, weight_scales=scales, quantized=(2500.0, 3))
    (op,) = build.ops
    assert isinstance(op, Conv2D)
    tensor = build.tensors[op.inputs[2]]
    bias = build.rng.choice([-1, 1], 8) * ((1 << 29) - (1 << 22))
    build.tensors[op.inputs[2]] = constant(tensor.name, bias.astype(np.int32), tensor.quantization)
    graph = Batch([build.graph()]).graph
    assert winograd.is_supported(graph, op)
    assert_by_tiles(graph)


@pytest.mark.parametrize(
    ("size", "depth", "channels"), [((8, 8), 8, 8), ((9, 7), 16, 8), ((16, 16), 32, 32)]
)
def test_it_takes_what_its_loops_were_counted_to(
    size: tuple[int, int], depth: int, channels: int
) -> None:
    build = GraphBuilder()
    build.conv(build.input((1, *size, depth)), channels)
    graph = Batch([build.graph()]).graph
    (op,) = graph.ops
    assert isinstance(op, Conv2D)
    assert library.variant(KERNELS, graph, op, None).name == "armv7em winograd"
    (count,) = instructions(plan(graph, "layer", kernels=KERNELS), BOARD)
    (gathered,) = instructions(plan(graph, "layer", kernels=KernelSet(Isa.ARMV7EM)), BOARD)
    assert count == pytest.approx(winograd.instructions(graph, op), rel=0.1)
    assert count < gathered


def test_ic_takes_a_third_less(models_dir: Path) -> None:
    file = models_dir / "mlperf_ic_resnet8.tflite"
    graph = run_passes(read_tflite(file.read_bytes(), name=file.stem))
    made = plan(graph, "inplace", kernels=KERNELS)
    assert_on_core(made, BOARD)
    assert sum(instructions(made, BOARD)) <= 7_500_000
