"""Pools and means for ARMv7E-M, on an emulated Cortex-M4, equal the reference."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.ir import Graph
from harness.ir.ops import AveragePool2D, MaxPool2D
from harness.kernels import library
from harness.kernels.kernel_set import Isa, KernelSet
from harness.schedule.search import plan
from tests import strategies
from tests.graphs import GraphBuilder, float32
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches

pytestmark = pytest.mark.qemu

BOARD = "mps2-an386"
ARMV7EM = KernelSet(Isa.ARMV7EM)

few = settings(max_examples=2, phases=[Phase.generate], suppress_health_check=SLOW, deadline=None)

channels = st.integers(4, 11)


@st.composite
def pools(draw: st.DrawFn) -> Graph:
    size = draw(st.tuples(strategies.sizes, strategies.sizes))
    window = draw(strategies.windows(size, dilate=False))
    build = GraphBuilder("pool", draw(strategies.seeds))
    build.pool(
        draw(strategies.pool_kinds),
        build.input((1, *size, draw(channels)), quantized=draw(strategies.quantizations)),
        window.kernel,
        stride=window.stride,
        padding=window.padding,
        activation=draw(strategies.activations),
    )
    return build.graph()


@st.composite
def means(draw: st.DrawFn) -> Graph:
    scale, zero_point = draw(strategies.quantizations)
    build = GraphBuilder("mean", draw(strategies.seeds))
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    build.mean(
        build.input((1, height, width, draw(channels)), quantized=(scale, zero_point)),
        keep_dims=draw(st.booleans()),
        quantized=(float32(scale * draw(st.floats(0.25, 4.0))), draw(strategies.zero_points)),
    )
    return build.graph()


@given(batches(pools() | means(), 30))
@few
def test_whole_tensors(batch: Batch) -> None:
    for op in batch.graph.ops:
        assert library.variant(ARMV7EM, batch.graph, op, None).name == "armv7em"
    assert_on_core(plan(batch.graph, "layer", kernels=ARMV7EM), BOARD)


@given(batches(pools(), 1))
@settings(few, max_examples=4)
def test_rows(batch: Batch) -> None:
    assert_on_core(plan(batch.graph, "stream", kernels=ARMV7EM), BOARD)


def test_more_cells_than_16_bits_can_add() -> None:
    build = GraphBuilder()
    x = build.input((1, 31, 29, 6), quantized=(0.02, -128))
    x = build.pool(MaxPool2D, x, (5, 5), stride=(1, 1))  # leaves hardly anything below 100
    build.pool(AveragePool2D, x, (31, 29), stride=(1, 1))
    build.mean(x)
    assert_on_core(plan(Batch([build.graph()]).graph, "layer", kernels=ARMV7EM), BOARD)
