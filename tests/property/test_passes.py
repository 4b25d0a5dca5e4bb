"""Passes change what a graph costs, never what it computes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ir import Graph
from harness.ir.ops import AveragePool2D, MaxPool2D, Padding
from harness.passes.pipeline import PASSES, run_passes
from harness.reference.interpreter import run
from tests.graphs import GraphBuilder, float32, random_inputs
from tests.strategies import op_graphs, random_graphs, seeds, zero_points


def assert_same_outputs(before: Graph, after: Graph) -> None:
    inputs = random_inputs(before)
    expected, found = run(before, inputs), run(after, inputs)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_same_interface(before: Graph, after: Graph) -> None:
    for ids in ("inputs", "outputs"):
        names = [[graph.tensor(t).name for t in getattr(graph, ids)] for graph in (before, after)]
        assert names[0] == names[1]


@given(st.one_of(op_graphs(), random_graphs()))
@settings(max_examples=60)
def test_all_passes_keep_outputs_and_interface(graph: Graph) -> None:
    after = run_passes(graph)
    assert_same_interface(graph, after)
    assert_same_outputs(graph, after)


@pytest.mark.parametrize("name", [p.name for p in PASSES])
@given(graph=random_graphs())
@settings(max_examples=15)
def test_each_pass_alone_keeps_outputs(name: str, graph: Graph) -> None:
    assert_same_outputs(graph, run_passes(graph, {name}))


@st.composite
def padded_graphs(draw: st.DrawFn) -> Graph:
    """Draw PADs of any value, one or two in a row, before ops that may take them over."""
    build = GraphBuilder("padded", draw(seeds))
    zero_point = draw(zero_points)
    x = build.input(
        (1, draw(st.integers(3, 6)), draw(st.integers(3, 6)), 2), quantized=(0.05, zero_point)
    )
    amount = st.integers(0, 2)
    for _ in range(draw(st.integers(1, 2))):
        rows, columns = draw(st.tuples(amount, amount)), draw(st.tuples(amount, amount))
        x = build.pad(x, (0, 0), rows, columns, (0, draw(st.sampled_from([0, 0, 0, 1]))))
    padding = draw(st.sampled_from([None, Padding()]))
    for reader in draw(st.lists(st.integers(0, 3), min_size=1, max_size=2)):
        match reader:
            case 0:
                build.conv(x, 3, (3, 3), stride=(2, 1), padding=padding)
            case 1:
                build.depthwise(x, (3, 2), stride=(1, 2), padding=padding)
            case 2:
                build.pool(MaxPool2D, x, (2, 3), padding=padding)
            case _:
                build.pool(AveragePool2D, x, (3, 2), padding=padding)
    return build.graph()


@given(padded_graphs())
@settings(max_examples=80)
def test_folded_pads_keep_outputs(graph: Graph) -> None:
    assert_same_outputs(graph, run_passes(graph, {"drop-empty-pads", "fold-pads", "remove-dead"}))


@given(
    st.lists(st.tuples(st.floats(0.01, 0.2).map(float32), zero_points), min_size=2, max_size=4),
    st.booleans(),
)
@settings(max_examples=40)
def test_fused_scalings_keep_outputs(scalings: list[tuple[float, int]], through: bool) -> None:
    build = GraphBuilder("scalings")
    x = build.input((1, 256), quantized=scalings[0])
    for scaling in (*scalings[1:], scalings[-1]):
        x = build.quantize(build.dequantize(x) if through else x, scaling)
    graph = build.graph()
    values = [np.arange(-128, 128).astype(np.int8).reshape(1, 256)]
    after = run_passes(graph)
    np.testing.assert_array_equal(run(graph, values)[0], run(after, values)[0])
    assert len(after.ops) < len(graph.ops), "the last QUANTIZE changes nothing"
