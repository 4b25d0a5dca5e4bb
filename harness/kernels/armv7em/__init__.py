"""Kernels for ARMv7E-M, the instruction set of Cortex-M4, M7 and M33 with its DSP extension.

Source of the instructions: Arm DDI 0403 (ARMv7-M Architecture Reference Manual), A4.4.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.ir import Graph, Op
from harness.ir import ops as ir
from harness.kernels.armv7em import (
    convolution,
    depthwise,
    elementwise,
    fully_connected,
    pooling,
    winograd,
)
from harness.kernels.kernel_set import KernelSet
from harness.kernels.variant import RowVariant, Variant


def variants(kernels: KernelSet, graph: Graph, op: Op, operand: int | None) -> Iterator[Variant]:
    """Yield ways to execute an op on whole tensors, the best first."""
    compact = kernels.is_compact
    match op:
        case ir.Conv2D():
            if kernels.optimize == "instructions":
                yield from winograd.winograd(graph, op)
            yield from convolution.conv(graph, op, operand, kernels)
        case ir.FullyConnected():
            yield from fully_connected.fully_connected(graph, op, operand, kernels)
        case ir.Add() | ir.Sub() | ir.Mul():
            yield from elementwise.binary(graph, op)
        case ir.DepthwiseConv2D():
            yield from depthwise.variants(graph, op, operand, compact=compact)
        case ir.AveragePool2D() | ir.MaxPool2D():
            yield from pooling.pool(graph, op)
        case ir.Mean():
            yield from pooling.mean(graph, op)
        case _:
            return


def row_variants(kernels: KernelSet, graph: Graph, op: Op) -> Iterator[RowVariant]:
    """Yield ways to make a row of an op, the best first."""
    compact = kernels.is_compact
    match op:
        case ir.Conv2D():
            yield from convolution.conv_row(graph, op, kernels)
        case ir.FullyConnected():
            yield from fully_connected.fully_connected_row(graph, op, kernels)
        case ir.Add() | ir.Sub() | ir.Mul():
            yield from elementwise.binary_row(graph, op)
        case ir.DepthwiseConv2D():
            yield from depthwise.row_variants(graph, op, compact=compact)
        case ir.AveragePool2D() | ir.MaxPool2D():
            yield from pooling.pool_row(graph, op)
        case _:
            return


def inplace_operands(graph: Graph, op: Op) -> tuple[int, ...]:
    """Return the positions in ``op.inputs`` whose bytes the output may take."""
    match op:
        case ir.Conv2D():
            return convolution.inplace_operands(graph, op)
        case _:
            return ()
