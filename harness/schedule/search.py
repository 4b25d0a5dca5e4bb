"""From a graph and the name of a schedule to a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from harness.errors import InputError, UsageError, near_names
from harness.ir import Graph
from harness.schedule.arena import place
from harness.schedule.choices import Choice, Choices
from harness.schedule.fusion import Fusion
from harness.schedule.inplace import inplace_segments, layer_segments
from harness.schedule.lifetime import blocks, overlaps
from harness.schedule.paths import cheapest, least_peak
from harness.schedule.plan import Allocation, Plan, Segment
from harness.schedule.stream import Streams
from harness.schedule.verify import verify_plan

_SEGMENTS: MappingProxyType[str, Callable[[Graph], tuple[Segment, ...]]] = MappingProxyType(
    {"layer": layer_segments, "inplace": inplace_segments}
)

SCHEDULES: tuple[str, ...] = (*_SEGMENTS, "stream")
"""Names of the schedules, in the order in which they get better."""


def plan(graph: Graph, schedule: str = "inplace", *, input_by_rows: bool = False) -> Plan:
    """Return the plan of a graph, replayed and found sound.

    Raises UsageError when there is no such schedule, InputError when the graph does not allow it.
    """
    if schedule not in SCHEDULES:
        raise UsageError(
            f"no schedule is called '{schedule}'", hint=near_names(schedule, SCHEDULES)
        )
    if schedule == "stream":
        made = _stream(graph, input_by_rows)
    else:
        made = assemble(graph, schedule, _SEGMENTS[schedule](graph))
    verify_plan(made)
    return made


def assemble(
    graph: Graph, schedule: str, segments: Sequence[Segment], streams: Streams | None = None
) -> Plan:
    """Return the plan of given segments: their bytes, placed in one arena."""
    needed = blocks(graph, segments)
    shared = overlaps(streams or Streams(Fusion(graph)), segments, needed)
    allocations = [
        Allocation(block.purpose, piece.tensors, offset, piece.size_bytes, piece.first, piece.last)
        for block, offset in zip(needed, place(needed, shared), strict=True)
        for piece in block.pieces
    ]
    allocations.sort(key=lambda a: (a.first, a.offset))
    return Plan(graph, schedule, tuple(segments), tuple(allocations))


def _stream(graph: Graph, input_by_rows: bool) -> Plan:
    """Return the plan of least peak in which nothing is computed twice, the cheapest of those."""
    choices = Choices(graph, input_by_rows=input_by_rows)
    if input_by_rows and choices.fusion.input_by_rows is None:
        raise InputError(f"{graph.name}: the input cannot be delivered by rows")
    count = len(graph.ops)
    offered = [c for i in range(count) for c in choices.singles(i)]
    for end in range(1, count + 1):
        if choices.fusion.starts[end] < end:
            offered.extend(choices.streams_to(end))
    while True:
        limit = least_peak(offered, count)
        assert limit is not None, "each op is a segment by itself"
        path = cheapest(offered, count, limit)
        assert path is not None, "a path of this peak exists"
        open_choices = {c: choices.packed(c) for c in path if c.segment is None}
        if not open_choices:
            return assemble(graph, "stream", _segments(path), choices.streams)
        offered = [open_choices.get(c, c) for c in offered]


def _segments(path: Sequence[Choice]) -> tuple[Segment, ...]:
    return tuple(choice.segment for choice in path if choice.segment is not None)
