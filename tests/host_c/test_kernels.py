"""Generated C equals the reference bit for bit, for every op, with sanitizers on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.ir import DType, Graph, TensorId
from harness.ir.ops import Add
from harness.reference.interpreter import interpret
from tests import strategies
from tests.graphs import GraphBuilder, chain_graph, random_inputs, residual_graph
from tests.host_c import native

pytestmark = pytest.mark.host_c

BUILDS = 3
"""Of which the first has the simplest graphs there are."""


@st.composite
def end_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph that goes from one element type to another."""
    build = GraphBuilder("ends", draw(strategies.seeds))
    length = draw(st.integers(1, 9))
    quantized = draw(strategies.quantizations)
    match draw(st.integers(0, 5)):
        case 0:
            x = build.input((2, length), DType.FLOAT32, None)
            build.quantize(x, quantized)
        case 1:
            x = build.input((2, length), DType.FLOAT32, None)
            build.quantize(build.transpose(x, 1, 0), (0.001, 0), DType.INT16)
        case 2:
            x = build.input((length,), DType.UINT8, (quantized[0], quantized[1] + 128))
            build.quantize(x, quantized)
        case 3:
            x = build.input((length,), DType.INT16, (quantized[0] / 256, 0))
            build.dequantize(build.quantize(x, quantized))
        case 4:
            x = build.input((length,), quantized=quantized)
            build.quantize(x, (quantized[0] / 200, 0), DType.INT16)
        case _:
            build.dequantize(build.input((length, 3), quantized=quantized))
    return build.graph()


FAMILIES: dict[str, st.SearchStrategy[Graph]] = {
    "conv": strategies.conv_graphs(),
    "depthwise": strategies.depthwise_graphs(),
    "fully_connected": strategies.fully_connected_graphs(),
    "binary": strategies.binary_graphs(),
    "pool": strategies.pool_graphs(),
    "mean": strategies.mean_graphs(),
    "pointwise": strategies.pointwise_graphs(),
    "move": strategies.move_graphs(),
    "resize": strategies.resize_graphs(),
    "end": end_graphs(),
    "network": strategies.random_graphs(max_ops=6),
}


class Batch:
    """Graphs to build as one; hypothesis would print all their weights."""

    def __init__(self, graphs: list[Graph]) -> None:
        self.graph = native.union(graphs)

    def __repr__(self) -> str:
        return f"<{len(self.graph.ops)} ops>"


def batches(graphs: st.SearchStrategy[Graph], size: int) -> st.SearchStrategy[Batch]:
    """Draw several graphs at a time."""
    return st.lists(graphs, min_size=size, max_size=size).map(Batch)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_op_equals_the_reference(family: str) -> None:
    @given(batches(FAMILIES[family], 4 if family == "network" else 16))
    @settings(
        max_examples=BUILDS,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def check(batch: Batch) -> None:
        for schedule in ("layer", "inplace"):
            assert_equals_reference(batch.graph, schedule)

    check()


@pytest.mark.parametrize("make", [GraphBuilder.conv, GraphBuilder.depthwise])
def test_windows_may_be_larger_than_the_tensor(make: Callable[..., TensorId]) -> None:
    graphs = []
    for size, kernel, stride, dilation in product((1, 2, 3, 5), (2, 3, 5), (1, 3), (1, 2)):
        build = GraphBuilder()
        x = build.input((1, size, 6 - size, 3))
        last = {"channels": 3} if make is GraphBuilder.conv else {}
        make(
            build,
            x,
            **last,
            kernel=(kernel, 6 - kernel),
            stride=(stride, 4 - stride),
            dilation=(dilation, 3 - dilation),
        )
        graphs.append(build.graph())
    for schedule in ("layer", "inplace"):
        assert_equals_reference(native.union(graphs), schedule)


@pytest.mark.parametrize("schedule", ["layer", "inplace"])
def test_a_network_equals_the_reference(schedule: str) -> None:
    assert_equals_reference(native.union([chain_graph(), residual_graph()]), schedule)


def odd_graphs() -> Iterator[Graph]:
    """Yield graphs whose inputs and outputs are what one does not expect."""
    build = GraphBuilder()
    yield build.graph(build.input((1, 4)))
    build = GraphBuilder()
    build.input((1, 3))
    x = build.input((1, 4))
    y = build.tanh(x)
    z = build.logistic(y)
    constant = build.constant(np.array([[7, 8]], np.int8), build.quantized(x))
    yield build.graph(x, y, z, z, constant)
    build = GraphBuilder()
    x = build.input((1, 4))
    constant = build.constant(np.array([[7, 8]], np.int8), build.quantized(x))
    yield build.graph(build.concatenation([x, constant, x, constant], 1))
    build = GraphBuilder()
    yield build.graph(build.reshape(build.input((1, 4)), 4))
    build = GraphBuilder()
    first, _ = build.split(build.input((1, 2, 3, 4)), 3, 2)
    yield build.graph(first)
    build = GraphBuilder()
    x = build.input((1, 2, 3))
    yield build.graph(build.binary(Add, x, x))


@pytest.mark.parametrize("schedule", ["layer", "inplace"])
def test_odd_inputs_and_outputs_are_served(schedule: str) -> None:
    assert_equals_reference(native.union(list(odd_graphs())), schedule)


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
def test_no_call_is_optimised_away(level: str, tmp_path: Path) -> None:
    # GCC 12 drops calls of functions whose stores it computes from the addresses of loads.
    build = GraphBuilder()
    build.dequantize(build.input((1, 360)))
    graph = build.graph()
    program = native.build(graph, "layer", tmp_path, [level])
    inputs = random_inputs(graph)
    ((output,),) = native.run(program, graph, inputs)
    np.testing.assert_array_equal(output, interpret(graph, inputs)[graph.outputs[0]])


def assert_equals_reference(graph: Graph, schedule: str) -> None:
    samples = [random_inputs(graph, seed) for seed in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        program = native.build(graph, schedule, Path(folder))
        results = native.run(program, graph, *samples)
    for inputs, outputs in zip(samples, results, strict=True):
        values = interpret(graph, inputs)
        for tensor_id, output in zip(graph.outputs, outputs, strict=True):
            producer = graph.producers().get(tensor_id)
            where = "" if producer is None else repr(graph.ops[producer])
            np.testing.assert_array_equal(output, values[tensor_id], err_msg=f"{schedule}: {where}")
