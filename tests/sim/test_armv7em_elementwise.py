"""Element-wise kernels for ARMv7E-M, on an emulated Cortex-M4, equal the reference."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.ir import Graph
from harness.ir.ops import Activation, Add, BinaryOp, Mul, Sub
from harness.kernels import library
from harness.kernels.kernel_set import Isa, KernelSet
from harness.schedule.search import plan
from tests import strategies
from tests.graphs import GraphBuilder
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches, instructions

pytestmark = pytest.mark.qemu

BOARD = "mps2-an386"
ARMV7EM = KernelSet(Isa.ARMV7EM)

few = settings(max_examples=2, phases=[Phase.generate], suppress_health_check=SLOW, deadline=None)


usual = st.tuples(st.floats(0.02, 0.1), strategies.zero_points)
"""Quantizations of one order, so that few results are saturated."""


@st.composite
def long_runs(draw: st.DrawFn) -> Graph:
    """Draw an op on runs of all lengths around words, some with an operand that is broadcast."""
    shape = (1, draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(8, 37)))
    other = draw(st.sampled_from([shape, shape, (1, 1, 1, shape[3])]))
    build = GraphBuilder("binary", draw(strategies.seeds))
    a = build.input(shape, quantized=draw(usual))
    b = build.input(other, quantized=draw(usual))
    build.binary(
        draw(strategies.binary_kinds),
        *draw(st.permutations([a, b])),
        activation=draw(st.sampled_from([Activation.NONE, Activation.NONE, Activation.RELU])),
        quantized=draw(usual),
    )
    return build.graph()


@pytest.mark.parametrize("schedule", ["layer", "inplace", "stream"])
def test_whole_ops_and_rows(schedule: str) -> None:
    @given(batches(long_runs() | strategies.binary_graphs(), 32))
    @few
    def check(batch: Batch) -> None:
        names = [library.variant(ARMV7EM, batch.graph, op, None).name for op in batch.graph.ops]
        assert names.count("armv7em") > 3
        assert_on_core(plan(batch.graph, schedule, kernels=ARMV7EM), BOARD)

    check()


def network(kind: type[BinaryOp], size: int) -> Graph:
    """Return a graph with an operand of its own at each place, as a residual block has it."""
    build = GraphBuilder()
    shape = (1, 4, size, 8)
    inputs = build.input(shape, quantized=(0.1, 3)), build.input(shape, quantized=(0.07, -9))
    build.binary(kind, *inputs, quantized=(0.13, -5))
    return build.graph()


@pytest.mark.parametrize(("kind", "most"), [(Add, 5.8), (Sub, 5.8), (Mul, 8.0)])
def test_what_an_element_costs(kind: type[BinaryOp], most: float) -> None:
    graphs = [network(kind, size) for size in (8, 40)]
    small, large = instructions(plan(Batch(graphs).graph, "layer", kernels=ARMV7EM), BOARD)
    assert (large - small) / (4 * 32 * 8) < most
