"""Batches: several rows at once, where a plan has room for the rings and scratch that they need.

A kernel that makes neighbouring rows shares what their windows see; a depthwise convolution row by
row expands each row of its input as often as its kernel is high. With more scratch it makes more
columns at a time. Both cost bytes and nothing else, so plans are found without them, and what is
then left below the limit is spent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from harness.kernels.library import row_scratch_wanted
from harness.schedule.choices import Choice, Choices
from harness.schedule.geometry import sums_all_rows
from harness.schedule.layout import lay_out, lay_out_within
from harness.schedule.limits import FlashLimit
from harness.schedule.plan import (
    InplaceSegment,
    LayerSegment,
    Plan,
    Segment,
    StreamSegment,
    align,
)
from harness.schedule.room import give_room
from harness.schedule.stream import Cut
from harness.schedule.work import estimated_instructions

_BATCHES = (16, 12, 10, 9, 8, 6, 5, 4, 3, 2)
"""How many rows at a time ops may make."""

_MOST_TRIED = 8
"""How many ways to make a stream are laid out before it is left as it is."""

_MOST_TAKEN = 1
"""How many single ops before it, and behind it, a stream may take up."""

_MOST_SPENT = 3
"""In how many plans what is left of a limit is spent, to take the best: that which does the least
work before may have little use for it."""


@dataclass(frozen=True, slots=True)
class _Way:
    """A stream with so many bytes of scratch: the bytes alive in it, and its work."""

    stream: StreamSegment
    peak_bytes: int
    instructions: float


class Batches:
    """The ways to make streams in batches; what is found out about one serves all plans."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self._ways: dict[tuple[int, int], tuple[_Way, ...]] = {}

    def least_work(
        self, front: Iterator[Plan], limit: float, flash: FlashLimit | None = None
    ) -> Plan:
        """Return, of the first plans of a front, that of least work once it has spent a limit.

        The first takes no more flash than there may be; others that do are left out.
        """
        plans = [self.spend(made, limit, flash) for made in islice(front, _MOST_SPENT)]
        fitting = [made for made in plans[1:] if flash is None or flash.holds(made)]
        best = (plans[0], *fitting)
        return min(best, key=lambda made: estimated_instructions(made, self.choices.work))

    def spend(self, plan: Plan, limit: float, flash: FlashLimit | None = None) -> Plan:
        """Return a plan that does less work with the bytes that it leaves of a limit.

        What that takes in flash is left out where it does not fit.
        """
        spent = give_room(self._spread(plan, limit), limit)
        if flash is None or flash.holds(spent):
            return spent
        less = give_room(plan, limit)
        return less if flash.holds(less) else plan

    def _spread(self, plan: Plan, limit: float) -> Plan:
        """Return a plan whose streams make rows in batches, as far as its peak is in ``limit``.

        A peak above the limit is not raised. Streams that gain most come first; each takes the
        batch and the scratch with which it does the least work, and takes up single ops beside it
        where its rings have more room without what lies between.
        """
        found_without, most = plan, max(limit, plan.planned_peak_bytes)
        gains = [
            (self._gain(segment), segment.ops.start)
            for segment in plan.segments
            if isinstance(segment, StreamSegment) and self._may_go_in_batches(segment)
        ]
        for _, op in sorted(gains, reverse=True):
            position = next(i for i, segment in enumerate(plan.segments) if op in segment.ops)
            for run, found in self._candidates(plan.segments, position, most)[:_MOST_TRIED]:
                segments = [*plan.segments[: run.start], found, *plan.segments[run.stop :]]
                made = lay_out_within(plan.schedule, segments, self.choices.streams, most)
                if made is not None:
                    plan = made
                    break
        if plan is found_without:
            return plan
        tighter = lay_out(plan.schedule, plan.segments, self.choices.streams)
        return min(plan, tighter, key=lambda made: made.planned_peak_bytes)

    def _may_go_in_batches(self, segment: StreamSegment) -> bool:
        return segment.stripes == 1 and any(map(self.choices.work.goes_in_batches, segment.ops))

    def _gain(self, segment: StreamSegment) -> float:
        """Return the instructions that the largest batches save with the least scratch.

        They may save some with more of it where they save none with that.
        """
        work = self.choices.work
        largest = replace(segment, rows=(), batch=_BATCHES[0])
        return work.instructions(segment) - work.instructions(largest)

    def _candidates(
        self, segments: Sequence[Segment], position: int, most: float
    ) -> list[tuple[range, StreamSegment]]:
        """Return runs of segments about a stream, each as one stream whose bytes fit.

        They do less work than the segments do; the one that saves most comes first.
        """
        stream = segments[position]
        assert isinstance(stream, StreamSegment)
        found = []
        for run in self._runs(segments, position):
            now = sum(self.choices.work.instructions(segments[i]) for i in run)
            ops = range(segments[run.start].ops.start, segments[run.stop - 1].ops.stop)
            ways = self._in_batches(ops, input_by_rows=stream.input_by_rows)
            if len(run) == 1:
                ways += self._in_scratch(stream, self.choices.stream_peak(stream))
            found += [
                (way.instructions - now, way.stream.scratch_bytes, run, way.stream)
                for way in ways
                if way.peak_bytes <= most and way.instructions < now
            ]
        return [(run, made) for _, _, run, made in sorted(found, key=lambda one: one[:2])]

    def _runs(self, segments: Sequence[Segment], position: int) -> Iterator[range]:
        """Yield the runs of a stream and single ops beside it that could be one stream."""
        starts = self.choices.fusion.starts
        for first in range(max(position - _MOST_TAKEN, 0), position + 1):
            for end in range(position + 1, min(position + 1 + _MOST_TAKEN, len(segments)) + 1):
                others = (*segments[first:position], *segments[position + 1 : end])
                is_plain = all(isinstance(s, LayerSegment | InplaceSegment) for s in others)
                if is_plain and starts[segments[end - 1].ops.stop] <= segments[first].ops.start:
                    yield range(first, end)

    def _in_batches(self, ops: range, *, input_by_rows: bool) -> tuple[_Way, ...]:
        """Return the ways to make ops as one stream in batches."""
        key = ops.start, ops.stop
        if key not in self._ways:
            ways: list[_Way] = []
            for batch in _BATCHES:
                cut = Cut(batch=batch)
                choice = Choice(ops.start, ops.stop, 0, 0.0, None, cut, input_by_rows)
                packed = self.choices.packed(choice)
                assert isinstance(packed.segment, StreamSegment)
                ways += self._in_scratch(packed.segment, packed.peak_bytes)
            self._ways[key] = tuple(ways)
        return self._ways[key]

    def _in_scratch(self, stream: StreamSegment, peak_bytes: int) -> tuple[_Way, ...]:
        """Return a stream with all scratch with which it is faster; the peak is with the least."""
        choices, graph = self.choices, self.choices.graph
        least = choices.least_scratch(stream)
        sizes = {
            align(size)
            for i in stream.ops
            if not sums_all_rows(graph, graph.ops[i])
            for size in row_scratch_wanted(choices.kernels, graph, graph.ops[i])
            if align(size) > least
        }
        return tuple(
            _Way(
                replace(stream, scratch_bytes=size),
                peak_bytes - least + size,
                choices.work.instructions(stream, size),
            )
            for size in sorted({least} | sizes)
        )
