"""The portable kernels, which do every op on every core: for each op its calls.

They are what an op gets when the kernels of an instruction set leave it alone.
"""

from __future__ import annotations

from functools import partial
from typing import assert_never

from harness.errors import UnsupportedModelError
from harness.ir import Graph, Op
from harness.ir import ops as ir
from harness.kernels import convolution, elementwise, inplace, moves, pointwise, pooling
from harness.kernels.call import Call, RowCall
from harness.kernels.variant import RowVariant, Variant

_NAME = "portable"


def variant(graph: Graph, op: Op, operand: int | None) -> Variant:
    """Return how an op is executed on whole tensors."""
    scratch = inplace.scratch_bytes(graph, op, operand)
    return Variant(_NAME, partial(_calls, graph, op, operand), scratch)


def row_variant(graph: Graph, op: Op) -> RowVariant:
    """Return how a row of an op is made; the op goes by rows, which the schedule has seen to."""
    return RowVariant(_NAME, partial(_row_calls, graph, op))


def _calls(graph: Graph, op: Op, operand: int | None) -> tuple[Call, ...]:
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


def _row_calls(graph: Graph, op: Op) -> tuple[RowCall, ...]:
    match op:
        case ir.Conv2D():
            return (convolution.conv_row(graph, op),)
        case ir.DepthwiseConv2D():
            return (convolution.depthwise_row(graph, op),)
        case ir.FullyConnected():
            return (convolution.fully_connected_row(graph, op),)
        case ir.Add() | ir.Sub() | ir.Mul():
            return (elementwise.binary_row(graph, op),)
        case ir.AveragePool2D() | ir.MaxPool2D():
            return (pooling.pool_row(graph, op),)
        case ir.Quantize() | ir.Dequantize() | ir.Logistic() | ir.Tanh():
            return (pointwise.pointwise_row(graph, op),)
        case ir.Pad():
            return (moves.pad_row(graph, op),)
        case ir.Concatenation():
            return moves.join_row(graph, op)
        case ir.ResizeNearestNeighbor():
            return (moves.resize_row(graph, op),)
        case _:
            raise AssertionError(f"op {op.index} ({op.kind}) does not go by rows")
