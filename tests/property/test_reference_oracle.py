"""The reference equals an oracle that computes one number at a time from the definitions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arithmetic import fixed_point, quantize_multiplier
from harness.arithmetic.multiplier import Multiplier
from harness.ir import Graph
from harness.ir.ops import (
    AveragePool2D,
    BinaryOp,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
)
from harness.reference.interpreter import interpret, run
from tests import oracle
from tests.graphs import random_inputs
from tests.strategies import (
    binary_graphs,
    conv_graphs,
    depthwise_graphs,
    fully_connected_graphs,
    pool_graphs,
    random_graphs,
    seeds,
)

int32s = st.integers(-(2**31), 2**31 - 1) | st.sampled_from(
    [-(2**31), 1 - 2**31, 2**31 - 1, -(2**30), 2**30, -1, 0, 1]
)
multipliers = st.builds(Multiplier, int32s, st.integers(-31, 30))


def raw(*values: int) -> fixed_point.Raw:
    return np.array(values, np.int64)


@given(int32s, int32s)
def test_a_high_product_is_the_one_of_gemmlowp(a: int, b: int) -> None:
    assert fixed_point.high_mul(raw(a), b) == oracle.doubling_high_mul(a, b)


@given(int32s, st.integers(0, 31))
def test_a_rounding_shift_is_the_one_of_gemmlowp(x: int, bits: int) -> None:
    assert fixed_point.rounding_shift_right(raw(x), bits) == oracle.divide_by_pot(x, bits)


@given(st.lists(st.tuples(int32s, multipliers), min_size=1, max_size=5))
def test_rescaling_rounds_twice_and_wraps_to_the_left(pairs: list[tuple[int, Multiplier]]) -> None:
    expected = [oracle.rescaled(x, m.multiplier, m.shift) for x, m in pairs]
    values, factors = zip(*pairs, strict=True)
    assert fixed_point.rescale_channels(raw(*values), factors).tolist() == expected
    assert [fixed_point.rescale(raw(x), m).item() for x, m in pairs] == expected


@given(st.floats(2.0**-40, 2.0**29) | st.floats(-(2.0**29), -(2.0**-40)))
def test_a_factor_becomes_the_multiplier_of_the_definition(real: float) -> None:
    found = quantize_multiplier(real)
    assert (found.multiplier, found.shift) == oracle.fixed_point(Fraction(real))


def assert_equals_oracle(graph: Graph, seed: int, one: Any) -> None:
    """Compare each output element with ``one(graph, op, y, x, channel, input)``."""
    (op,) = graph.ops
    (value,) = random_inputs(graph, seed)
    (found,) = run(graph, [value])
    for (_, y, x, channel), element in np.ndenumerate(found):
        assert element == one(graph, op, y, x, channel, value)


@settings(max_examples=60)
@given(conv_graphs(), seeds)
def test_convolution(graph: Graph, seed: int) -> None:
    assert isinstance(graph.ops[0], Conv2D)
    assert_equals_oracle(graph, seed, oracle.convolution)


@settings(max_examples=60)
@given(depthwise_graphs(), seeds)
def test_depthwise_convolution(graph: Graph, seed: int) -> None:
    assert isinstance(graph.ops[0], DepthwiseConv2D)
    assert_equals_oracle(graph, seed, oracle.convolution)


@settings(max_examples=60)
@given(pool_graphs(), seeds)
def test_pools(graph: Graph, seed: int) -> None:
    assert isinstance(graph.ops[0], AveragePool2D | MaxPool2D)
    assert_equals_oracle(graph, seed, oracle.pool)


@settings(max_examples=60)
@given(fully_connected_graphs(), seeds)
def test_fully_connected(graph: Graph, seed: int) -> None:
    (op,) = graph.ops
    assert isinstance(op, FullyConnected)
    (value,) = random_inputs(graph, seed)
    (found,) = run(graph, [value])
    for (row, channel), element in np.ndenumerate(found):
        assert element == oracle.dense(graph, op, row, channel, value)


@settings(max_examples=60)
@given(binary_graphs(), seeds)
def test_binary(graph: Graph, seed: int) -> None:
    (op,) = graph.ops
    assert isinstance(op, BinaryOp)
    values = interpret(graph, random_inputs(graph, seed))
    a, b = np.broadcast_arrays(*(values[t] for t in op.inputs))
    for index, element in np.ndenumerate(values[op.outputs[0]]):
        assert element == oracle.binary(graph, op, int(a[index]), int(b[index]))


@given(random_graphs(), seeds)
def test_every_tensor_has_the_type_and_shape_of_the_graph(graph: Graph, seed: int) -> None:
    for tensor_id, value in interpret(graph, random_inputs(graph, seed)).items():
        tensor = graph.tensor(tensor_id)
        assert (value.shape, value.dtype) == (tensor.shape, tensor.dtype.numpy)
