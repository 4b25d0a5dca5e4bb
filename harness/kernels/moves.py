"""Calls for ops that only move elements: each is one walk, or one for each part."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from harness.arithmetic import prepare_resize
from harness.ir import Graph, Tensor
from harness.ir.ops import (
    Concatenation,
    Pack,
    Pad,
    Reshape,
    ResizeNearestNeighbor,
    Split,
    StridedSlice,
    Transpose,
    Unpack,
)
from harness.kernels.axes import Axis, contiguous_steps, joined, padded
from harness.kernels.call import Call, Constant, Fields, Operand, Role, RowCall, X, Y

_AXES = 5
"""``MOVE_AXES``."""


def reshape(graph: Graph, op: Reshape) -> tuple[Call, ...]:
    """Return the call that copies a tensor as it is."""
    return (_move(1, [Axis(graph.tensor(op.inputs[0]).size_bytes, 1, 1)]),)


def transpose(graph: Graph, op: Transpose) -> tuple[Call, ...]:
    """Return a walk in the output's order."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    x_steps = _byte_steps(x)
    axes = zip(y.shape, (x_steps[axis] for axis in op.perm), _byte_steps(y), strict=True)
    return (_move(x.dtype.itemsize, (Axis(*axis) for axis in axes)),)


def strided_slice(graph: Graph, op: StridedSlice) -> tuple[Call, ...]:
    """Return a walk over the elements taken; a negative stride walks backwards."""
    x = graph.tensor(op.inputs[0])
    size = x.dtype.itemsize
    x_steps = _byte_steps(x)
    first = sum(begin * step for begin, step in zip(op.begin, x_steps, strict=True))
    axes = [
        Axis(length, stride * x_step, y_step)
        for length, stride, x_step, y_step in zip(
            op.lengths, op.strides, x_steps, contiguous_steps(op.lengths, size), strict=True
        )
    ]
    return (_move(size, axes, Operand(Role.INPUT, 0, first)),)


def pad(graph: Graph, op: Pad) -> tuple[Call, ...]:
    """Return two calls: fill the output with the value, then copy the input into its middle."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    value = np.array(op.value).astype(y.dtype.numpy).tobytes()
    filling: Fields = {
        "size": y.size_bytes,
        "element_bytes": len(value),
        "element": tuple(value),
    }
    y_steps = _byte_steps(y)
    first = sum(before * step for (before, _), step in zip(op.paddings, y_steps, strict=True))
    axes = (Axis(*axis) for axis in zip(x.shape, _byte_steps(x), y_steps, strict=True))
    return (
        Call("move.h", "fill", "fill_t", filling, (Y,), "uint8_t"),
        _move(x.dtype.itemsize, axes, X, Operand(Role.OUTPUT, 0, first)),
    )


def join(graph: Graph, op: Concatenation | Pack) -> tuple[Call, ...]:
    """Return one call for each input, which places its runs side by side in the output."""
    whole = graph.tensor(op.outputs[0])
    parts = [graph.tensor(t) for t in op.inputs]
    runs = _runs(whole, op.axis, parts)
    first, calls = 0, []
    for position, (part, run) in enumerate(zip(parts, runs, strict=True)):
        axes = [Axis(part.size_bytes // run, run, sum(runs)), Axis(run, 1, 1)]
        source, place = Operand(Role.INPUT, position), Operand(Role.OUTPUT, 0, first)
        calls.append(_move(1, axes, source, place))
        first += run
    return tuple(calls)


def cut(graph: Graph, op: Split | Unpack) -> tuple[Call, ...]:
    """Return one call for each output, which gathers its runs from the input."""
    whole = graph.tensor(op.inputs[0])
    parts = [graph.tensor(t) for t in op.outputs]
    runs = _runs(whole, op.axis, parts)
    first, calls = 0, []
    for position, (part, run) in enumerate(zip(parts, runs, strict=True)):
        axes = [Axis(part.size_bytes // run, sum(runs), run), Axis(run, 1, 1)]
        source, place = Operand(Role.INPUT, 0, first), Operand(Role.OUTPUT, position)
        calls.append(_move(1, axes, source, place))
        first += run
    return tuple(calls)


def resize(graph: Graph, op: ResizeNearestNeighbor) -> tuple[Call, ...]:
    """Return the call of a nearest-neighbour resize."""
    p = prepare_resize(graph, op)
    x = graph.tensor(op.inputs[0])
    _, _, width, channels = x.shape
    pixel = channels * x.dtype.itemsize
    parameters: Fields = {
        "out_h": len(p.rows),
        "out_w": len(p.columns),
        "row_bytes": width * pixel,
        "pixel_bytes": pixel,
        "rows": Constant("rows", np.array(p.rows, np.uint16)),
        "columns": Constant("columns", np.array(p.columns, np.uint16)),
    }
    return (Call("resize.h", "resize_nearest", "resize_t", parameters, (X, Y), "uint8_t"),)


def pad_row(graph: Graph, op: Pad) -> RowCall:
    """Return the call that makes a row of an int8 PAD."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    _, (top, _), (left, _), (front, _) = op.paddings
    parameters: Fields = {
        "x": dict(zip("hwc", x.shape[1:], strict=True)),
        "y_c": y.shape[3],
        "top": top,
        "left": left,
        "front": front,
        "value": op.value,
    }
    return RowCall("place.h", "pad_row", "pad_t", parameters)


def join_row(graph: Graph, op: Concatenation) -> tuple[RowCall, ...]:
    """Return one call for each input, which puts its channels in their place in a row."""
    y_c = graph.tensor(op.outputs[0]).shape[3]
    front, calls = 0, []
    for position, tensor_id in enumerate(op.inputs):
        x_c = graph.tensor(tensor_id).shape[3]
        parameters: Fields = {"x_c": x_c, "y_c": y_c, "front": front}
        calls.append(RowCall("place.h", "place_row", "place_t", parameters, (position,)))
        front += x_c
    return tuple(calls)


def resize_row(graph: Graph, op: ResizeNearestNeighbor) -> RowCall:
    """Return the call that makes a row of a nearest-neighbour resize of int8."""
    (call,) = resize(graph, op)
    return RowCall(call.header, f"{call.function}_row", call.type, call.parameters)


def _runs(whole: Tensor, axis: int, parts: Iterable[Tensor]) -> list[int]:
    """Return, for each part, the bytes that lie together in the whole."""
    outer = math.prod(whole.shape[:axis])
    return [part.size_bytes // outer for part in parts]


def _byte_steps(tensor: Tensor) -> tuple[int, ...]:
    return contiguous_steps(tensor.shape, tensor.dtype.itemsize)


def _move(element_bytes: int, axes: Iterable[Axis], x: Operand = X, y: Operand = Y) -> Call:
    """Return the call that walks ``axes``, steps in bytes, moving one element at each position."""
    walk, run = joined((*axes, Axis(element_bytes, 1, 1))), 1
    if walk and (walk[-1].x_step, walk[-1].y_step) == (1, 1):
        walk, run = walk[:-1], walk[-1].length
    walk = padded(walk, _AXES)
    parameters: Fields = {
        "run": run,
        "length": tuple(axis.length for axis in walk),
        "x_step": tuple(axis.x_step for axis in walk),
        "y_step": tuple(axis.y_step for axis in walk),
    }
    return Call("move.h", "move", "move_t", parameters, (x, y), "uint8_t")
