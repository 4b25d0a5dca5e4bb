"""What the firmware offers: for each op its calls, its scratch, and what it may overwrite.

These are the portable kernels, which do every op on every core. Kernels for one core will be a
second such function, asked first and free to leave an op to this one.
"""

from __future__ import annotations

from typing import assert_never

from harness.errors import UnsupportedModelError
from harness.ir import Graph, Op
from harness.ir import ops as ir
from harness.kernels import convolution, elementwise, moves, pointwise, pooling
from harness.kernels.call import Call
from harness.kernels.inplace import inplace_operands, is_alias, scratch_bytes

__all__ = ["calls", "inplace_operands", "is_alias", "scratch_bytes"]


def calls(graph: Graph, op: Op, operand: int | None) -> tuple[Call, ...]:
    """Return the kernel calls that execute an op, one after the other.

    ``operand`` is the input whose bytes the output takes, None if it has bytes of its own.
    Raises UnsupportedModelError for what no kernel does.
    """
    match op:
        case ir.Conv2D():
            return convolution.conv(graph, op)
        case ir.DepthwiseConv2D():
            return convolution.depthwise(graph, op, operand)
        case ir.FullyConnected():
            return convolution.fully_connected(graph, op)
        case ir.Add() | ir.Sub() | ir.Mul():
            return elementwise.binary(graph, op)
        case ir.AveragePool2D() | ir.MaxPool2D():
            return pooling.pool(graph, op)
        case ir.Mean():
            return pooling.mean(graph, op)
        case ir.Softmax():
            return pointwise.softmax(graph, op)
        case ir.Logistic() | ir.Tanh():
            return pointwise.lookup(graph, op)
        case ir.Quantize():
            return pointwise.quantize(graph, op)
        case ir.Dequantize():
            return pointwise.dequantize(graph, op)
        case ir.Reshape():
            return moves.reshape(graph, op)
        case ir.Transpose():
            return moves.transpose(graph, op)
        case ir.StridedSlice():
            return moves.strided_slice(graph, op)
        case ir.Pad():
            return moves.pad(graph, op)
        case ir.Concatenation() | ir.Pack():
            return moves.join(graph, op)
        case ir.Split() | ir.Unpack():
            return moves.cut(graph, op)
        case ir.ResizeNearestNeighbor():
            return moves.resize(graph, op)
        case ir.Shape():
            raise UnsupportedModelError(
                "the shape of a tensor is not computed on the board",
                hint="run all passes: constant folding removes this op",
            )
        case _:
            assert_never(op)
