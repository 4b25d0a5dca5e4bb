"""Kernels for Armv8.1-M with MVE ("Helium"): Cortex-M55 and its successors.

Source of the instructions: Arm DDI 0553 (Armv8-M Architecture Reference Manual), C2.4.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.ir import Graph, Op
from harness.ir import ops as ir
from harness.kernels.kernel_set import KernelSet
from harness.kernels.mve import convolution, depthwise, elementwise, pointwise, pooling
from harness.kernels.variant import RowVariant, Variant


def variants(kernels: KernelSet, graph: Graph, op: Op, operand: int | None) -> Iterator[Variant]:
    """Yield ways to execute an op on whole tensors, the best first."""
    del kernels  # the fewest instructions are the fewest cycles here, and small
    match op:
        case ir.Conv2D():
            yield from convolution.conv(graph, op)
        case ir.DepthwiseConv2D():
            yield from depthwise.depthwise(graph, op, operand)
        case ir.FullyConnected():
            yield from convolution.fully_connected(graph, op)
        case ir.Add() | ir.Sub() | ir.Mul():
            yield from elementwise.binary(graph, op)
        case ir.AveragePool2D() | ir.MaxPool2D():
            yield from pooling.pool(graph, op)
        case ir.Logistic() | ir.Tanh() | ir.Quantize():
            yield from pointwise.pointwise(graph, op)
        case _:
            return


def row_variants(kernels: KernelSet, graph: Graph, op: Op) -> Iterator[RowVariant]:
    """Yield ways to make a row of an op, the best first."""
    del kernels
    match op:
        case ir.Conv2D():
            yield from convolution.conv_row(graph, op)
        case ir.DepthwiseConv2D():
            yield from depthwise.depthwise_row(graph, op)
        case ir.FullyConnected():
            yield from convolution.fully_connected_row(graph, op)
        case ir.Add() | ir.Sub() | ir.Mul():
            yield from elementwise.binary_row(graph, op)
        case ir.AveragePool2D() | ir.MaxPool2D():
            yield from pooling.pool_row(graph, op)
        case ir.Logistic() | ir.Tanh() | ir.Quantize():
            yield from pointwise.pointwise_row(graph, op)
        case _:
            return


def inplace_operands(graph: Graph, op: Op) -> tuple[int, ...]:
    """Return the positions in ``op.inputs`` whose bytes the output may take."""
    del graph, op
    return ()
