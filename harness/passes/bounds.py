"""Interval analysis: which values each channel of each tensor can have, whatever the input.

Bounds hold for all cells of a channel together, so a channel whose bounds are equal is one constant
everywhere, also at borders where windows see padding. Weighted ops are bounded by the ends of their
sums in every border class: rescaling is monotone as long as no bit is shifted out to the left,
and where one could be, the channel may have any value. What else is monotone is evaluated by the
reference interpreter at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from harness.arithmetic import Multiplier, is_table, prepare_mean, prepare_mul, table
from harness.arithmetic.fixed_point import rescale_channels
from harness.ir import DType, Graph, Op, Tensor, TensorId
from harness.ir import ops as ir
from harness.ir.tensor import Array
from harness.passes.weighted import Weighted, channels_of, weighted
from harness.reference.interpreter import evaluate


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """The least and the largest value that each channel, the last axis, can have at most."""

    low: Array
    high: Array

    @property
    def constant(self) -> Array:
        """Whether each channel has one value only."""
        same: Array = self.low == self.high
        return same


KnownBounds = dict[TensorId, Bounds]


def channel_bounds(graph: Graph) -> KnownBounds:
    """Return the bounds of every int8 tensor."""
    known = {t: _anything(graph.tensor(t)) for t in graph.inputs if _is_int8(graph, t)}
    for i, tensor in enumerate(graph.tensors):
        if tensor.data is not None and tensor.dtype is DType.INT8:
            values = _by_channel(tensor.data)
            known[TensorId(i)] = Bounds(values.min(axis=0), values.max(axis=0))
    for op in graph.ops:
        results = _outputs(graph, op, known)
        known |= {t: b for t, b in zip(op.outputs, results, strict=True) if _is_int8(graph, t)}
    return known


def accumulator_bounds(seen: Weighted, x: Bounds) -> Bounds:
    """Return the ends of the sums of a weighted op, before rescaling: [classes, outputs]."""
    low, high = (end.astype(np.float64) + seen.parameters.input_offset for end in (x.low, x.high))
    if seen.weights.shape[2] == 1:
        # Each output reads one channel.
        repeats = len(seen.weights) // len(low)
        low, high = (end.repeat(repeats)[:, None, None] for end in (low, high))
    rising, falling = np.maximum(seen.weights, 0), np.minimum(seen.weights, 0)
    least = (rising * low + falling * high).sum(axis=2)
    most = (rising * high + falling * low).sum(axis=2)
    inside = seen.classes.astype(np.float64)
    return Bounds(
        (inside @ least.T + seen.bias).astype(np.int64),
        (inside @ most.T + seen.bias).astype(np.int64),
    )


def _outputs(graph: Graph, op: Op, known: KnownBounds) -> list[Bounds]:
    unknown = [_anything(graph.tensor(t)) for t in op.outputs]
    if not all(t in known or graph.tensor(t).is_constant for t in op.inputs):
        return unknown
    match op:
        case ir.Conv2D() | ir.DepthwiseConv2D() | ir.FullyConnected():
            seen = weighted(graph, op)
            return [_rescaled(seen, known[op.inputs[0]])] if seen else unknown
        case ir.Logistic() | ir.Tanh() | ir.Quantize() if is_table(graph, op):
            return [_looked_up(np.array(table(graph, op)), known[op.inputs[0]])]
        case ir.Mean() | ir.Mul() if not _wraps(graph, op):
            return _evaluated(graph, op, known)
        case (
            ir.Add()
            | ir.Sub()
            | ir.AveragePool2D()
            | ir.MaxPool2D()
            | ir.Reshape()
            | ir.Pad()
            | ir.Concatenation()
            | ir.Pack()
            | ir.Split()
            | ir.Unpack()
            | ir.Transpose()
            | ir.StridedSlice()
            | ir.ResizeNearestNeighbor()
        ):
            return _evaluated(graph, op, known)
        case _:
            return unknown


def _rescaled(seen: Weighted, x: Bounds) -> Bounds:
    p = seen.parameters
    sums = accumulator_bounds(seen, x)
    left = np.array([m.left for m in p.multipliers])
    reach = np.maximum(np.abs(sums.low), np.abs(sums.high)).max(axis=0)
    ends = [rescale_channels(end, p.multipliers) for end in (sums.low, sums.high)]
    # A negative scale turns the ends round.
    values = np.clip(np.concatenate(ends) + p.output_offset, p.low, p.high)
    wraps = (left > 0) & (reach << left >= 1 << 31)
    return Bounds(
        np.where(wraps, p.low, values.min(axis=0)), np.where(wraps, p.high, values.max(axis=0))
    )


def _wraps(graph: Graph, op: ir.Mean | ir.Mul) -> bool:
    """Return whether rescaling could shift bits out to the left."""
    lowest, highest = DType.INT8.limits
    widest = highest - lowest
    factor: Multiplier
    if isinstance(op, ir.Mul):
        factor, reach = prepare_mul(graph, op).output, widest * widest
    else:
        mean = prepare_mean(graph, op)
        factor, reach = mean.factor, widest * mean.count
    return reach << factor.left >= 1 << 31


def _looked_up(results: Array, x: Bounds) -> Bounds:
    lowest, _ = DType.INT8.limits
    images = [
        results[low - lowest : high - lowest + 1] for low, high in zip(x.low, x.high, strict=True)
    ]
    return Bounds(np.array([i.min() for i in images]), np.array([i.max() for i in images]))


def _evaluated(graph: Graph, op: Op, known: KnownBounds) -> list[Bounds]:
    """Return the bounds of an op that is monotone in each of its inputs."""
    ends = [_ends(graph, t, known) for t in op.inputs]
    # Of two operands the result may rise with one and fall with the other, or with both (MUL):
    # the extremes are at corners. All else rises with every input.
    corners = list(product(*ends) if isinstance(op, ir.BinaryOp) else zip(*ends, strict=True))
    outcomes = [evaluate(graph, op, corner) for corner in corners]
    return [
        Bounds(
            np.min([_by_channel(values).min(axis=0) for values in results], axis=0),
            np.max([_by_channel(values).max(axis=0) for values in results], axis=0),
        )
        for results in zip(*outcomes, strict=True)
    ]


def _ends(graph: Graph, t: TensorId, known: KnownBounds) -> tuple[Array, Array]:
    tensor = graph.tensor(t)
    if tensor.data is not None:
        return tensor.data, tensor.data
    low, high = (
        np.broadcast_to(end.astype(np.int8), tensor.shape) for end in (known[t].low, known[t].high)
    )
    return low, high


def _by_channel(values: Array) -> Array:
    return values.astype(np.int64).reshape(-1, values.shape[-1] if values.shape else 1)


def _is_int8(graph: Graph, t: TensorId) -> bool:
    return graph.tensor(t).dtype is DType.INT8


def _anything(tensor: Tensor) -> Bounds:
    low, high = DType.INT8.limits
    return Bounds(np.full(channels_of(tensor), low), np.full(channels_of(tensor), high))
