"""From segments to a plan: their bytes, placed in one arena."""

from __future__ import annotations

from collections.abc import Sequence

from harness.ir import Graph
from harness.schedule.arena import place
from harness.schedule.lifetime import blocks, overlaps
from harness.schedule.plan import Allocation, Plan, Segment
from harness.schedule.stream import Streams


def lay_out(
    graph: Graph,
    schedule: str,
    segments: Sequence[Segment],
    streams: Streams,
    *,
    capacity: int | None = None,
) -> Plan:
    """Return the plan of given segments, not replayed; ``streams`` are those of the graph.

    With a ``capacity`` in bytes the search for offsets is short, and looks for nothing less.
    """
    kernels = streams.fusion.kernels
    needed = blocks(graph, kernels, segments)
    shared = overlaps(streams, segments, needed)
    allocations = [
        Allocation(block.purpose, piece.tensors, offset, piece.size_bytes, piece.first, piece.last)
        for block, offset in zip(needed, place(needed, shared, capacity=capacity), strict=True)
        for piece in block.pieces
    ]
    allocations.sort(key=lambda a: (a.first, a.offset))
    return Plan(graph, schedule, tuple(segments), tuple(allocations), kernels)
