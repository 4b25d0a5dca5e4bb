"""What shape each op's outputs must have, inferred from its inputs and its fields alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

from harness.ir import ops as ir
from harness.ir.ops import Op, Window

ShapeOf = tuple[int, ...]


class ShapeFault(Exception):  # noqa: N818 - reported together with others, never raised alone
    """Inputs from which no output shape follows; the message says why."""


def shape_faults(op: Op, inputs: Sequence[ShapeOf], outputs: Sequence[ShapeOf]) -> list[str]:
    """Return what is wrong with the shapes around an op; empty if nothing is."""
    try:
        expected = _expected(op, inputs, outputs)
    except ShapeFault as fault:
        return [str(fault)]
    if len(expected) != len(outputs):
        return [f"has {len(outputs)} outputs; {len(expected)} follow from its inputs"]
    return [
        f"output {position} has shape {list(found)}; {list(wanted)} follows from its inputs"
        for position, (found, wanted) in enumerate(zip(outputs, expected, strict=True))
        if found != wanted
    ]


def kept_axes(lengths: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """Return the axes of a slice that its output ``shape`` keeps; the others have length 1.

    Raises:
        ShapeFault: no choice of axes of length 1 turns ``lengths`` into ``shape``.
    """
    kept: list[int] = []
    for axis, length in enumerate(lengths):
        if len(kept) < len(shape) and shape[len(kept)] == length:
            kept.append(axis)
        elif length != 1:
            break
    if [lengths[axis] for axis in kept] != list(shape) or math.prod(lengths) != math.prod(shape):
        raise ShapeFault(f"slices {list(lengths)} into {list(shape)}")
    return tuple(kept)


def broadcast(a: ShapeOf, b: ShapeOf) -> ShapeOf:
    """Return the shape of two tensors broadcast together as numpy does.

    Raises:
        ShapeFault: they do not fit.
    """
    rank = max(len(a), len(b))
    sizes = []
    for x, y in zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True):
        if x != y and 1 not in (x, y):
            raise ShapeFault(f"shapes {list(a)} and {list(b)} do not broadcast")
        sizes.append(max(x, y))
    return tuple(sizes)


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ShapeFault(message)


def _rank(shape: ShapeOf, rank: int, what: str) -> None:
    _need(len(shape) == rank, f"{what} has shape {list(shape)}; {rank} axes are needed")


def _axis(axis: int, rank: int) -> None:
    _need(0 <= axis < rank, f"axis {axis}; the tensor has {rank} axes")


def _window_size(window: Window, size: ShapeOf) -> ShapeOf:
    """Return rows and columns of the output of a window that moves over ``size``."""
    padding = window.padding
    added = (padding.top + padding.bottom, padding.left + padding.right)
    result = []
    for length, extra, extent, stride in zip(
        size, added, window.extent, window.stride, strict=True
    ):
        _need(stride >= 1 and extra >= 0, f"stride {stride}, padding {extra}")
        room = length + extra - extent
        _need(room >= 0, f"a window of {extent} does not fit {length} cells and {extra} padded")
        result.append(room // stride + 1)
    return tuple(result)


def _convolution(op: ir.Conv2D | ir.DepthwiseConv2D, inputs: Sequence[ShapeOf]) -> ShapeOf:
    x, weights, *bias = inputs
    _rank(x, 4, "the input")
    _rank(weights, 4, "the weights")
    kernel = weights[1:3]
    _need(kernel == op.window.kernel, f"weights are {kernel}, the window {op.window.kernel}")
    if isinstance(op, ir.Conv2D):
        channels = weights[0]
        _need(weights[3] == x[3], f"weights take {weights[3]} channels, the input has {x[3]}")
    else:
        channels = x[3] * op.depth_multiplier
        found = (weights[0], weights[3])
        _need(found == (1, channels), f"weights are {list(weights)} for {channels} channels")
    _need(not bias or bias[0] == (channels,), f"bias {bias} for {channels} channels")
    return (x[0], *_window_size(op.window, x[1:3]), channels)


def _fully_connected(inputs: Sequence[ShapeOf], output: ShapeOf) -> ShapeOf:
    x, weights, *bias = inputs
    _rank(weights, 2, "the weights")
    out, depth = weights
    _need(math.prod(x) % depth == 0, f"{list(x)} does not divide into rows of {depth}")
    _need(not bias or math.prod(bias[0]) == out, f"bias {bias} for {out} outputs")
    rows = math.prod(x) // depth
    # Leading axes may be kept or flattened; the memory is the same.
    _need(len(output) > 0 and output[-1] == out, f"output {list(output)}; the last axis is {out}")
    _need(math.prod(output) == rows * out, f"output {list(output)} for {rows} rows of {out}")
    return output


def _concatenation(op: ir.Concatenation, inputs: Sequence[ShapeOf]) -> ShapeOf:
    first = inputs[0]
    _axis(op.axis, len(first))
    for shape in inputs:
        _rank(shape, len(first), "an input")
        rest = shape[: op.axis] + shape[op.axis + 1 :]
        _need(
            rest == first[: op.axis] + first[op.axis + 1 :],
            f"joins {list(first)} and {list(shape)} along axis {op.axis}",
        )
    return (*first[: op.axis], sum(s[op.axis] for s in inputs), *first[op.axis + 1 :])


def _strided_slice(op: ir.StridedSlice, x: ShapeOf, output: ShapeOf) -> ShapeOf:
    _need(
        len(op.begin) == len(op.strides) == len(op.lengths) == len(x),
        f"slices {len(op.begin)} axes of {list(x)}",
    )
    for size, begin, stride, length in zip(x, op.begin, op.strides, op.lengths, strict=True):
        last = begin + (length - 1) * stride
        _need(
            length >= 1 and stride != 0 and 0 <= begin < size and 0 <= last < size,
            f"takes cells {begin} to {last} by {stride} of {size}",
        )
    kept_axes(op.lengths, output)
    return output


def _mean(op: ir.Mean, x: ShapeOf) -> ShapeOf:
    for axis in op.axes:
        _axis(axis, len(x))
    if op.keep_dims:
        return tuple(1 if axis in op.axes else size for axis, size in enumerate(x))
    return tuple(size for axis, size in enumerate(x) if axis not in op.axes)


def _pad(op: ir.Pad, x: ShapeOf) -> ShapeOf:
    _need(len(op.paddings) == len(x), f"{len(op.paddings)} paddings for {list(x)}")
    _need(min(map(min, op.paddings), default=0) >= 0, f"negative paddings {op.paddings}")
    return tuple(n + before + after for n, (before, after) in zip(x, op.paddings, strict=True))


def _expected(op: Op, inputs: Sequence[ShapeOf], outputs: Sequence[ShapeOf]) -> tuple[ShapeOf, ...]:
    x, output = inputs[0], outputs[0]
    match op:
        case ir.Conv2D() | ir.DepthwiseConv2D():
            return (_convolution(op, inputs),)
        case ir.FullyConnected():
            return (_fully_connected(inputs, output),)
        case ir.Add() | ir.Sub() | ir.Mul():
            return (broadcast(x, inputs[1]),)
        case ir.Pad():
            return (_pad(op, x),)
        case ir.AveragePool2D() | ir.MaxPool2D():
            _rank(x, 4, "the input")
            return ((x[0], *_window_size(op.window, x[1:3]), x[3]),)
        case ir.Mean():
            return (_mean(op, x),)
        case ir.Reshape():
            _need(math.prod(x) == math.prod(output), f"reshapes {list(x)} to {list(output)}")
            return (output,)
        case ir.Softmax():
            _need(len(x) > 0, "softmax of a scalar")
            return (x,)
        case ir.Logistic() | ir.Tanh() | ir.Quantize() | ir.Dequantize():
            return (x,)
        case ir.Concatenation():
            return (_concatenation(op, inputs),)
        case ir.Split(axis=axis):
            _axis(axis, len(x))
            parts = len(outputs)
            _need(x[axis] % parts == 0, f"{x[axis]} cells do not divide into {parts} parts")
            return ((*x[:axis], x[axis] // parts, *x[axis + 1 :]),) * parts
        case ir.Pack(axis=axis):
            _axis(axis, len(x) + 1)
            _need(len({*inputs}) == 1, "packs tensors of different shapes")
            return ((*x[:axis], len(inputs), *x[axis:]),)
        case ir.Unpack(axis=axis):
            _axis(axis, len(x))
            return ((*x[:axis], *x[axis + 1 :]),) * x[axis]
        case ir.Transpose(perm=perm):
            _need(sorted(perm) == list(range(len(x))), f"permutes {list(x)} by {list(perm)}")
            return (tuple(x[axis] for axis in perm),)
        case ir.StridedSlice():
            return (_strided_slice(op, x, output),)
        case ir.ResizeNearestNeighbor():
            _rank(x, 4, "the input")
            _rank(output, 4, "the output")
            return ((x[0], *output[1:3], x[3]),)
        case ir.Shape():
            return ((len(x),),)
        case _:
            assert_never(op)
