"""Which channels of which tensors stand or fall together.

An op that does not mix channels (a depthwise convolution, an addition, a pool) has as many as its
inputs: one can go only where it goes everywhere. A convolution or a fully connected op reads any
number of channels and writes any number. Channels are numbered through all tensors; those that are
tied have one label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from harness.ir import DType, Graph, Op, TensorId
from harness.ir import ops as ir
from harness.ir.tensor import Array
from harness.passes.weighted import channels_of

Mixer = ir.Conv2D | ir.FullyConnected


@dataclass(frozen=True, slots=True, eq=False)
class Ties:
    """``labels`` of all channels, ``pinned`` for those that cannot go, and where tensors begin."""

    labels: Array
    pinned: Array
    first: Array

    def channels(self, t: TensorId) -> slice:
        """Return where a tensor's channels are."""
        return slice(self.first[t], self.first[t + 1])


def tie_channels(graph: Graph) -> Ties:
    """Return the ties of a graph; model inputs and outputs, and what is not understood, stay."""
    first = np.concatenate([[0], np.cumsum([channels_of(tensor) for tensor in graph.tensors])])
    free = np.zeros(first[-1], np.bool_)
    pinned = np.zeros(first[-1], np.bool_)
    left, right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for t in (*graph.inputs, *graph.outputs):
        pinned[first[t] : first[t + 1]] = True
    for op in graph.ops:
        for t in op.outputs:
            free[first[t] : first[t + 1]] = True
        if is_mixer(op, graph):
            continue
        ties = _ties(graph, op)
        for t in (*op.inputs, *op.outputs) if ties is None else ():
            pinned[first[t] : first[t + 1]] = True
        for x, y, at_x, at_y in ties or ():
            free[first[x] : first[x + 1]] = True
            left.append(first[x] + at_x)
            right.append(first[y] + at_y)
    labels = _components(int(first[-1]), np.concatenate(left), np.concatenate(right))
    return Ties(labels, pinned | ~free, first)


def is_mixer(op: Op, graph: Graph) -> TypeGuard[Mixer]:
    """Return whether an op takes any number of channels; rows that cut through some do not."""
    match op:
        case ir.Conv2D():
            return True
        case ir.FullyConnected():
            x, weights = (graph.tensor(t) for t in op.inputs[:2])
            return weights.shape[1] % channels_of(x) == 0
        case _:
            return False


_Tie = tuple[TensorId, TensorId, Array, Array]


def _ties(graph: Graph, op: Op) -> list[_Tie] | None:
    """Return which channels of an input are which of an output, None if none may go."""
    x, y = op.inputs[0], op.outputs[0]
    flowing = op.inputs[:1] if isinstance(op, ir.DepthwiseConv2D) else op.inputs
    shapes = {t: graph.tensor(t).shape for t in (*flowing, *op.outputs)}
    if any(graph.tensor(t).dtype is not DType.INT8 or not shape for t, shape in shapes.items()):
        return None
    depth = shapes[y][-1]
    alike: list[_Tie] = [
        (t, out, np.arange(depth), np.arange(depth))
        for t in flowing
        for out in op.outputs
        if shapes[t][-1] == depth
    ]
    last = len(shapes[x]) - 1
    match op:
        case ir.DepthwiseConv2D(depth_multiplier=multiplier):
            return [(x, y, np.arange(depth) // multiplier, np.arange(depth))]
        case ir.Reshape(inputs=(_,)) if not depth % shapes[x][-1] or not shapes[x][-1] % depth:
            every = np.arange(max(depth, shapes[x][-1]))
            return [(x, y, every % shapes[x][-1], every % depth)]
        case ir.Concatenation(axis=axis) if axis == last:
            sizes = [shapes[t][-1] for t in op.inputs]
            starts = np.cumsum([0, *sizes])
            return [
                (t, y, np.arange(size), start + np.arange(size))
                for t, size, start in zip(op.inputs, sizes, starts, strict=False)
            ]
        case ir.Add() | ir.Sub() | ir.Mul() if _broadcasts_only_constants(graph, op):
            return alike
        case ir.Pad(paddings=(*_, (0, 0))):
            return alike
        case ir.Mean(axes=axes) if last not in axes:
            return alike
        case ir.Concatenation() | ir.AveragePool2D() | ir.MaxPool2D():
            return alike
        case ir.Quantize() | ir.Logistic() | ir.Tanh() | ir.ResizeNearestNeighbor():
            return alike
        case ir.Split(axis=axis) | ir.Unpack(axis=axis) if axis != last:
            return alike
        case ir.Pack(axis=axis) if axis <= last:
            return alike
        case ir.Transpose(perm=perm) if perm[-1] == last:
            return alike
        case ir.StridedSlice(begin=(*_, 0), strides=(*_, 1), lengths=(*_, length)) if (
            length == shapes[x][-1] == depth
        ):
            return alike
        case _:
            return None


def _broadcasts_only_constants(graph: Graph, op: ir.BinaryOp) -> bool:
    """Return whether no activation of one channel meets many; a constant one may."""
    depth = channels_of(graph.tensor(op.outputs[0]))
    operands = [graph.tensor(t) for t in op.inputs]
    return all(tensor.is_constant or channels_of(tensor) == depth for tensor in operands)


def _components(count: int, left: Array, right: Array) -> Array:
    """Return the least number that each of ``count`` can reach over edges."""
    labels = np.arange(count)
    while True:
        before = labels.copy()
        least = np.minimum(labels[left], labels[right])
        np.minimum.at(labels, left, least)
        np.minimum.at(labels, right, least)
        if np.array_equal(labels, before):
            return labels
