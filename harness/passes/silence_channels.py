"""Make channels that cannot change compute nothing: no weights, and the bias that gives the value.

Training kills channels. Some have weights of zero; others have a scale near 1e-20, so that their
factor rounds to nothing, and a bias that is cut to the end of int32; of others again the clamp
hides every sum. Adding to a bias at the end of int32 would overflow, which C leaves undefined, so
no model runs without this pass. ``remove_channels`` then takes away those that no op needs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.ir import Graph, Op, Tensor
from harness.ir.ops import DepthwiseConv2D
from harness.ir.tensor import Array, constant
from harness.passes.bounds import accumulator_bounds, channel_bounds
from harness.passes.weighted import WeightedOp, weighted, with_weights


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
        # Any sum between the ends gives the value; with a factor of 0 any sum at all.
        sums = accumulator_bounds(seen, bounds[op.inputs[0]])
        matters = np.array([m.multiplier != 0 for m in seen.parameters.multipliers])
        enough = np.where(matters, np.clip(0, sums.low[0], sums.high[0]), 0)
        if (quiet & (seen.weights.any(axis=(1, 2)) | (seen.bias != enough))).any():
            axis = 3 if isinstance(op, DepthwiseConv2D) else 0
            weights = _silenced(graph.tensor(op.inputs[1]), quiet, axis)
            ops.append(with_weights(op, tensors, weights, np.where(quiet, enough, seen.bias)))
        else:
            ops.append(op)
    return replace(graph, tensors=tuple(tensors), ops=tuple(ops))


def _silenced(weights: Tensor, quiet: Array, axis: int) -> Tensor:
    assert weights.data is not None, weights.name
    shape = [1] * len(weights.shape)
    shape[axis] = -1
    data = np.where(quiet.reshape(shape), np.int8(0), weights.data)
    return constant(weights.name, data, weights.quantization)
