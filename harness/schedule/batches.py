"""Batches: several rows at once, where a plan has room for the rings that they need.

A kernel that makes neighbouring rows shares what their windows see; a depthwise convolution row by
row expands each row of its input as often as its kernel is high. Batches cost rows of rings and
nothing else, so plans are found without them, and what is then left below the limit is spent.
"""

from __future__ import annotations

from dataclasses import replace

from harness.schedule.choices import Choice, Choices
from harness.schedule.layout import lay_out
from harness.schedule.plan import Plan, Segment, StreamSegment
from harness.schedule.stream import Cut

_BATCHES = (8, 4, 2)
"""How many rows at a time ops may make."""


def in_batches(plan: Plan, choices: Choices, limit: float) -> Plan:
    """Return a plan whose streams make rows in batches, as far as the peak stays in ``limit``.

    A peak above the limit is not raised. Streams that gain most come first.
    """
    most = max(limit, plan.planned_peak_bytes)
    gains = [(_gain(choices, segment), i) for i, segment in enumerate(plan.segments)]
    for gain, i in sorted(gains, reverse=True):
        segment = plan.segments[i]
        if gain <= 0 or not isinstance(segment, StreamSegment):
            continue
        for rows in _BATCHES:
            packed = _packed(choices, segment, rows)
            if packed.segment is None or packed.peak_bytes > most:
                continue
            segments = list(plan.segments)
            segments[i] = packed.segment
            made = lay_out(plan.graph, plan.schedule, segments, choices.streams)
            if made.planned_peak_bytes <= most:
                plan = made
                break
    return plan


def _gain(choices: Choices, segment: Segment) -> float:
    """Return the instructions that the largest batches save."""
    if not isinstance(segment, StreamSegment) or segment.stripes > 1:
        return 0.0
    if not any(map(choices.work.goes_in_batches, segment.ops)):
        return 0.0
    largest = replace(segment, rows=(), batch=_BATCHES[0])
    return choices.work.instructions(segment) - choices.work.instructions(largest)


def _packed(choices: Choices, segment: StreamSegment, batch: int) -> Choice:
    ops, by_rows = segment.ops, segment.input_by_rows
    return choices.packed(Choice(ops.start, ops.stop, 0, 0.0, None, Cut(batch=batch), by_rows))
