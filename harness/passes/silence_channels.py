"""Make channels that cannot change compute nothing: no weights, and the bias that gives the value.

Training kills channels. Some have weights of zero; others have a scale near 1e-20, so that their
factor rounds to nothing, and a bias that is cut to the end of int32; of others again the clamp
hides every sum. Adding to a bias at the end of int32 would overflow, which C leaves undefined, so
no model runs without this pass. Where each channel has a scale, theirs becomes an ordinary one
and the bias small, so that kernels, which go through several channels at a time, can round them
like the rest. ``remove_channels`` then takes away those that no op needs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.ir import Graph, Op, Tensor
from harness.ir.ops import DepthwiseConv2D
from harness.ir.tensor import Array, constant
from harness.passes.bounds import KnownBounds, accumulator_bounds, channel_bounds
from harness.passes.weighted import Weighted, WeightedOp, weighted, with_weights

_SUMS = 128
"""Sums to a step of the output in channels that are silenced."""


def silence_channels(graph: Graph) -> Graph:
    """Return the graph with the weights of constant channels zeroed."""
    bounds = channel_bounds(graph)
    tensors = list(graph.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        if not isinstance(op, WeightedOp) or (seen := weighted(graph, op)) is None:
            ops.append(op)
            continue
        quiet = bounds[op.outputs[0]].constant
        weights = _silenced(graph, op, quiet)
        bias = np.where(quiet, _sums(graph, op, seen, bounds), seen.bias)
        if (seen.bias != bias).any() or not _is_same(weights, graph.tensor(op.inputs[1])):
            ops.append(with_weights(op, tensors, weights, bias))
        else:
            ops.append(op)
    return replace(graph, tensors=tuple(tensors), ops=tuple(ops))


def _sums(graph: Graph, op: WeightedOp, seen: Weighted, bounds: KnownBounds) -> Array:
    """Return sums that give the values of constant channels."""
    quantization = graph.tensor(op.inputs[1]).quantization
    if quantization is not None and quantization.axis is not None:
        values: Array = bounds[op.outputs[0]].low.astype(np.int64)
        return (values - seen.parameters.output_offset) * _SUMS
    # All between the ends do; with a factor of 0 any do.
    sums = accumulator_bounds(seen, bounds[op.inputs[0]])
    matters = np.array([m.multiplier != 0 for m in seen.parameters.multipliers])
    return np.where(matters, np.clip(0, sums.low[0], sums.high[0]), 0)


def _silenced(graph: Graph, op: WeightedOp, quiet: Array) -> Tensor:
    """Return weights that are 0 in some channels, whose scales say ``_SUMS`` if they have any."""
    x, weights, y = (graph.tensor(t) for t in (*op.inputs[:2], op.outputs[0]))
    assert weights.data is not None, weights.name
    shape = [1] * len(weights.shape)
    shape[3 if isinstance(op, DepthwiseConv2D) else 0] = -1
    data = np.where(quiet.reshape(shape), np.int8(0), weights.data)
    quantization = weights.quantization
    if quantization is not None and quantization.axis is not None:
        ordinary = float(np.float32(y.scale / (x.scale * _SUMS)))
        scales = np.where(quiet, ordinary, quantization.scales)
        quantization = replace(quantization, scales=tuple(scales.tolist()))
    return constant(weights.name, data, quantization)


def _is_same(a: Tensor, b: Tensor) -> bool:
    assert a.data is not None, a.name
    assert b.data is not None, b.name
    return a.quantization == b.quantization and np.array_equal(a.data, b.data)
