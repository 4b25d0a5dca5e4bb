"""Kernels for ARMv6-M: Cortex-M0 and M0+, which multiply 32 bits by 32 to 32.

Source of the instructions: Arm DDI 0419 (ARMv6-M Architecture Reference Manual), A6.7.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.ir import Graph, Op
from harness.ir import ops as ir
from harness.kernels import dots
from harness.kernels.armv6m import depthwise
from harness.kernels.kernel_set import Isa, KernelSet
from harness.kernels.variant import RowVariant, Variant


def variants(kernels: KernelSet, graph: Graph, op: Op, operand: int | None) -> Iterator[Variant]:
    """Yield ways to execute an op on whole tensors, the best first."""
    del kernels
    match op:
        case ir.Conv2D():
            yield from dots.conv(Isa.ARMV6M, graph, op)
        case ir.DepthwiseConv2D():
            yield from depthwise.depthwise(graph, op, operand)
        case ir.FullyConnected():
            yield from dots.fully_connected(Isa.ARMV6M, graph, op)
        case _:
            return


def row_variants(kernels: KernelSet, graph: Graph, op: Op) -> Iterator[RowVariant]:
    """Yield ways to make a row of an op, the best first."""
    del kernels
    match op:
        case ir.Conv2D():
            yield from dots.conv_row(Isa.ARMV6M, graph, op)
        case ir.DepthwiseConv2D():
            yield from depthwise.depthwise_row(graph, op)
        case ir.FullyConnected():
            yield from dots.fully_connected_row(Isa.ARMV6M, graph, op)
        case _:
            return


def inplace_operands(graph: Graph, op: Op) -> tuple[int, ...]:
    """Return the positions in ``op.inputs`` whose bytes the output may take."""
    del graph, op
    return ()
