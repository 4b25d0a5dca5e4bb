"""What an op reads, told once more for the verifier, which may not ask the planner.

An op's kernel, going row by row, reads certain rows and columns of its operands. Here that is
derived from the op itself: :func:`cells` lists the indices that one output index meets, before
they are clipped to the tensor.
"""

from __future__ import annotations

from harness.arithmetic.resize import prepare_resize
from harness.ir import DType, Graph, Op, TensorId
from harness.ir import ops as ir

Pair = tuple[int, int]
"""Half-open: first and end of rows or columns."""

ROWS, COLUMNS = 0, 1


def extents(graph: Graph, tensor_id: TensorId) -> tuple[int, int, int]:
    """Return rows, columns and bytes of one pixel; what has no rows and columns is one pixel."""
    tensor = graph.tensor(tensor_id)
    if len(tensor.shape) == 4:
        _, height, width, channels = tensor.shape
        return height, width, channels * tensor.dtype.itemsize
    return 1, 1, tensor.size_bytes


def flows(graph: Graph, op: Op) -> tuple[TensorId, ...]:
    """Return the operands of an op that are not constant, each once."""
    return tuple(t for t in dict.fromkeys(op.inputs) if not graph.tensor(t).is_constant)


def is_summing(graph: Graph, op: Op) -> bool:
    """Whether the op adds up all pixels of each channel, so that its output is one pixel."""
    batch, *pixels = graph.tensor(op.inputs[0]).shape[:-1]
    if batch != 1 or len(pixels) != 2:
        return False
    if isinstance(op, ir.Mean):
        return op.axes == (1, 2)
    return (
        isinstance(op, ir.AveragePool2D)
        and op.window.kernel == tuple(pixels)
        and op.window.padding.is_zero
    )


def writes_behind(graph: Graph, op: Op) -> bool:
    """Whether a kernel that begins at its operand's first byte or before never gets ahead of it.

    It reads element i of each operand, and then writes element i, ascending and not wider.
    """
    match op:
        case ir.Add() | ir.Sub() | ir.Mul() | ir.Logistic() | ir.Tanh():
            return True
        case ir.Quantize():
            x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
            return y.size_bytes <= x.size_bytes
        case _:
            return False


def goes_by_rows(graph: Graph, op: Op) -> bool:
    """Whether row kernels can execute the op: one image, rows that mean rows, int8 inside."""
    flowing = flows(graph, op)
    tensors = [graph.tensor(t) for t in (*flowing, *op.outputs)]
    if not flowing or len(op.outputs) != 1:
        return False
    scales = isinstance(op, ir.Quantize | ir.Dequantize)
    if not scales and any(t.dtype is not DType.INT8 for t in tensors):
        return False
    if isinstance(op, ir.FullyConnected):
        return all(t.size_bytes == t.shape[-1] for t in tensors)
    if is_summing(graph, op):
        return True
    if any(len(t.shape) != 4 or t.shape[0] != 1 for t in tensors):
        return False
    match op:
        case ir.Conv2D() | ir.DepthwiseConv2D() | ir.AveragePool2D() | ir.MaxPool2D():
            return True
        case ir.Add() | ir.Sub() | ir.Mul():
            return len({graph.tensor(t).shape for t in (*op.inputs, *op.outputs)}) == 1
        case ir.Quantize() | ir.Dequantize():
            return True
        case ir.Logistic() | ir.Tanh() | ir.ResizeNearestNeighbor():
            return True
        case ir.Pad():
            return op.paddings[0] == (0, 0)
        case ir.Concatenation():
            return op.axis == 3
        case _:
            return False


def cells(graph: Graph, op: Op, tensor_id: TensorId, axis: int, index: int) -> range:
    """Return the rows (columns) of an operand that output row (column) ``index`` meets.

    They may lie outside of the operand: what is there is padding.
    """
    if is_summing(graph, op):
        return range(extents(graph, tensor_id)[axis])
    match op:
        case ir.Conv2D() | ir.DepthwiseConv2D() | ir.AveragePool2D() | ir.MaxPool2D():
            window = op.window
            before = (window.padding.top, window.padding.left)[axis]
            first = index * window.stride[axis] - before
            return range(first, first + window.extent[axis], window.dilation[axis])
        case ir.Pad():
            before, _ = op.paddings[1 + axis]
            return range(index - before, index - before + 1)
        case ir.ResizeNearestNeighbor():
            nearest = prepare_resize(graph, op)
            taken = (nearest.rows, nearest.columns)[axis][index]
            return range(taken, taken + 1)
        case _:
            return range(index, index + 1)


def is_read_by_pixel(graph: Graph, op: Op, tensor_id: TensorId) -> bool:
    """Whether each pixel of the output meets the same pixel of an operand, and else padding."""
    x, y = extents(graph, tensor_id), extents(graph, op.outputs[0])
    return (
        not is_summing(graph, op)
        and x[:2] == y[:2]
        and all(
            [c for c in cells(graph, op, tensor_id, axis, i) if 0 <= c < x[axis]] == [i]
            for axis in (ROWS, COLUMNS)
            for i in range(x[axis])
        )
    )


def rows_met(graph: Graph, op: Op, tensor_id: TensorId, row: int) -> tuple[list[int], int]:
    """Return the operand's rows that an output row reads, and how many rows must be made first."""
    height = extents(graph, tensor_id)[ROWS]
    met = cells(graph, op, tensor_id, ROWS, row)
    return [r for r in met if 0 <= r < height], min(max(met[-1] + 1, 0), height)


def span_met(graph: Graph, op: Op, tensor_id: TensorId, axis: int, span: Pair) -> Pair:
    """Return the operand's rows (columns) from the first to the last that ``span`` depends on."""
    length = extents(graph, tensor_id)[axis]
    first, end = span
    if first >= end:
        return 0, 0
    low = max(cells(graph, op, tensor_id, axis, first)[0], 0)
    high = min(cells(graph, op, tensor_id, axis, end - 1)[-1] + 1, length)
    return (low, high) if low < high else (0, 0)


def union(a: Pair, b: Pair) -> Pair:
    """Return the least range that holds both; an empty one holds nothing."""
    if a[0] >= a[1]:
        return b
    if b[0] >= b[1]:
        return a
    return min(a[0], b[0]), max(a[1], b[1])
