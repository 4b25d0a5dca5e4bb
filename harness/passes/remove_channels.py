"""Take away channels that nothing needs, and fold those that are constant into their readers.

A convolution or fully connected op does without an input channel where all its weights for it are
zero, and where the channel is one constant that adds the same in every border class of the window:
always if the op pads nothing, or if the constant is the zero point, which is what padding is. What
it adds goes into the bias. Then whatever only such channels were computed from is needed by none
either, and so on backwards. In MLPerf Tiny's person detector that is half of the arithmetic.

What is not needed goes; the results keep every bit, since integers are summed in another order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.ir import Graph, Op, Tensor, TensorId
from harness.ir.ops import DepthwiseConv2D, FullyConnected, StridedSlice
from harness.ir.tensor import Array
from harness.passes.bounds import Bounds, channel_bounds
from harness.passes.channel_ties import Mixer, Ties, is_mixer, tie_channels
from harness.passes.weighted import Weighted, slice_channels, weighted, with_weights


class _Reader(NamedTuple):
    """An op that mixes channels: where its input and output channels are, and which it needs.

    ``needs`` is [outputs, input channels].
    """

    x: slice
    y: slice
    needs: Array


def remove_channels(graph: Graph) -> Graph:
    """Return the graph without channels that are constant, or that no op needs."""
    ties, bounds = tie_channels(graph), channel_bounds(graph)
    readers = [
        _Reader(
            ties.channels(op.inputs[0]),
            ties.channels(op.outputs[0]),
            _needs(_seen(graph, op), bounds[op.inputs[0]]),
        )
        for op in reversed(graph.ops)
        if is_mixer(op, graph)
    ]
    needed = _needed(ties, readers, [(ties.channels(t), n) for t, n in _least(graph)])
    kept = [needed[ties.channels(TensorId(t))] for t in range(len(graph.tensors))]
    if all(some.all() for some in kept):
        return graph
    tensors = [_sliced(tensor, some) for tensor, some in zip(graph.tensors, kept, strict=True)]
    ops: list[Op] = []
    for op in graph.ops:
        x, y = op.inputs[0], op.outputs[0]
        if kept[x].all() and kept[y].all():
            ops.append(op)
        elif is_mixer(op, graph):
            ops.append(_mixed(graph, op, kept[x], kept[y], bounds[x], tensors))
        elif isinstance(op, DepthwiseConv2D):
            weights = slice_channels(graph.tensor(op.inputs[1]), kept[y], 3)
            ops.append(with_weights(op, tensors, weights, _seen(graph, op).bias[kept[y]]))
        elif isinstance(op, StridedSlice):
            ops.append(replace(op, lengths=(*op.lengths[:-1], int(kept[y].sum()))))
        else:
            ops.append(op)
    return replace(graph, tensors=tuple(tensors), ops=tuple(ops))


def _seen(graph: Graph, op: Mixer | DepthwiseConv2D) -> Weighted:
    seen = weighted(graph, op)
    assert seen is not None, "rows that cut through channels are no mixer's"
    return seen


def _needs(seen: Weighted, x: Bounds) -> Array:
    """Return which input channels each output cannot do without."""
    sums = [seen.weights[:, inside].sum(axis=1) for inside in seen.classes]
    alike = np.all([some == sums[0] for some in sums], axis=0)
    is_padding = x.low == -seen.parameters.input_offset
    folds: Array = x.constant & (alike | is_padding)
    return seen.weights.any(axis=1) & ~folds


def _least(graph: Graph) -> Iterator[tuple[TensorId, int]]:
    """Yield how many channels each result must keep.

    Two of a fully connected op with a scale a channel: with one scale the product of the scales
    is rounded in another way.
    """
    for op in graph.ops:
        for t in op.outputs:
            scales = graph.tensor(op.inputs[1]).quantization if is_mixer(op, graph) else None
            several = scales is not None and len(scales.scales) > 1
            yield t, 2 if isinstance(op, FullyConnected) and several else 1


def _needed(ties: Ties, readers: Sequence[_Reader], least: Sequence[tuple[slice, int]]) -> Array:
    """Return which channels are needed: by pinned ones, backwards, and so that none is empty."""
    needed = _with_tied(ties, ties.pinned)
    while True:
        before = needed
        for x, y, needs in readers:
            needed = needed.copy()
            needed[x] |= needs[needed[y]].any(axis=0)
            needed = _with_tied(ties, needed)
        if not np.array_equal(needed, before):
            continue
        short = [channels for channels, count in least if needed[channels].sum() < count]
        if not short:
            return needed
        for channels in short:
            (spare,) = np.nonzero(~needed[channels])
            needed[channels.start + spare[0]] = True
        needed = _with_tied(ties, needed)


def _with_tied(ties: Ties, needed: Array) -> Array:
    hit = np.zeros_like(needed)
    hit[ties.labels[needed]] = True
    return hit[ties.labels]


def _sliced(tensor: Tensor, kept: Array) -> Tensor:
    if kept.all():
        return tensor
    if tensor.is_constant:
        return slice_channels(tensor, kept, len(tensor.shape) - 1)
    return replace(tensor, shape=(*tensor.shape[:-1], int(kept.sum())))


def _mixed(
    graph: Graph, op: Mixer, kept_x: Array, kept_y: Array, x: Bounds, tensors: list[Tensor]
) -> Op:
    """Return a mixer with fewer inputs and outputs; what the inputs added is in its bias."""
    seen = _seen(graph, op)
    gone = np.where(kept_x, 0, x.low + seen.parameters.input_offset)
    bias = seen.bias + seen.weights[:, seen.classes[0]].sum(axis=1) @ gone
    weights = slice_channels(graph.tensor(op.inputs[1]), kept_y, 0)
    axis = len(weights.shape) - 1
    columns = np.tile(kept_x, weights.shape[axis] // len(kept_x))
    weights = slice_channels(weights, columns, axis)
    return with_weights(op, tensors, weights, bias[kept_y])
