"""Which rows and columns of its inputs an op reads for some of its outputs.

Everything that fuses ops is built on these two questions: can an op be executed row by row, and
what does a range of its output depend on. Ranges are half-open, in the tensor's own rows or
columns, and clipped to the tensor: padding lies only outside of true borders.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from harness.arithmetic.resize import prepare_resize
from harness.ir import DType, Graph, Op, TensorId
from harness.ir import ops as ir
from harness.schedule.plan import FusedSegment


@dataclass(frozen=True, slots=True)
class Span:
    """Rows or columns ``first <= i < end``."""

    first: int
    end: int

    @property
    def length(self) -> int:
        """How many there are."""
        return self.end - self.first

    def union(self, other: Span) -> Span:
        """Return the least span that holds both; an empty one counts for nothing."""
        if not self.length or not other.length:
            return other if not self.length else self
        return Span(min(self.first, other.first), max(self.end, other.end))


class Axis(Enum):
    """Rows or columns of a tensor ``[N, H, W, C]``; the value is the position in a shape."""

    ROWS = 1
    COLUMNS = 2


def length(graph: Graph, tensor_id: int, axis: Axis) -> int:
    """Return the rows or columns of a tensor; a tensor of rank below 4 has one of each."""
    shape = graph.tensors[tensor_id].shape
    return shape[axis.value] if len(shape) == 4 else 1


def row_bytes(graph: Graph, tensor_id: TensorId) -> int:
    """Return the bytes of one whole row of a tensor."""
    return graph.tensor(tensor_id).size_bytes // length(graph, tensor_id, Axis.ROWS)


def pixel_bytes(graph: Graph, tensor_id: TensorId) -> int:
    """Return the bytes of one pixel of a tensor: all channels, whatever their type."""
    return row_bytes(graph, tensor_id) // length(graph, tensor_id, Axis.COLUMNS)


def sums_all_rows(graph: Graph, op: Op) -> bool:
    """Whether an op's one output row is a sum over all rows and columns of its input.

    Such an op takes each row of its input as it is made, and keeps int32 sums ``[C]`` in between.
    """
    shape = graph.tensor(op.inputs[0]).shape
    if len(shape) != 4:
        return False
    match op:
        case ir.AveragePool2D(window=window):
            return window.kernel == shape[1:3] and window.padding.is_zero and shape[0] == 1
        case ir.Mean(axes=axes):
            return axes == (1, 2) and shape[0] == 1
        case _:
            return False


def sums_bytes(graph: Graph, op: Op) -> int:
    """Return the bytes of the int32 sums of an op that sums over all rows, 0 for other ops."""
    return 4 * graph.tensor(op.inputs[0]).shape[-1] if sums_all_rows(graph, op) else 0


def sums_offset(graph: Graph, segment: FusedSegment, workspace_bytes: int) -> int:
    """Return where the sums of a fused segment begin in its workspace, in bytes.

    They are the last bytes of the workspace; a segment has at most one op that sums.
    """
    return workspace_bytes - sum(sums_bytes(graph, graph.ops[i]) for i in segment.ops)


def is_elementwise(graph: Graph, op: Op) -> bool:
    """Whether element i of an output row is written when element i of each operand was read.

    Such an op may write its row over an operand's row that nobody reads afterwards. Its output's
    elements are no wider, so that from where the operand's row begins it never gets ahead.
    """
    if not isinstance(op, ir.Add | ir.Sub | ir.Mul | ir.Quantize | ir.Logistic | ir.Tanh):
        return False
    width = graph.tensor(op.outputs[0]).dtype.itemsize
    return all(width <= graph.tensor(t).dtype.itemsize for t in op.inputs)


def is_rowwise(graph: Graph, op: Op) -> bool:
    """Whether a kernel makes any range of columns of any one output row of this op.

    Activations are ``[1, H, W, C]``, of int8 but where QUANTIZE and DEQUANTIZE lead in and out.
    Ops that sum over all rows count too, and so does a fully connected op on a single pixel, so
    that a network's tail can join the last segment.
    """
    activations = [t for t in op.inputs if not graph.tensor(t).is_constant]
    tensors = [graph.tensor(t) for t in (*activations, *op.outputs)]
    if not activations or len(op.outputs) != 1:
        return False
    are_images = all(len(t.shape) == 4 and t.shape[0] == 1 for t in tensors)
    if isinstance(op, ir.Quantize | ir.Dequantize):
        return are_images
    if any(t.dtype is not DType.INT8 for t in tensors):
        return False
    if isinstance(op, ir.FullyConnected):
        return all(t.elements == t.shape[-1] for t in tensors)
    if not are_images:
        return sums_all_rows(graph, op)
    match op:
        case ir.Conv2D() | ir.DepthwiseConv2D() | ir.AveragePool2D() | ir.MaxPool2D():
            return True
        case ir.Add() | ir.Sub() | ir.Mul():
            return all(graph.tensor(t).shape == tensors[-1].shape for t in op.inputs)
        case ir.Logistic() | ir.Tanh():
            return True
        case ir.Pad():
            return op.paddings[0] == (0, 0)
        case ir.Concatenation(axis=axis):
            return axis == 3
        case ir.ResizeNearestNeighbor():
            return True
        case ir.Mean():
            return sums_all_rows(graph, op)
        case _:
            return False


def reads(graph: Graph, op: Op, operand: int, axis: Axis, outputs: Span) -> Span:
    """Return what a rowwise op reads of an operand to make the rows or columns ``outputs``.

    The span is clipped to the operand; it is empty where only padding is read.
    """
    size = length(graph, op.inputs[operand], axis)
    first, end = outputs.first, outputs.end
    match op:
        case _ if sums_all_rows(graph, op):
            first, end = 0, size
        case ir.Conv2D() | ir.DepthwiseConv2D() | ir.AveragePool2D() | ir.MaxPool2D():
            i = 0 if axis is Axis.ROWS else 1
            padding = op.window.padding
            before = padding.top if axis is Axis.ROWS else padding.left
            stride, extent = op.window.stride[i], op.window.extent[i]
            first, end = first * stride - before, (end - 1) * stride - before + extent
        case ir.Pad():
            before = op.paddings[axis.value][0]
            first, end = first - before, end - before
        case ir.ResizeNearestNeighbor():
            maps = prepare_resize(graph, op)
            taken = maps.rows if axis is Axis.ROWS else maps.columns
            first, end = taken[first], taken[end - 1] + 1
        case _:
            pass
    first = min(max(first, 0), size)
    return Span(first, max(min(end, size), first))


def tile(graph: Graph, ops: range, axis: Axis, outputs: Span) -> dict[TensorId, Span]:
    """Return what ops of one segment touch of each activation along one axis.

    ``outputs`` are the rows or columns that are wanted of the last op's output. Tensors that come
    from outside of the segment are among the keys.
    """
    touched = {graph.ops[ops[-1]].outputs[0]: outputs}
    for op in (graph.ops[i] for i in reversed(ops)):
        wanted = touched[op.outputs[0]]
        for operand, tensor in enumerate(op.inputs):
            if not graph.tensor(tensor).is_constant:
                span = reads(graph, op, operand, axis, wanted) if wanted.length else Span(0, 0)
                touched[tensor] = span.union(touched.get(tensor, Span(0, 0)))
    return touched


def evenly(length: int, parts: int) -> tuple[Span, ...]:
    """Return rows or columns ``0..length-1`` cut into stripes or patches as even as possible."""
    edges = [i * length // parts for i in range(parts + 1)]
    return tuple(Span(first, end) for first, end in pairwise(edges))
