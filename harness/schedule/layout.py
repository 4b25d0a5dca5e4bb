"""From segments to a plan: their bytes, placed in one arena."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from harness.schedule.arena import packing, place
from harness.schedule.lifetime import Block, blocks, overlaps
from harness.schedule.packer import pack, pack_within
from harness.schedule.plan import Allocation, Plan, Segment
from harness.schedule.stream import Streams


def lay_out(schedule: str, segments: Sequence[Segment], streams: Streams) -> Plan:
    """Return the plan of given segments, not replayed; ``streams`` are those of the graph."""
    needed = blocks(streams.fusion.graph, streams.fusion.kernels, segments)
    shared = overlaps(streams, segments, needed)
    return _plan(schedule, segments, streams, needed, place(needed, shared))


def lay_out_within(
    schedule: str, segments: Sequence[Segment], streams: Streams, limit: float
) -> Plan | None:
    """Return a plan as :func:`lay_out`, of any peak within ``limit``; None if none is found."""
    needed = blocks(streams.fusion.graph, streams.fusion.kernels, segments)
    problem = packing(needed, overlaps(streams, segments, needed))
    offsets = pack_within(problem, limit)
    return None if offsets is None else _plan(schedule, segments, streams, needed, offsets)


def _plan(
    schedule: str,
    segments: Sequence[Segment],
    streams: Streams,
    needed: Sequence[Block],
    offsets: Sequence[int],
) -> Plan:
    allocations = [
        Allocation(block.purpose, piece.tensors, offset, piece.size_bytes, piece.first, piece.last)
        for block, offset in zip(needed, offsets, strict=True)
        for piece in block.pieces
    ]
    allocations.sort(key=lambda a: (a.first, a.offset))
    fusion = streams.fusion
    return Plan(fusion.graph, schedule, tuple(segments), tuple(allocations), fusion.kernels)


def clash_within(segments: Sequence[Segment], streams: Streams, limit: int) -> tuple[range, int]:
    """Return a shortest run of segments that cannot be laid out in ``limit``, and its bytes.

    All together they must be known to need more. Whatever runs before and after, a run needs the
    same: what is alive at its cuts does not depend on it.
    """
    graph, kernels = streams.fusion.graph, streams.fusion.kernels
    needed = blocks(graph, kernels, segments)
    shared = overlaps(streams, segments, needed)

    def fits(first: int, end: int) -> bool:
        return pack_within(packing(needed, shared, range(first, end)), limit) is not None

    ends = range(1, len(segments))
    end = 1 + bisect_left(ends, True, key=lambda end: not fits(0, end))
    firsts = range(1, end)
    first = bisect_left(firsts, True, key=lambda first: fits(first, end))
    problem = packing(needed, shared, range(first, end))
    return range(first, end), problem.peak(pack(problem))
