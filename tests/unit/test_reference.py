"""The interpreter on cases small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.errors import TensorInputError
from harness.ir import DType, Graph, Tensor, TensorId
from harness.ir.ops import (
    Activation,
    Add,
    AveragePool2D,
    BinaryOp,
    MaxPool2D,
    Mul,
    Padding,
    Shape,
    Sub,
)
from harness.ir.tensor import Array
from harness.reference.interpreter import run
from tests.graphs import GraphBuilder, conv_graph

Step = Callable[[GraphBuilder, TensorId], object]


def result(step: Step, values: Array, quantized: tuple[float, int] = (0.5, 0)) -> Array:
    """Return the only output of a graph of one step on one input."""
    build = GraphBuilder()
    dtype = DType(values.dtype.name)
    step(build, build.input(values.shape, dtype, quantized if dtype is not DType.FLOAT32 else None))
    (output,) = run(build.graph(), [values])
    return output


def image(*rows: list[int]) -> Array:
    """Return ``[1, H, W, 1]`` int8."""
    return np.array(rows, np.int8)[None, :, :, None]


def test_an_average_rounds_halves_away_from_zero() -> None:
    def step(build: GraphBuilder, x: TensorId) -> object:
        return build.pool(AveragePool2D, x, (1, 2), stride=(1, 2))

    assert result(step, image([1, 2, -1, -2])).ravel().tolist() == [2, -2]


def test_padded_cells_are_not_averaged() -> None:
    def step(build: GraphBuilder, x: TensorId) -> object:
        return build.pool(AveragePool2D, x, (1, 3), stride=(1, 1), padding=Padding(left=1, right=1))

    assert result(step, image([10, 20, 30])).ravel().tolist() == [15, 20, 25]


def test_padded_cells_are_never_the_maximum() -> None:
    def step(build: GraphBuilder, x: TensorId) -> object:
        return build.pool(MaxPool2D, x, (1, 3), stride=(1, 1), padding=Padding(left=1, right=1))

    assert result(step, image([-9, -5, -7])).ravel().tolist() == [-5, -5, -5]


def test_a_softmax_is_near_the_real_one() -> None:
    values = np.array([[0, 10, 20, 30], [5, 5, 5, -128]], np.int8)
    outputs = result(lambda build, x: build.softmax(x), values, (0.1, 0))
    terms = np.exp(values * 0.1)
    expected = 256 * terms / terms.sum(axis=1, keepdims=True) - 128
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=0.6)


def test_a_softmax_over_very_many_equal_values_rounds_to_zero() -> None:
    outputs = result(lambda build, x: build.softmax(x), np.zeros((1, 1000), np.int8))
    assert set(outputs.ravel().tolist()) == {-128}


@pytest.mark.parametrize(
    ("real", "expected"),
    [(0.25, 1), (-0.25, -1), (0.24, 0), (1e30, 127), (-1e30, -128), (np.inf, 127), (np.nan, -128)],
)
def test_a_float_is_quantized_to_the_nearest_value_in_range(real: float, expected: int) -> None:
    values = np.array([real], np.float32)
    assert result(lambda build, x: build.quantize(x, (0.5, 0)), values).item() == expected


def test_dequantizing_takes_off_the_zero_point() -> None:
    values = np.array([-128, 3, 127], np.int8)
    outputs = result(lambda build, x: build.dequantize(x), values, (0.1, 3))
    expected = np.float32(0.1) * np.array([-131, 0, 124], np.float32)
    np.testing.assert_array_equal(outputs, expected, strict=True)


def test_sixteen_bit_values_become_eight_bit_values() -> None:
    values = np.array([-32768, -4, 0, 4, 32767], np.int16)
    outputs = result(lambda build, x: build.quantize(x, (1.0, 1)), values, (0.5, 0))
    assert outputs.tolist() == [-128, -1, 1, 3, 127]


def test_a_slice_may_run_backwards() -> None:
    outputs = result(
        lambda build, x: build.strided_slice(x, (0, 4), (1, -2), (1, 3)),
        np.arange(5, dtype=np.int8)[None],
    )
    assert outputs.tolist() == [[4, 2, 0]]


@pytest.mark.parametrize("dtype", [np.int8, np.float32, np.int32])
def test_moves_keep_the_element_type(dtype: type[np.generic]) -> None:
    values = np.arange(6).astype(dtype).reshape(1, 2, 3)
    outputs = result(lambda build, x: build.transpose(x, 2, 0, 1), values)
    np.testing.assert_array_equal(outputs, values.transpose(2, 0, 1), strict=True)


def test_shape_arithmetic_is_plain_and_wraps() -> None:
    build = GraphBuilder()
    x = build.input((2, 3))
    shape = build.emit(
        Shape(inputs=(x,), outputs=build.next_ids()), Tensor("shape", (2,), DType.INT32)
    )
    largest = build.constant(np.array([1, 2**31 - 1], np.int32))
    op = Add(inputs=(shape, largest), outputs=build.next_ids())
    build.emit(op, Tensor("sum", (2,), DType.INT32))
    (output,) = run(build.graph(), [np.zeros((2, 3), np.int8)])
    assert output.tolist() == [3, -(2**31) + 2]


@pytest.mark.parametrize(("kind", "expected"), [(Add, [12, -8]), (Sub, [0, 6]), (Mul, [6, 0])])
def test_shape_arithmetic_is_clamped_but_for_add(kind: type[BinaryOp], expected: list[int]) -> None:
    build = GraphBuilder()
    shape = build.shape_of(build.input((2, 2)))
    other = build.constant(np.array([10, -10], np.int32))
    build.plain_binary(kind, shape, other, activation=Activation.RELU6)
    (output,) = run(build.graph(), [np.zeros((2, 2), np.int8)])
    assert output.tolist() == expected


def faulty(graph: Graph, *inputs: Array) -> str:
    with pytest.raises(TensorInputError) as caught:
        run(graph, inputs)
    return caught.value.message


def test_wrong_inputs_are_named_with_what_the_model_takes() -> None:
    graph = conv_graph(size=(6, 5), depth=3)
    assert faulty(graph) == "conv: 0 input arrays given, the model takes 1"
    taken = "the model takes int8 [1, 6, 5, 3]"
    message = faulty(graph, np.zeros((6, 5, 3), np.int8))
    assert message == f"conv: input 0 ('x0'): found int8 [6, 5, 3], {taken}"
    message = faulty(graph, np.zeros((1, 6, 5, 3), np.uint8))
    assert message == f"conv: input 0 ('x0'): found uint8 [1, 6, 5, 3], {taken}"


def test_all_wrong_inputs_are_named_at_once() -> None:
    build = GraphBuilder()
    build.concatenation([build.input((1, 2)), build.input((1, 2))], 1)
    wrong = np.zeros((2, 1), np.int8)
    message = faulty(build.graph(), wrong, wrong)
    assert "input 0" in message
    assert "input 1" in message
