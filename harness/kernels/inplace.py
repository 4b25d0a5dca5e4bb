"""Which ops may write their output over an input, and what scratch they need for it.

Three forms are safe with the kernels under ``firmware/kernels``:

- an *alias* moves nothing: the output is the input under another shape;
- an *element-wise* op writes element i, which is not wider than what it reads, after it has read
  element i, and reads it only once (softmax reads its row several times, but writes it in order
  in the last reading);
- a *depthwise* convolution with multiplier 1 goes channel by channel (TinyEngine's idea,
  arXiv:2007.10319): the rows of one channel that a window spans are copied to scratch before an
  output row is written over them.
"""

from __future__ import annotations

from harness.ir import DType, Graph, Op, Tensor
from harness.ir.ops import (
    Add,
    Concatenation,
    DepthwiseConv2D,
    Dequantize,
    Logistic,
    Mul,
    Pack,
    Pad,
    Quantize,
    Reshape,
    Softmax,
    Split,
    StridedSlice,
    Sub,
    Tanh,
    Transpose,
    Unpack,
)


def is_alias(graph: Graph, op: Op) -> bool:
    """Return whether the op moves no byte, so that its output may be its input's bytes."""
    if len(op.outputs) != 1 or graph.tensor(op.inputs[0]).is_constant:
        return False
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    match op:
        case Reshape():
            return True
        case Pack() | Concatenation():
            return len(op.inputs) == 1
        case Unpack() | Split():
            return True
        case StridedSlice():
            return x.elements == y.elements and all(
                stride > 0 or length == 1
                for stride, length in zip(op.strides, op.lengths, strict=True)
            )
        case Pad():
            return x.elements == y.elements
        case Transpose():
            moved = [axis for axis in op.perm if x.shape[axis] != 1]
            return moved == sorted(moved)
        case _:
            return False


def inplace_operands(graph: Graph, op: Op) -> tuple[int, ...]:
    """Return the positions in ``op.inputs`` whose bytes the output may take.

    The caller must still see to it that the operand is not needed afterwards.
    """
    y = graph.tensor(op.outputs[0])
    match op:
        case Add() | Sub() | Mul():
            return tuple(
                operand
                for operand, tensor_id in enumerate(op.inputs)
                if graph.tensor(tensor_id).shape == y.shape
                and _same_bytes(graph.tensor(tensor_id), y)
            )
        case Logistic() | Tanh() | Quantize() | Dequantize() | Softmax():
            x = graph.tensor(op.inputs[0])
            return (0,) if not x.is_constant and y.size_bytes <= x.size_bytes else ()
        case DepthwiseConv2D():
            x = graph.tensor(op.inputs[0])
            return (0,) if not x.is_constant and _rows_stay_ahead(op, x, y) else ()
        case _:
            return ()


def scratch_bytes(graph: Graph, op: Op, operand: int | None) -> int:
    """Return the bytes of working memory of the op when it takes ``operand``, or nothing."""
    match op:
        case DepthwiseConv2D() if operand is not None:
            rows, columns = channel_ring(op, graph.tensor(op.outputs[0]))
            return rows * columns
        case _:
            return 0


def channel_ring(op: DepthwiseConv2D, y: Tensor) -> tuple[int, int]:
    """Return rows and columns of the ring that holds one channel's rows in scratch.

    A row is as long as the windows of one output row reach, padding included.
    """
    extent_h, extent_w = op.window.extent
    return extent_h, (y.shape[2] - 1) * op.window.stride[1] + extent_w


def _same_bytes(x: Tensor, y: Tensor) -> bool:
    return not x.is_constant and x.dtype.itemsize == y.dtype.itemsize and x.elements == y.elements


def _rows_stay_ahead(op: DepthwiseConv2D, x: Tensor, y: Tensor) -> bool:
    """Whether no output row is written over an input row that was not copied yet."""
    if op.depth_multiplier != 1 or x.dtype is not DType.INT8:
        return False
    _, in_h, in_w, _ = x.shape
    _, out_h, out_w, _ = y.shape
    if out_h * out_w > in_h * in_w:
        return False
    extent_h, _ = op.window.extent
    for row in range(out_h):
        copied = row * op.window.stride[0] - op.window.padding.top + extent_h
        if copied < in_h and (row + 1) * out_w > max(copied, 0) * in_w:
            return False
    return True
