"""From segments to a plan: their bytes, placed in one arena."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from harness.ir import Graph
from harness.schedule.arena import packing, place
from harness.schedule.lifetime import blocks, overlaps
from harness.schedule.packer import pack
from harness.schedule.plan import Allocation, Plan, Segment
from harness.schedule.stream import Streams


def lay_out(graph: Graph, schedule: str, segments: Sequence[Segment], streams: Streams) -> Plan:
    """Return the plan of given segments, not replayed; ``streams`` are those of the graph."""
    kernels = streams.fusion.kernels
    needed = blocks(graph, kernels, segments)
    shared = overlaps(streams, segments, needed)
    allocations = [
        Allocation(block.purpose, piece.tensors, offset, piece.size_bytes, piece.first, piece.last)
        for block, offset in zip(needed, place(needed, shared), strict=True)
        for piece in block.pieces
    ]
    allocations.sort(key=lambda a: (a.first, a.offset))
    return Plan(graph, schedule, tuple(segments), tuple(allocations), kernels)


def clash_within(segments: Sequence[Segment], streams: Streams, limit: int) -> tuple[range, int]:
    """Return a shortest run of segments that cannot be laid out in ``limit``, and its bytes.

    All together they must be known to need more. Whatever runs before and after, a run needs the
    same: what is alive at its cuts does not depend on it.
    """
    graph, kernels = streams.fusion.graph, streams.fusion.kernels
    needed = blocks(graph, kernels, segments)
    shared = overlaps(streams, segments, needed)

    def bytes_of(first: int, end: int) -> int:
        problem = packing(needed, shared, range(first, end))
        return problem.peak(pack(problem, limit))

    ends = range(1, len(segments))
    end = 1 + bisect_left(ends, True, key=lambda end: bytes_of(0, end) > limit)
    firsts = range(1, end)
    first = bisect_left(firsts, True, key=lambda first: bytes_of(first, end) <= limit)
    problem = packing(needed, shared, range(first, end))
    return range(first, end), problem.peak(pack(problem))
