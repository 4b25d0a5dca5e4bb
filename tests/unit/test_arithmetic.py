"""Prepared parameters: the numbers that TensorFlow Lite Micro would prepare."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.arithmetic import (
    Multiplier,
    activation_range,
    prepare_add,
    prepare_conv,
    prepare_fully_connected,
    prepare_mean,
    prepare_resize,
    prepare_softmax,
    quantize_multiplier,
    table,
)
from harness.arithmetic.fixed_point import one_over_one_plus
from harness.arithmetic.lookup import TableOp
from harness.errors import UnsupportedModelError
from harness.ir import DType, Graph
from harness.ir.ops import (
    Activation,
    Add,
    BinaryOp,
    Conv2D,
    FullyConnected,
    Mean,
    ResizeNearestNeighbor,
    Softmax,
    Sub,
)
from tests.graphs import GraphBuilder, Quantized, float32


@pytest.mark.parametrize(
    ("real", "multiplier", "shift"),
    [
        (0.5, 1 << 30, 0),
        (1.0, 1 << 30, 1),
        (-0.75, -3 << 29, 0),
        (0.0, 0, 0),
        (1 - 2.0**-40, 1 << 30, 1),
        (2.0**-32, 1 << 30, -31),
        (2.0**-33, 0, 0),
    ],
)
def test_a_factor_is_a_multiplier_and_a_shift(real: float, multiplier: int, shift: int) -> None:
    assert quantize_multiplier(real) == Multiplier(multiplier, shift)


def test_a_factor_that_would_shift_all_bits_out_is_refused() -> None:
    with pytest.raises(
        UnsupportedModelError, match=r"conv: a factor of 1.07e\+09 .* reaches 2\^30"
    ):
        quantize_multiplier(2.0**30, where="conv")


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (Activation.NONE, (-128, 127)),
        (Activation.RELU, (-20, 127)),
        (Activation.RELU6, (-20, 40)),
        (Activation.RELU_N1_TO_1, (-30, -10)),
    ],
)
def test_activations_clamp_around_the_zero_point(
    activation: Activation, expected: tuple[int, int]
) -> None:
    assert activation_range(activation, 0.1, -20, DType.INT8) == expected


def test_activation_bounds_are_divided_in_float32() -> None:
    assert 6 / float32(0.8) < 7.5
    assert activation_range(Activation.RELU6, float32(0.8), 0, DType.INT8) == (0, 8)


def test_activation_bounds_far_outside_the_type_do_not_overflow() -> None:
    assert activation_range(Activation.RELU6, 1e-44, 0, DType.INT8) == (0, 127)


def test_a_convolution_has_one_multiplier_for_each_channel() -> None:
    build = GraphBuilder()
    build.conv(
        build.input((1, 4, 4, 2), quantized=(0.5, 3)),
        2,
        weight_scales=(0.25, -0.125),
        quantized=(1.0, -7),
    )
    graph = build.graph()
    op = graph.ops[0]
    assert isinstance(op, Conv2D)
    parameters = prepare_conv(graph, op)
    assert [m.real for m in parameters.multipliers] == [0.125, -0.0625]
    assert (parameters.input_offset, parameters.output_offset) == (-3, -7)
    assert parameters.uniform is None


def dense(weight_scales: tuple[float, ...]) -> list[Multiplier]:
    build = GraphBuilder()
    build.fully_connected(
        build.input((1, 4), quantized=(0.1, 0)), 2, weight_scales=weight_scales, quantized=(0.3, 0)
    )
    graph = build.graph()
    op = graph.ops[0]
    assert isinstance(op, FullyConnected)
    return list(prepare_fully_connected(graph, op).multipliers)


def test_a_fully_connected_op_rounds_the_product_of_two_scales_to_float32() -> None:
    x, w, y = float32(0.1), float32(0.7), float32(0.3)
    assert dense((0.7,)) == [quantize_multiplier(float32(x * w) / y)] * 2
    assert dense((0.7, 0.7)) == [quantize_multiplier(x * w / y)] * 2
    assert dense((0.7,)) != dense((0.7, 0.7))


def binary(
    kind: type[BinaryOp], a: Quantized, b: Quantized, y: Quantized
) -> tuple[Graph, BinaryOp]:
    build = GraphBuilder()
    build.binary(kind, build.input((1,), quantized=a), build.input((1,), quantized=b), quantized=y)
    graph = build.graph()
    op = graph.ops[0]
    assert isinstance(op, BinaryOp)
    return graph, op


def test_addition_prepares_in_float64_and_subtraction_in_float32() -> None:
    scales = (0.3, 0), (0.7, 0), (0.9, 0)
    graph, add = binary(Add, *scales)
    assert isinstance(add, Add)
    ratio = float32(0.3) / (2 * float32(0.7))
    assert prepare_add(graph, add).multipliers[0] == quantize_multiplier(ratio)
    graph, sub = binary(Sub, *scales)
    assert isinstance(sub, Sub)
    assert prepare_add(graph, sub).multipliers[0] == quantize_multiplier(float32(ratio))
    assert float32(ratio) != ratio


def test_an_addition_to_a_much_finer_output_is_refused() -> None:
    graph, op = binary(Add, (1.0, 0), (1.0, 0), (2.0**-20, 0))
    assert isinstance(op, Add)
    with pytest.raises(UnsupportedModelError, match="finer than"):
        prepare_add(graph, op)


def test_a_mean_divides_by_the_count_in_its_multiplier() -> None:
    build = GraphBuilder()
    build.mean(build.input((1, 7, 7, 3), quantized=(0.5, -4)), quantized=(0.25, 9))
    graph = build.graph()
    op = graph.ops[0]
    assert isinstance(op, Mean)
    parameters = prepare_mean(graph, op)
    assert parameters.count == 49
    assert parameters.sum_offset == 49 * 4
    assert parameters.factor.real == pytest.approx(2 / 49, rel=1e-8)


def test_a_mean_keeps_its_shift_in_range_at_the_price_of_precision() -> None:
    build = GraphBuilder()
    build.mean(build.input((1, 8, 8, 1), quantized=(2.0**-30, 0)), quantized=(1.0, 0))
    graph = build.graph()
    op = graph.ops[0]
    assert isinstance(op, Mean)
    assert prepare_mean(graph, op).factor == Multiplier(1 << 26, -31)


def softmax(width: int, scale: float) -> tuple[Graph, Softmax]:
    build = GraphBuilder()
    build.softmax(build.input((1, width), quantized=(scale, 0)))
    graph = build.graph()
    op = graph.ops[0]
    assert isinstance(op, Softmax)
    return graph, op


def test_exponentials_of_a_softmax_are_those_of_its_differences() -> None:
    step = float32(0.1)
    parameters = prepare_softmax(*softmax(4, step))
    for difference, exponential in enumerate(parameters.exponentials):
        assert exponential / 2**31 == pytest.approx(math.exp(-step * difference), abs=2e-7)


@pytest.mark.parametrize(("scale", "radius"), [(0.99, 31), (1.0, 15), (8.0, 1), (32.0, 0)])
def test_exponentials_end_where_differences_would_overflow(scale: float, radius: int) -> None:
    parameters = prepare_softmax(*softmax(4, scale))
    assert parameters.difference_min == -radius
    assert len(parameters.exponentials) == radius + 1


def test_a_softmax_multiplier_that_rounds_up_to_one_is_halved() -> None:
    graph, op = softmax(4, 1 - 2.0**-23)
    parameters = prepare_softmax(graph, replace(op, beta=1 + 2.0**-23))
    assert parameters.multiplier == Multiplier(1 << 30, 27)


def test_a_reciprocal_is_good_to_eight_digits() -> None:
    values = np.linspace(0, 2**31 - 1, 1000).astype(np.int64)
    reals = 1 / (1 + values / 2**31)
    assert np.abs(one_over_one_plus(values) / 2**31 - reals).max() < 1e-8


def test_a_softmax_whose_sum_could_overflow_is_refused() -> None:
    prepare_softmax(*softmax(4095, 0.1))
    with pytest.raises(UnsupportedModelError, match="4096 elements, at most 4095"):
        prepare_softmax(*softmax(4096, 0.1))


def lookup(build: GraphBuilder) -> tuple[int, ...]:
    graph = build.graph()
    op = graph.ops[0]
    assert isinstance(op, TableOp)
    return table(graph, op)


@pytest.mark.parametrize("scale", [0.001, 0.05, 0.11, 1.0])
def test_tables_follow_the_real_functions(scale: float) -> None:
    reals = [float32(scale) * (q - 5) for q in range(-128, 128)]
    build = GraphBuilder()
    build.logistic(build.input((1,), quantized=(scale, 5)))
    for real, q in zip(reals, lookup(build), strict=True):
        assert q == pytest.approx(min(256 / (1 + math.exp(-real)) - 128, 127), abs=0.51)
    build = GraphBuilder()
    build.tanh(build.input((1,), quantized=(scale, 5)))
    for real, q in zip(reals, lookup(build), strict=True):
        assert q == pytest.approx(min(128 * math.tanh(real), 127), abs=0.51)


def test_a_table_saturates_where_the_scaled_input_would_overflow() -> None:
    build = GraphBuilder()
    build.logistic(build.input((1,), quantized=(2.0, 0)))
    assert lookup(build)[125:132] == (-128, -123, -97, 0, 97, 123, 127)


def test_a_table_from_int8_to_uint8_is_ordered_by_value() -> None:
    build = GraphBuilder()
    build.quantize(build.input((1,), quantized=(0.5, 0)), (0.5, 128), DType.UINT8)
    assert lookup(build) == tuple(range(256))


@pytest.mark.parametrize(
    ("size", "out_size", "options", "expected"),
    [
        (2, 4, {}, (0, 0, 1, 1)),
        (3, 2, {"align_corners": True}, (0, 2)),
        (4, 2, {"half_pixel_centers": True}, (1, 3)),
        (3, 1, {"align_corners": True}, (0,)),
        (3, 3, {"align_corners": True, "half_pixel_centers": True}, (1, 2, 2)),
    ],
)
def test_a_resize_takes_the_nearest_rows(
    size: int, out_size: int, options: dict[str, bool], expected: tuple[int, ...]
) -> None:
    build = GraphBuilder()
    build.resize(build.input((1, size, 1, 1)), out_size, 1, **options)
    graph = build.graph()
    op = graph.ops[0]
    assert isinstance(op, ResizeNearestNeighbor)
    parameters = prepare_resize(graph, op)
    assert parameters.rows == expected
    assert parameters.columns == (0,)
