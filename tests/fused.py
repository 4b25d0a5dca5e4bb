"""Plans with one fused segment, made by hand: everything whole outside, nothing clever inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.ir import Graph, TensorId
from harness.schedule.plan import (
    Allocation,
    FusedSegment,
    LayerSegment,
    PatchSegment,
    Plan,
    Purpose,
    Rows,
    Segment,
    StreamSegment,
    align,
)


def full_rows(graph: Graph, tensors: Sequence[TensorId]) -> tuple[tuple[Rows, ...], int]:
    """Return rows that keep tensors whole, one after the other, and the bytes of all."""
    kept, end = [], 0
    for t in tensors:
        shape = graph.tensor(t).shape
        height, width = shape[1:3] if len(shape) == 4 else (1, 1)
        kept.append(Rows(t, height, width, end))
        end += align(graph.tensor(t).size_bytes)
    return tuple(kept), end


def sparse_plan(graph: Graph, segment: FusedSegment, workspace: int) -> Plan:
    """Return a plan of one fused segment and layers around it; no two allocations overlap."""
    inner = {rows.tensor for rows in segment.rows}
    position = segment.first_op
    segments: tuple[Segment, ...] = (
        *(LayerSegment(i) for i in range(position)),
        segment,
        *(LayerSegment(i) for i in range(segment.last_op + 1, len(graph.ops))),
    )
    allocations, end = [], 0
    for t in graph.activations():
        if t not in inner:
            size = align(graph.tensor(t).size_bytes)
            allocations.append(Allocation(Purpose.TENSOR, (t,), end, size, -1, len(segments)))
            end += size
    if workspace:
        allocations.append(Allocation(Purpose.WORKSPACE, (), end, workspace, position, position))
    return Plan(graph, segment.kind, segments, tuple(allocations))


def fused_plan(graph: Graph, segment: FusedSegment, *, extra: int = 0) -> Plan:
    """Return a plan in which the segment keeps its inner tensors whole, and ``extra`` bytes."""
    inner = [t for i in segment.ops[:-1] for t in graph.ops[i].outputs]
    if isinstance(segment, StreamSegment) and segment.input_by_rows:
        inner.insert(0, graph.ops[segment.first_op].inputs[0])
    rows, size = full_rows(graph, inner)
    return sparse_plan(graph, replace(segment, rows=rows), size + align(extra))


def with_rows(made: Plan, *changes: Rows) -> Plan:
    """Return a plan in which the fused segment keeps other rows of some tensors."""
    changed = {rows.tensor: rows for rows in changes}
    return replace(made, segments=tuple(_kept(segment, changed) for segment in made.segments))


def _kept(segment: Segment, changed: Mapping[TensorId, Rows]) -> Segment:
    if not isinstance(segment, StreamSegment | PatchSegment):
        return segment
    return replace(segment, rows=tuple(changed.get(rows.tensor, rows) for rows in segment.rows))


def with_workspace(made: Plan, offset: int) -> Plan:
    """Return a plan whose workspace lies elsewhere."""
    rest = (
        replace(a, offset=offset) if a.purpose is Purpose.WORKSPACE else a for a in made.allocations
    )
    return replace(made, allocations=tuple(rest))


def moved(made: Plan, tensor_id: TensorId, offset: int) -> Plan:
    """Return a plan in which a tensor lies elsewhere."""
    there = made.allocation(tensor_id)
    rest = (replace(a, offset=offset) if a is there else a for a in made.allocations)
    return replace(made, allocations=tuple(rest))
