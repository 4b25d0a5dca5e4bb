"""Choices: the ways to execute some ops of a graph as one segment, with their bytes and work.

While a segment runs, the bytes alive are those needed at the cut before it, which no choice made
elsewhere changes (``needs``), and those that its own choice adds. So a choice has a peak of its
own, and the peak of a plan is the largest of its segments' peaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.ir import Graph
from harness.kernels.library import is_alias
from harness.schedule.fusion import Fusion
from harness.schedule.inplace import free_operands, own_bytes
from harness.schedule.needs import Needs
from harness.schedule.packing import joint_bytes
from harness.schedule.plan import AliasSegment, InplaceSegment, LayerSegment, Segment, align
from harness.schedule.stream import Streams, workspace_bytes
from harness.schedule.sweep import INPUT
from harness.schedule.work import Work


@dataclass(frozen=True, slots=True)
class Choice:
    """Ops ``first..end-1`` as one segment: the bytes alive while it runs, and its work.

    ``segment`` is None until the workspace of a fused one is packed; until then ``peak_bytes`` is
    the least that it can be.
    """

    first: int
    end: int
    peak_bytes: int
    instructions: float
    segment: Segment | None
    stripes: int = 1
    input_by_rows: bool = False


class Choices:
    """The choices that a graph offers."""

    def __init__(self, graph: Graph, *, input_by_rows: bool = False) -> None:
        self.graph, self.input_by_rows = graph, input_by_rows
        self.fusion, self.needs, self.work = Fusion(graph), Needs(graph), Work(graph)
        self.streams = Streams(self.fusion)
        self._whole_input = sum(align(graph.tensor(t).size_bytes) for t in graph.inputs)

    def singles(self, position: int) -> Iterator[Choice]:
        """Yield the ways to execute one op on whole tensors."""
        graph, op = self.graph, self.graph.ops[position]
        if self.input_by_rows and position == 0:
            return
        if is_alias(graph, op):
            yield Choice(position, position + 1, self._cut(position), 0.0, AliasSegment(position))
            return
        operands = (None, *free_operands(graph, self.needs, position))
        for operand in operands:
            segment = (
                LayerSegment(position) if operand is None else InplaceSegment(position, operand)
            )
            peak = self._cut(position) + own_bytes(graph, op, operand)
            yield Choice(position, position + 1, peak, self.work.whole(op, operand), segment)

    def streams_to(self, end: int, stripes: int = 1) -> Iterator[Choice]:
        """Yield the streams that end with op ``end - 1``, the shortest first, not packed yet."""
        for first, workspace in self.streams.least_workspaces(end, stripes).items():
            by_rows = first == INPUT
            if by_rows != (self.input_by_rows and max(first, 0) == 0):
                continue
            first = max(first, 0)
            peak = self._cut(first) + workspace + self._own_output(first, end, stripes)
            work = self.work.stream(range(first, end), stripes)
            yield Choice(first, end, peak, work, None, stripes, by_rows)

    def packed(self, choice: Choice) -> Choice:
        """Return a choice with its segment, and with the peak that it really has."""
        if choice.segment is not None:
            return choice
        segment = self.streams.segment(
            choice.first, choice.end, stripes=choice.stripes, input_by_rows=choice.input_by_rows
        )
        peak = self._cut(choice.first) + workspace_bytes(self.graph, segment)
        peak += self._own_output(choice.first, choice.end, choice.stripes)
        return replace(choice, segment=segment, peak_bytes=peak)

    def _cut(self, position: int) -> int:
        """Return the bytes needed before an op, other than an input that is never whole."""
        is_fetched = self.input_by_rows and position == 0
        return self.needs.at_cuts[position] - (self._whole_input if is_fetched else 0)

    def _own_output(self, first: int, end: int, stripes: int) -> int:
        """Return the bytes that a fused segment's output adds, where it overlaps inputs or not."""
        graph = self.graph
        output = align(graph.tensor(graph.ops[end - 1].outputs[0]).size_bytes)
        if stripes > 1:
            return output
        sweep = self.streams.sweep(end)
        dying = [
            (align(graph.tensor(t).size_bytes), align(sweep.distance(first, t)))
            for t in self.fusion.outside_operands(first, end)
            if self.needs.is_dead_after(t, end - 1) and not (self.input_by_rows and first == 0)
        ]
        return joint_bytes(output, dying) - sum(size for size, _ in dying)
