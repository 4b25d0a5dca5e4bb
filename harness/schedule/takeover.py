"""Takeovers: output rows in the slots of an operand's ring.

An element-wise op reads each element before it writes it, and some kernels read all that their rows
need of a channel before they write the first of them (``RowVariant.over_operand``). Then an output
row may lie where an operand's row lies that nobody needs any more: of a depthwise convolution, in
the slot of the first row that its window reads, which dies with it. So a depthwise convolution of
3x3 that makes two rows at once has no bytes of its own::

    slot       0     1     2     3
    before   x[4]  x[1]  x[2]  x[3]       rows 2 and 3 are made: of x[1] .. x[4]
    after    x[4]  y[2]  y[3]  x[3]       x[3] and x[4] are read again
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.ir import Graph, Op, TensorId
from harness.ir.ops import Conv2D, DepthwiseConv2D, Window
from harness.kernels.kernel_set import KernelSet
from harness.kernels.library import row_scratch_bytes, row_scratch_over_operand
from harness.schedule.geometry import is_elementwise, row_bytes
from harness.schedule.plan import FusedSegment, align

_WORTH_SCRATCH = 1.3
"""How much scratch, in bytes saved, a row may cost that lies over another."""


@dataclass(frozen=True, slots=True)
class Course:
    """Row r of one tensor lies where row ``pitch * r + lag`` of another does."""

    lag: int = 0
    pitch: int = 1

    def after(self, before: Course) -> Course:
        """Return the course in the slots that ``before`` leads to."""
        return Course(before.pitch * self.lag + before.lag, before.pitch * self.pitch)


@dataclass(frozen=True, slots=True)
class Takeover:
    """Rows of an output may take the bytes of those rows of an operand that ``course`` tells.

    The kernels have ``scratch_bytes`` then, or more.
    """

    operand: TensorId
    course: Course
    scratch_bytes: int


def takeovers(kernels: KernelSet, graph: Graph, op: Op) -> Iterator[Takeover]:
    """Yield the operands over whose rows an op that goes by rows may write its own, if they die.

    Scratch may be more than it would be otherwise, by little more than what is saved of a row: it
    saves work, too.
    """
    output, least = op.outputs[0], row_scratch_bytes(kernels, graph, op)
    if is_elementwise(graph, op):
        for operand in op.inputs:
            is_alike = row_bytes(graph, operand) == row_bytes(graph, output)
            if is_alike and not graph.tensor(operand).is_constant:
                yield Takeover(operand, Course(), align(least))
    elif isinstance(op, Conv2D | DepthwiseConv2D):
        operand, scratch = op.inputs[0], row_scratch_over_operand(kernels, graph, op)
        most = least + row_bytes(graph, output) * _WORTH_SCRATCH
        if _fits_over(graph, op) and scratch is not None and scratch <= most:
            course = Course(-op.window.padding.top, op.window.stride[0])
            yield Takeover(operand, course, align(scratch))


def _fits_over(graph: Graph, op: Conv2D | DepthwiseConv2D) -> bool:
    """Whether each pixel of an output row may lie on one of an operand's row, or on its part."""
    x, y = (graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    if isinstance(op, DepthwiseConv2D):
        return x[3] == y[3] and x[2] >= y[2] and _begins_with_rows(op.window, x[1], y)
    return x == y and op.window.stride == (1, 1)


def _begins_with_rows(w: Window, in_h: int, y: tuple[int, ...]) -> bool:
    """Whether windows read rows from where these begin, and none lies below the last one."""
    _, out_h, out_w, _ = y
    lefts = (w.padding.left - k * w.dilation[1] for k in range(w.kernel[1]))
    begins = any(left in range(0, out_w * w.stride[1], w.stride[1]) for left in lefts)
    return begins and (out_h - 1) * w.stride[0] - w.padding.top < in_h


def segment_scratch_bytes(kernels: KernelSet, graph: Graph, segment: FusedSegment) -> int:
    """Return the fewest bytes of scratch of a fused segment, whose rows have their places."""
    owners = {kept.tensor: kept.owner for kept in segment.rows}

    def needed(op: Op) -> int:
        for taken in takeovers(kernels, graph, op):
            if taken.operand in owners and owners[taken.operand] == owners.get(op.outputs[0]):
                return taken.scratch_bytes
        return align(row_scratch_bytes(kernels, graph, op))

    return max(needed(graph.ops[i]) for i in segment.ops)
