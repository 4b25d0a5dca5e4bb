"""What the firmware offers for ops that are executed by rows."""

from __future__ import annotations

from harness.ir import Graph, Op
from harness.ir import ops as ir
from harness.kernels import convolution, elementwise, moves, pointwise, pooling
from harness.kernels.call import RowCall, SumsCall


def row_calls(graph: Graph, op: Op) -> tuple[RowCall, ...]:
    """Return the calls that together make columns of one row of an op's output.

    The op goes by rows, which the schedule has seen to.
    """
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
        case ir.Quantize() | ir.Logistic() | ir.Tanh():
            return (pointwise.lookup_row(graph, op),)
        case ir.Pad():
            return (moves.pad_row(graph, op),)
        case ir.Concatenation():
            return moves.join_row(graph, op)
        case ir.ResizeNearestNeighbor():
            return (moves.resize_row(graph, op),)
        case _:
            raise AssertionError(f"op {op.index} ({op.kind}) does not go by rows")


def sums_call(graph: Graph, op: Op) -> SumsCall:
    """Return the call that finishes an op that sums over all rows."""
    match op:
        case ir.AveragePool2D():
            return pooling.average_sums(graph, op)
        case ir.Mean():
            return pooling.mean_sums(graph, op)
        case _:
            raise AssertionError(f"op {op.index} ({op.kind}) does not sum over all rows")
