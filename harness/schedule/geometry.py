"""Which rows and columns of its inputs an op reads for some of its outputs.

Everything that fuses ops is built on these two questions: can an op be executed row by row, and
what does a range of its output depend on. Ranges are half-open, in the tensor's own rows or
columns, and clipped to the tensor: padding lies only outside of true borders.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from harness.ir import Graph, Op
from harness.ir import ops as ir


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
        """Return the least span that holds both."""
        return Span(min(self.first, other.first), max(self.end, other.end))


class Axis(Enum):
    """Rows or columns of a tensor ``[N, H, W, C]``; the value is the position in a shape."""

    ROWS = 1
    COLUMNS = 2


def length(graph: Graph, tensor_id: int, axis: Axis) -> int:
    """Return the rows or columns of a tensor; a tensor of rank below 4 has one of each."""
    shape = graph.tensors[tensor_id].shape
    return shape[axis.value] if len(shape) == 4 else 1


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
