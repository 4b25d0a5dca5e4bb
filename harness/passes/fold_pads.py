"""Let the op that reads a padded tensor do the padding itself.

A separate PAD writes the largest tensor of many networks a second time. Folding it is exact

- into a convolution, if the padded value is the input's zero point: such a cell adds
  ``w * (zero_point - zero_point) = 0``, as much as a cell that the window leaves out;
- into a max pool, if the value is the least int8: the maximum with it changes nothing.

It is not into an average pool, which divides by the cells it saw. Each window must still see a
cell of the input. A PAD goes only if all its readers take it over; else its input would have to
live longer for nothing.
"""

from __future__ import annotations

from dataclasses import replace

from harness.ir import DType, Graph, Op, Tensor
from harness.ir.ops import Conv2D, DepthwiseConv2D, MaxPool2D, Pad, Padding
from harness.passes.rewrite import without_ops

_Taker = Conv2D | DepthwiseConv2D | MaxPool2D


def fold_pads(graph: Graph) -> Graph:
    """Return the graph with every PAD folded that its readers can take over."""
    # Last to first: a PAD of a PAD then finds the convolution behind both.
    for position in reversed(range(len(graph.ops))):
        op = graph.ops[position]
        if isinstance(op, Pad):
            graph = _fold(graph, position, op)
    return graph


def _fold(graph: Graph, position: int, pad: Pad) -> Graph:
    x, y = pad.inputs[0], pad.outputs[0]
    readers = graph.consumers().get(y, ())
    if y in graph.outputs or not readers or not _pads_rows_and_columns_only(graph, pad):
        return graph
    folded: dict[int, Op] = {}
    for reader in readers:
        taker = _taker(graph.ops[reader], pad, graph.tensor(y))
        if taker is None:
            return graph
        folded[reader] = replace(taker, inputs=(x, *taker.inputs[1:]))
    ops = tuple(folded.get(p, op) for p, op in enumerate(graph.ops))
    return without_ops(replace(graph, ops=ops), (position,))


def _pads_rows_and_columns_only(graph: Graph, pad: Pad) -> bool:
    x, y = graph.tensor(pad.inputs[0]), graph.tensor(pad.outputs[0])
    return (
        len(pad.paddings) == 4
        and not any((*pad.paddings[0], *pad.paddings[3]))
        and x.quantization == y.quantization
        and x.dtype is DType.INT8
    )


def _taker(op: Op, pad: Pad, padded: Tensor) -> _Taker | None:
    """Return the op with the PAD's cells added to its own padding, or None if that is inexact."""
    match op:
        case Conv2D() | DepthwiseConv2D():
            neutral = padded.zero_point
        case MaxPool2D():
            neutral, _ = DType.INT8.limits
        case _:
            return None
    total, (height, width) = _sum(op.window.padding, pad), op.window.extent
    sees_input = max(total.top, total.bottom) < height and max(total.left, total.right) < width
    if pad.value != neutral or not sees_input:
        return None
    return replace(op, window=replace(op.window, padding=total))


def _sum(padding: Padding, pad: Pad) -> Padding:
    _, (top, bottom), (left, right), _ = pad.paddings
    return Padding(
        top=padding.top + top,
        bottom=padding.bottom + bottom,
        left=padding.left + left,
        right=padding.right + right,
    )
