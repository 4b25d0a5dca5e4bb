"""Batches: several rows at once, where a plan has room for the rings and scratch that they need.

A kernel that makes neighbouring rows shares what their windows see; a depthwise convolution row by
row expands each row of its input as often as its kernel is high. With more scratch it makes more
columns at a time. Both cost bytes and nothing else, so plans are found without them, and what is
then left below the limit is spent.
"""

from __future__ import annotations

from dataclasses import replace

from harness.kernels.library import row_scratch_wanted
from harness.schedule.choices import Choices
from harness.schedule.geometry import sums_all_rows
from harness.schedule.layout import lay_out, lay_out_within
from harness.schedule.plan import Plan, Segment, StreamSegment, align

_BATCHES = (16, 12, 10, 9, 8, 6, 5, 4, 3, 2)
"""How many rows at a time ops may make."""

_MOST_TRIED = 8
"""How many ways to make a stream are laid out before it is left as it is."""


def in_batches(plan: Plan, choices: Choices, limit: float) -> Plan:
    """Return a plan whose streams make rows in batches, as far as the peak stays in ``limit``.

    A peak above the limit is not raised. Streams that gain most come first; each takes the batch
    and the scratch with which it does the least work.
    """
    found_without, most = plan, max(limit, plan.planned_peak_bytes)
    gains = [(_gain(choices, segment), i) for i, segment in enumerate(plan.segments)]
    for gain, i in sorted(gains, reverse=True):
        segment = plan.segments[i]
        if gain <= 0 or not isinstance(segment, StreamSegment):
            continue
        for found in _candidates(choices, segment, most)[:_MOST_TRIED]:
            segments = [*plan.segments[:i], found, *plan.segments[i + 1 :]]
            made = lay_out_within(plan.schedule, segments, choices.streams, most)
            if made is not None:
                plan = made
                break
    if plan is found_without:
        return plan
    tighter = lay_out(plan.schedule, plan.segments, choices.streams)
    return min(plan, tighter, key=lambda made: made.planned_peak_bytes)


def _gain(choices: Choices, segment: Segment) -> float:
    """Return the instructions that the largest batches save."""
    if not isinstance(segment, StreamSegment) or segment.stripes > 1:
        return 0.0
    if not any(map(choices.work.goes_in_batches, segment.ops)):
        return 0.0
    largest = replace(segment, rows=(), batch=_BATCHES[0])
    return choices.work.instructions(segment) - choices.work.instructions(largest)


def _candidates(choices: Choices, segment: StreamSegment, most: float) -> list[StreamSegment]:
    """Return the stream in other batches and other scratch, as far as its bytes fit.

    They do less work than it does; the one that does least comes first.
    """
    graph = choices.graph
    sizes = {
        align(size)
        for i in segment.ops
        if not sums_all_rows(graph, graph.ops[i])
        for size in row_scratch_wanted(choices.kernels, graph, graph.ops[i])
    }
    now, found = choices.work.instructions(segment), []
    for batch in (segment.batch, *_BATCHES):
        packed, peak = (
            (segment, choices.stream_peak(segment))
            if batch == segment.batch
            else choices.in_batches(segment, batch)
        )
        least = choices.least_scratch(packed)
        room = most - peak + least
        for size in {least} | {size for size in sizes if least < size <= room}:
            work = choices.work.instructions(packed, size)
            if size <= room and work < now:
                found.append((work, size, replace(packed, scratch_bytes=size)))
    return [made for _, _, made in sorted(found, key=lambda one: one[:2])]
