"""A plan: what runs in which order in which bytes.

The unit of a plan is the *segment*: one op, or a run of ops that are executed together (row by
row, patch by patch). Ops that a segment fuses never see their inner tensors whole; what a segment
keeps of them (a ring of rows, a patch) is an :class:`Allocation` like any other. So a plan is

- segments, in execution order, which cover the graph's ops exactly once;
- allocations: runs of bytes in one arena, each alive over a range of segments.

Time is counted in segments: an allocation is alive from the segment that first writes it to the
one that last reads it, both included. Model inputs are alive from before the first segment
(``first`` is -1), model outputs to after the last (``last`` is the number of segments).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.ir import Graph, TensorId

ALIGNMENT = 4
"""Offsets and sizes of allocations are multiples of this, in bytes.

A word: int32 and float32 tensors may lie anywhere in the arena, and a kernel may load the last,
partial word of an int8 tensor without touching its neighbour.
"""


def align(size_bytes: int) -> int:
    """Return a size rounded up to whole words."""
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


class Purpose(StrEnum):
    """What the bytes of an allocation hold."""

    TENSOR = "tensor"
    SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Allocation:
    """``size_bytes`` bytes at ``offset`` in the arena, alive in segments ``first..last``.

    ``tensors`` are those whose bytes lie here one after the other in time (an op in place, a
    reshape). All of them start at ``offset``. Where an op in place leaves less than it took (a
    strided depthwise), the rest is free from the next segment on: the output then has a second
    allocation, smaller and at the same offset. Scratch has no tensors and belongs to one segment.
    """

    purpose: Purpose
    tensors: tuple[TensorId, ...]
    offset: int
    size_bytes: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """The first byte after the allocation."""
        return self.offset + self.size_bytes


@dataclass(frozen=True, slots=True)
class LayerSegment:
    """One op that reads whole tensors and writes whole tensors elsewhere."""

    op: int

    @property
    def ops(self) -> range:
        """Positions in ``graph.ops``."""
        return range(self.op, self.op + 1)

    @property
    def kind(self) -> str:
        """The word for it in records."""
        return "layer"


@dataclass(frozen=True, slots=True)
class InplaceSegment:
    """One op whose output takes the bytes of its input number ``operand``."""

    op: int
    operand: int

    @property
    def ops(self) -> range:
        """Positions in ``graph.ops``."""
        return range(self.op, self.op + 1)

    @property
    def kind(self) -> str:
        """The word for it in records."""
        return "inplace"


@dataclass(frozen=True, slots=True)
class AliasSegment:
    """An op that moves nothing: its output is its input under another shape (RESHAPE)."""

    op: int

    @property
    def ops(self) -> range:
        """Positions in ``graph.ops``."""
        return range(self.op, self.op + 1)

    @property
    def kind(self) -> str:
        """The word for it in records."""
        return "alias"


Segment = LayerSegment | InplaceSegment | AliasSegment
"""A later scheduler adds its own segments (patch, stream) to this union; mypy names what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A graph with its schedule. All sizes are bytes."""

    graph: Graph
    schedule: str
    segments: tuple[Segment, ...]
    allocations: tuple[Allocation, ...]

    @property
    def planned_peak_bytes(self) -> int:
        """Bytes of the arena, scratch included."""
        return max((a.end for a in self.allocations), default=0)

    @property
    def arena_bytes(self) -> int:
        """Bytes up to the end of the highest tensor."""
        tensors = (a.end for a in self.allocations if a.purpose is Purpose.TENSOR)
        return max(tensors, default=0)

    @property
    def scratch_bytes(self) -> int:
        """Bytes that kernels' scratch adds on top of the tensors; scratch in a gap adds none."""
        return self.planned_peak_bytes - self.arena_bytes

    def allocation(self, tensor_id: TensorId) -> Allocation:
        """Return where a tensor lies when it is written."""
        return next(a for a in self.allocations if tensor_id in a.tensors)

    def scratch(self, segment: int) -> Allocation | None:
        """Return the scratch of a segment, if it has any."""
        return next(
            (a for a in self.allocations if a.purpose is Purpose.SCRATCH and a.first == segment),
            None,
        )

    def live_bytes(self) -> tuple[int, ...]:
        """Return, for each segment, the bytes that are alive while it runs."""
        return tuple(
            sum(a.size_bytes for a in self.allocations if a.first <= s <= a.last)
            for s in range(len(self.segments))
        )
