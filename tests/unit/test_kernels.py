"""What the kernel library says of ops: in place, scratch, aliases, and the calls themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from harness.errors import UnsupportedModelError
from harness.ir import DType, TensorId
from harness.ir.ops import Add, Padding, Shape
from harness.kernels.axes import Axis, contiguous_steps, joined, padded
from harness.kernels.call import Constant
from harness.kernels.kernel_set import PORTABLE
from harness.kernels.library import calls, inplace_operands, is_alias, scratch_bytes
from tests.graphs import GraphBuilder


def operands(build: GraphBuilder) -> tuple[int, ...]:
    graph = build.graph()
    return inplace_operands(PORTABLE, graph, graph.ops[-1])


def test_a_depthwise_keeps_one_channel_of_the_rows_it_spans() -> None:
    build = GraphBuilder()
    build.depthwise(build.input((1, 48, 48, 8)))
    graph = build.graph()
    assert inplace_operands(PORTABLE, graph, graph.ops[0]) == (0,)
    assert scratch_bytes(PORTABLE, graph, graph.ops[0], 0) == 3 * 50
    assert scratch_bytes(PORTABLE, graph, graph.ops[0], None) == 0


@pytest.mark.parametrize(
    ("multiplier", "padding", "may"),
    [(1, None, True), (2, None, False), (1, Padding(3, 3, 3, 3), False), (1, Padding(), True)],
)
def test_a_depthwise_may_not_grow(multiplier: int, padding: Padding | None, may: bool) -> None:
    build = GraphBuilder()
    build.depthwise(build.input((1, 8, 8, 4)), multiplier=multiplier, padding=padding)
    assert operands(build) == ((0,) if may else ())


def test_a_row_may_not_be_written_over_one_that_is_still_to_be_read() -> None:
    # Two rows of four become eight rows of one: the output is as large, and outruns the input.
    build = GraphBuilder()
    build.depthwise(build.input((1, 2, 4, 1)), (1, 4), padding=Padding(6, 0, 0, 0))
    assert operands(build) == ()


@pytest.mark.parametrize(
    ("shape", "expected"), [((1, 4, 4, 2), (0, 1)), ((1, 1, 1, 2), (0,)), ((2,), (0,))]
)
def test_an_addition_may_take_an_operand_of_its_shape(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    build = GraphBuilder()
    build.binary(Add, build.input((1, 4, 4, 2)), build.input(shape))
    assert operands(build) == expected


def test_an_addition_may_not_take_a_constant() -> None:
    build = GraphBuilder()
    x = build.input((1, 4))
    build.binary(Add, x, build.constant(np.ones((1, 4), np.int8), (0.1, 0)))
    assert operands(build) == (0,)


def test_a_quantize_is_in_place_only_at_the_same_width() -> None:
    build = GraphBuilder()
    build.quantize(build.input((4,), DType.UINT8), (0.1, 0))
    assert operands(build) == (0,)
    build.dequantize(build.input((4,)))
    assert operands(build) == ()


def aliases(build: GraphBuilder) -> bool:
    graph = build.graph()
    return is_alias(graph, graph.ops[-1])


MOVES: list[tuple[Callable[[GraphBuilder, TensorId], object], bool]] = [
    (lambda build, x: build.reshape(x, 1, -1), True),
    (lambda build, x: build.transpose(x, 0, 1, 3, 2), True),
    (lambda build, x: build.transpose(x, 0, 2, 1, 3), False),
    (lambda build, x: build.concatenation([x]), True),
    (lambda build, x: build.concatenation([x, x]), False),
    (lambda build, x: build.pad(x, (0, 0), (0, 0), (0, 0), (0, 0)), True),
    (lambda build, x: build.pad(x, (0, 0), (0, 0), (0, 0), (0, 1)), False),
    (lambda build, x: build.softmax(x), False),
]


@pytest.mark.parametrize(("move", "expected"), MOVES)
def test_what_moves_no_byte_is_an_alias(
    move: Callable[[GraphBuilder, TensorId], object], expected: bool
) -> None:
    build = GraphBuilder()
    move(build, build.input((1, 4, 3, 1)))
    assert aliases(build) is expected


def test_a_constant_has_no_bytes_to_alias() -> None:
    build = GraphBuilder()
    build.reshape(build.constant(np.zeros((2, 2), np.int8), (1.0, 0)), 4)
    assert not aliases(build)


def walk(axes: Sequence[Axis]) -> list[tuple[int, int]]:
    """Return the offsets that a loop nest visits in both tensors."""
    offsets = [(0, 0)]
    for axis in axes:
        offsets = [
            (x + i * axis.x_step, y + i * axis.y_step)
            for x, y in offsets
            for i in range(axis.length)
        ]
    return offsets


@pytest.mark.parametrize("steps", [(12, 4, 1), (12, 0, 1), (1, 3, 6), (24, 4, 2)])
def test_joined_axes_walk_the_same_way(steps: tuple[int, ...]) -> None:
    shape = (2, 3, 4)
    axes = [Axis(*axis) for axis in zip(shape, steps, contiguous_steps(shape), strict=True)]
    assert walk(joined(axes)) == walk(axes)
    assert walk(padded(joined(axes), 5)) == walk(axes)


def test_contiguous_axes_become_one() -> None:
    steps = contiguous_steps((2, 3, 4))
    assert steps == (12, 4, 1)
    axes = [Axis(length, step, step) for length, step in zip((2, 3, 4), steps, strict=True)]
    assert joined(axes) == (Axis(24, 1, 1),)


def test_too_many_axes_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"walked along 3 axes .* loop over 2"):
        padded([Axis(2, 1, 2)] * 3, 2)


def test_the_zero_point_is_folded_into_the_bias() -> None:
    build = GraphBuilder()
    build.fully_connected(build.input((1, 6), quantized=(0.1, 5)), 2)
    graph = build.graph()
    (call,) = calls(PORTABLE, graph, graph.ops[0], None)
    channels = call.parameters["channels"]
    assert isinstance(channels, dict)
    bias = channels["bias"]
    assert isinstance(bias, Constant)
    _, weights, given = (graph.tensor(t).data for t in graph.ops[0].inputs)
    assert weights is not None
    assert given is not None
    expected = [int(b) - 5 * sum(map(int, row)) for b, row in zip(given, weights, strict=True)]
    assert bias.data.tolist() == expected


def test_a_shape_op_has_no_kernel() -> None:
    build = GraphBuilder()
    x = build.input((1, 6))
    op = Shape(inputs=(x,), outputs=build.next_ids(), index=3)
    build.emit(op, build.output("shape", (2,), None, DType.INT32))
    with pytest.raises(UnsupportedModelError, match="not computed on the board"):
        calls(PORTABLE, build.graph(), op, None)
