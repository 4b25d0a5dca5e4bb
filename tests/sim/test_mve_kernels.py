"""Kernels for MVE, on an emulated Cortex-M55, equal the reference for drawn shapes."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.ir import Graph
from harness.ir.ops import Padding
from harness.kernels import library
from harness.kernels.kernel_set import Isa, KernelSet
from harness.schedule.search import plan
from tests import strategies
from tests.graphs import GraphBuilder
from tests.host_c import plans
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches

pytestmark = pytest.mark.qemu

BOARD = "mps3-an547"
MVE = KernelSet(Isa.MVE)

few = settings(max_examples=2, phases=[Phase.generate], suppress_health_check=SLOW, deadline=None)


@st.composite
def convs(draw: st.DrawFn) -> Graph:
    """Draw a convolution that shifts to the right, with channels around multiples of vectors."""
    height, width, depth, channels = (draw(st.integers(1, n)) for n in (6, 7, 70, 18))
    depth = draw(st.sampled_from([depth, 1, 3, 16, 32]))
    window = draw(st.just(None) | plans.windows((height, width)))
    build = GraphBuilder("conv", draw(strategies.seeds))
    x = build.input((1, height, width, depth), quantized=(0.05, draw(strategies.zero_points)))
    build.conv(
        x,
        channels,
        window.kernel if window else (1, 1),
        stride=window.stride if window else draw(st.sampled_from([(1, 1), (2, 2), (1, 2)])),
        dilation=window.dilation if window else (1, 1),
        padding=window.padding if window else Padding(),
        activation=draw(strategies.activations),
        bias=draw(st.booleans()),
        weight_scales=draw(small_scales(channels)),
        quantized=(draw(st.floats(0.05, 3.0)), draw(strategies.zero_points)),
    )
    return build.graph()


def small_scales(channels: int) -> st.SearchStrategy[tuple[float, ...]]:
    """Draw scales of weights, some negative, whose factors are below 1/2."""
    scale = st.floats(1e-6, 0.02).flatmap(lambda x: st.sampled_from([x, x, -x]))
    return st.just((0.01,)) | st.tuples(*[scale] * channels)


@st.composite
def dense(draw: st.DrawFn) -> Graph:
    channels = draw(st.integers(1, 21))
    build = GraphBuilder("dense", draw(strategies.seeds))
    x = build.input((draw(st.integers(1, 3)), draw(st.integers(1, 90))), quantized=(0.05, -7))
    build.fully_connected(
        x, channels, activation=draw(strategies.activations), bias=draw(st.booleans())
    )
    return build.graph()


def assert_uses_mve(graph: Graph) -> None:
    assert all(library.variant(MVE, graph, op, None).name == "mve" for op in graph.ops)


@pytest.mark.parametrize("graphs", [convs(), dense()], ids=["conv", "dense"])
def test_whole_ops(graphs: st.SearchStrategy[Graph]) -> None:
    @given(batches(graphs, 24))
    @few
    def check(batch: Batch) -> None:
        assert_uses_mve(batch.graph)
        assert_on_core(plan(batch.graph, "layer", kernels=MVE), BOARD)

    check()


@given(batches(strategies.conv_graphs() | strategies.fully_connected_graphs(), 24))
@few
def test_quantization_at_the_extremes(batch: Batch) -> None:
    assert_on_core(plan(batch.graph, "layer", kernels=MVE), BOARD)
