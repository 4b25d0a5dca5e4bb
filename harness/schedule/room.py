"""Room: what is left of the arena while a segment runs is given to its kernels as scratch.

A plan is searched with the fewest bytes of scratch that rows can be made with. With more some
kernels are faster (they expand more columns at a time), and few segments need the whole arena.
"""

from __future__ import annotations

from dataclasses import replace

from harness.kernels.library import row_scratch_wanted
from harness.schedule.plan import ALIGNMENT, Allocation, FusedSegment, Plan, Purpose, align


def give_room(plan: Plan, limit: float = 0) -> Plan:
    """Return a plan whose fused segments have as much scratch as is of use and fits ``limit``.

    A peak above the limit is not raised.
    """
    most = max(limit, plan.planned_peak_bytes)
    changed: dict[int, Allocation] = {}
    for position, segment in enumerate(plan.segments):
        if isinstance(segment, FusedSegment):
            given = plan.scratch(position)
            found = _scratch(plan, position, segment, most)
            if found is not None and (given is None or found.size_bytes > given.size_bytes):
                changed[position] = found
    if not changed:
        return plan
    kept = (
        a for a in plan.allocations if a.purpose is not Purpose.SCRATCH or a.first not in changed
    )
    allocations = sorted([*kept, *changed.values()], key=lambda a: (a.first, a.offset))
    return replace(plan, allocations=tuple(allocations))


def _scratch(plan: Plan, position: int, segment: FusedSegment, most: float) -> Allocation | None:
    """Return the most scratch that is of use to a segment and fits beside what is alive."""
    ops = (plan.graph.ops[i] for i in segment.ops)
    wanted = {
        align(size) for op in ops for size in row_scratch_wanted(plan.kernels, plan.graph, op)
    }
    offset, room = _widest_gap(plan, position, most)
    fitting = max((size for size in wanted if size <= room), default=0)
    if not fitting:
        return None
    return Allocation(Purpose.SCRATCH, (), offset, fitting, position, position)


def _widest_gap(plan: Plan, position: int, limit: float) -> tuple[int, float]:
    """Return where the most bytes are free below a limit while a segment runs, and how many."""
    alive = [
        a
        for a in plan.allocations
        if a.first <= position <= a.last
        and not (a.purpose is Purpose.SCRATCH and a.first == position)
    ]
    at, best, most = 0, 0, 0.0
    for begin, end in sorted((a.offset, a.end) for a in alive):
        if begin - at > most:
            best, most = at, begin - at
        at = max(at, -(-end // ALIGNMENT) * ALIGNMENT)
    if limit - at > most:
        best, most = at, limit - at
    return best, most
