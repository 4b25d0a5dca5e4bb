"""Cortex-M0, M0+ and M3: every op is exact there, and their clocks count."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.board.load import load_board
from harness.ir import Graph, Op
from harness.ir.ops import Padding, Window
from harness.kernels import library
from harness.kernels.kernel_set import Isa, KernelSet, kernels_for
from harness.schedule.search import plan
from tests import strategies
from tests.graphs import GraphBuilder, pad_same
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches, instructions

pytestmark = pytest.mark.qemu

SMALL = [("raspberry-pi-pico", Isa.ARMV6M), ("mps2-an385", Isa.ARMV7M)]

# The first example is always the simplest one.
few = settings(max_examples=2, phases=[Phase.generate], suppress_health_check=SLOW, deadline=None)


@pytest.mark.parametrize(
    ("board", "size"), [("microbit", 6), ("raspberry-pi-pico", 20), ("mps2-an385", 20)]
)
def test_ops_of_every_kind(board: str, size: int) -> None:
    kernels = kernels_for(load_board(board).core, "cycles")

    @given(batches(strategies.op_graphs(), size))
    @few
    def check(batch: Batch) -> None:
        assert_on_core(plan(batch.graph, "inplace", kernels=kernels), board)

    check()


def test_two_clocks_count_alike() -> None:
    """A timer of the nRF51 at 16 MHz and one of the CMSDK at 25 MHz see the same instructions."""
    build = GraphBuilder()
    build.depthwise(build.input((1, 9, 9, 8)))
    made = plan(Batch([build.graph()]).graph, "layer")
    (on_m0,), (on_m0plus,) = (instructions(made, b) for b in ("microbit", "raspberry-pi-pico"))
    assert on_m0 == on_m0plus


@pytest.mark.parametrize(("board", "isa"), SMALL)
@pytest.mark.parametrize(("schedule", "size"), [("layer", 16), ("stream", 8), ("patch", 8)])
def test_dot_products(board: str, isa: Isa, schedule: str, size: int) -> None:
    @given(batches(convs() | strategies.conv_graphs() | dense(), size))
    @few
    def check(batch: Batch) -> None:
        names = {library.variant(KernelSet(isa), batch.graph, op, None).name for op in ops(batch)}
        assert isa.value in names
        assert_on_core(plan(batch.graph, schedule, kernels=KernelSet(isa)), board)

    check()


def ops(batch: Batch) -> tuple[Op, ...]:
    return batch.graph.ops


@st.composite
def convs(draw: st.DrawFn) -> Graph:
    """Draw a convolution with channels around whole blocks, whose outputs are seldom saturated."""
    height, width, depth = (draw(st.integers(2, n)) for n in (5, 6, 60))
    depth = draw(st.sampled_from([40, depth]))
    channels = draw(st.integers(4, 18))
    window = draw(strategies.windows((height, width)))
    build = GraphBuilder("conv", draw(strategies.seeds))
    x = build.input((1, height, width, depth), quantized=(0.05, draw(strategies.zero_points)))
    pointwise = draw(st.booleans())
    build.conv(
        x,
        channels,
        (1, 1) if pointwise else window.kernel,
        stride=window.stride,
        dilation=(1, 1) if pointwise else window.dilation,
        padding=Padding() if pointwise else window.padding,
        activation=draw(strategies.activations),
        bias=draw(st.booleans()),
        weight_scales=tuple(draw(st.sampled_from([0.004, 0.01, -0.02])) for _ in range(channels)),
        quantized=(draw(st.floats(0.05, 1.0)), draw(strategies.zero_points)),
    )
    return build.graph()


@st.composite
def dense(draw: st.DrawFn) -> Graph:
    channels = draw(st.integers(4, 21))
    build = GraphBuilder("dense", draw(strategies.seeds))
    x = build.input((draw(st.integers(1, 3)), draw(st.integers(36, 90))), quantized=(0.05, -7))
    build.fully_connected(x, channels, quantized=(0.5, -12))
    return build.graph()


@pytest.mark.parametrize(
    ("schedule", "size"), [("layer", 16), ("inplace", 6), ("stream", 6), ("patch", 6)]
)
def test_depthwise_on_m0plus(schedule: str, size: int) -> None:
    used: list[str] = []

    @given(batches(depthwises(), size))
    @few
    def check(batch: Batch) -> None:
        kernels = KernelSet(Isa.ARMV6M)
        used.extend(library.row_variant(kernels, batch.graph, op).name for op in ops(batch))
        assert_on_core(plan(batch.graph, schedule, kernels=kernels), "raspberry-pi-pico")

    check()
    assert "armv6m" in used


@st.composite
def depthwises(draw: st.DrawFn) -> Graph:
    """Draw a depthwise convolution of a usual width, whose rows have around three calls each."""
    height, width, depth = (
        draw(st.integers(1, 9)),
        draw(st.integers(4, 40)),
        draw(st.integers(1, 3)),
    )
    kernel = draw(st.sampled_from([1, 3, 5])), draw(st.sampled_from([3, 5, 7]))
    window = Window(kernel=kernel, stride=(draw(st.integers(1, 2)), draw(st.integers(1, 2))))
    multiplier = draw(st.sampled_from([1, 1, 2]))
    build = GraphBuilder("depthwise", draw(strategies.seeds))
    x = build.input((1, height, width, depth), quantized=(0.05, draw(strategies.zero_points)))
    build.depthwise(
        x,
        window.kernel,
        multiplier=multiplier,
        stride=window.stride,
        padding=pad_same((height, width), window),
        activation=draw(strategies.activations),
        bias=draw(st.booleans()),
        weight_scales=tuple(
            draw(st.sampled_from([0.004, 0.01, 0.03, -0.02])) for _ in range(depth * multiplier)
        ),
        quantized=(draw(st.floats(0.05, 1.0)), draw(strategies.zero_points)),
    )
    return build.graph()


def test_what_a_product_costs_on_m0plus() -> None:
    """Three instructions, a part of one for its cell, and rescaling once in 64."""
    graphs = []
    for height in (2, 10):
        build = GraphBuilder()
        x = build.input((1, height, 5, 64), quantized=(0.05, -128))
        build.conv(x, 64, (1, 1), weight_scales=(0.01,), quantized=(0.4, -128))
        graphs.append(build.graph())
    made = plan(Batch(graphs).graph, "layer", kernels=KernelSet(Isa.ARMV6M))
    small, large = instructions(made, "raspberry-pi-pico")
    assert (large - small) / (8 * 5 * 64 * 64) < 4.4
