"""Rings: what a fused segment keeps of tensors that are never whole, in bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.ir import Graph, TensorId
from harness.schedule.geometry import Axis, evenly, length, pixel_bytes, sums_bytes, tile
from harness.schedule.plan import FusedSegment, Rows, StreamSegment, align
from harness.schedule.takeover import Course


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """Slots for rows of a tensor and of those that take them over (``Sweep.ring``)."""

    courses: Mapping[TensorId, Course]
    rows: int
    columns: Mapping[TensorId, int]
    pixel_bytes: int
    settled: int = 0
    """Rows that stay when all that read rows here have; 0 if that is not told apart."""

    @property
    def owner(self) -> TensorId:
        """The tensor whose slots these are."""
        return next(iter(self.courses))

    @property
    def size_bytes(self) -> int:
        """Bytes of all slots."""
        return align(self.rows * self.columns[self.owner] * self.pixel_bytes)

    @property
    def settled_bytes(self) -> int:
        """Bytes of those that stay."""
        rows = self.settled or self.rows
        return align(rows * self.columns[self.owner] * self.pixel_bytes)

    def places(self, offset: int) -> Iterator[Rows]:
        """Yield where the rows of all tensors lie if the first slot is at ``offset``."""
        lowest = min(course.lag for course in self.courses.values())
        for tensor, course in self.courses.items():
            is_own = tensor == self.owner
            yield Rows(
                tensor,
                self.rows,
                self.columns[tensor],
                offset,
                shift=course.lag - lowest,
                over=None if is_own else self.owner,
                settled=self.settled if is_own else 0,
                pitch=course.pitch,
            )


def columns_made(graph: Graph, ops: range, stripes: int) -> dict[TensorId, int]:
    """Return the columns of each tensor that are made (or read) of a row, in the widest stripe."""
    made: dict[TensorId, int] = {}
    if stripes == 1:
        # Rows are made whole, even where the output does not depend on all of them.
        tensors = (t for i in ops for t in (*graph.ops[i].inputs, *graph.ops[i].outputs))
        return {t: length(graph, t, Axis.COLUMNS) for t in tensors}
    output = graph.ops[ops[-1]].outputs[0]
    for stripe in evenly(length(graph, output, Axis.COLUMNS), stripes):
        for tensor, span in tile(graph, ops, Axis.COLUMNS, stripe).items():
            made[tensor] = max(made.get(tensor, 0), span.length)
    return made


def chunks(graph: Graph, segment: StreamSegment) -> dict[TensorId, int]:
    """Return, for each tensor of which a stream makes a row in chunks, in how many at most."""
    made = columns_made(graph, segment.ops, segment.stripes)
    return {
        rows.tensor: -(-made[rows.tensor] // rows.columns)
        for rows in segment.rows
        if rows.columns < made[rows.tensor]
    }


def workspace_bytes(graph: Graph, segment: FusedSegment) -> int:
    """Return the bytes of a fused segment's workspace: its rows, then its sums."""
    ends = (
        rows.offset + rows.rows * rows.columns * pixel_bytes(graph, rows.tensor)
        for rows in segment.rows
    )
    return align(max(ends, default=0)) + all_sums_bytes(graph, segment.ops)


def all_sums_bytes(graph: Graph, ops: range) -> int:
    """Return the bytes of the int32 sums of those ops that sum over all rows."""
    return sum(sums_bytes(graph, graph.ops[i]) for i in ops)
