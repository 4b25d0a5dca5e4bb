"""From a graph and the name of a schedule to a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from harness.errors import UsageError, near_names
from harness.ir import Graph
from harness.schedule.arena import place
from harness.schedule.inplace import inplace_segments, layer_segments
from harness.schedule.lifetime import blocks
from harness.schedule.plan import Allocation, Plan, Segment
from harness.schedule.verify import verify_plan

_SEGMENTS: MappingProxyType[str, Callable[[Graph], tuple[Segment, ...]]] = MappingProxyType(
    {"layer": layer_segments, "inplace": inplace_segments}
)

SCHEDULES: tuple[str, ...] = tuple(_SEGMENTS)
"""Names of the schedules, in the order in which they get better."""


def plan(graph: Graph, schedule: str = "inplace") -> Plan:
    """Return the plan of a graph under a named schedule.

    Raises UsageError when there is no such schedule.
    """
    if schedule not in _SEGMENTS:
        raise UsageError(
            f"no schedule is called '{schedule}'", hint=near_names(schedule, SCHEDULES)
        )
    return assemble(graph, schedule, _SEGMENTS[schedule](graph))


def assemble(graph: Graph, schedule: str, segments: Sequence[Segment]) -> Plan:
    """Return the plan of given segments, placed in one arena, replayed and found sound.

    Raises PlanFaultError when the segments cannot compute the graph, which is our own bug.
    """
    needed = blocks(graph, segments)
    allocations = [
        Allocation(block.purpose, piece.tensors, offset, piece.size_bytes, piece.first, piece.last)
        for block, offset in zip(needed, place(needed), strict=True)
        for piece in block.pieces
    ]
    allocations.sort(key=lambda a: (a.first, a.offset))
    made = Plan(graph, schedule, tuple(segments), tuple(allocations))
    verify_plan(made)
    return made
