"""Choices: the ways to execute some ops of a graph as one segment, with their bytes and work.

While a segment runs, the bytes alive are those needed at the cut before it, which no choice made
elsewhere changes (``needs``), and those that its own choice adds. So a choice has a peak of its
own, and the peak of a plan is the largest of its segments' peaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from harness.ir import Graph, TensorId
from harness.kernels.kernel_set import PORTABLE, KernelSet
from harness.kernels.library import is_alias
from harness.schedule.fusion import Fusion
from harness.schedule.inplace import free_operands, own_bytes
from harness.schedule.needs import Needs
from harness.schedule.order import INPUT
from harness.schedule.packing import Overlap, least_bytes
from harness.schedule.patches import Patches
from harness.schedule.plan import (
    AliasSegment,
    InplaceSegment,
    LayerSegment,
    PatchSegment,
    Segment,
    StreamSegment,
    align,
)
from harness.schedule.reach import most_shared, output_below_operand
from harness.schedule.rings import workspace_bytes
from harness.schedule.stream import WHOLE, Cut, Streams
from harness.schedule.takeover import segment_scratch_bytes
from harness.schedule.work import Work


@dataclass(frozen=True, slots=True, eq=False)
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
    cut: Cut = WHOLE
    input_by_rows: bool = False
    grid: tuple[int, int] | None = None


def as_segment(choice: Choice) -> Segment:
    """Return the segment of a choice; of one that is not packed yet, without its workspace."""
    if choice.segment is not None:
        return choice.segment
    last, cut = choice.end - 1, choice.cut
    if choice.grid is not None:
        return PatchSegment(choice.first, last, choice.grid)
    return StreamSegment(
        choice.first, last, (), cut.stripes, input_by_rows=choice.input_by_rows, batch=cut.batch
    )


class Choices:
    """The choices that a graph offers."""

    def __init__(
        self, graph: Graph, kernels: KernelSet = PORTABLE, *, input_by_rows: bool = False
    ) -> None:
        self.graph, self.kernels, self.input_by_rows = graph, kernels, input_by_rows
        self.fusion, self.needs = Fusion(graph, kernels), Needs(graph)
        self.streams, self.patches = Streams(self.fusion), Patches(self.fusion)
        self.work = Work(self.fusion, self.streams.orders)
        self._whole_input = sum(align(graph.tensor(t).size_bytes) for t in graph.inputs)

    def singles(self, position: int) -> Iterator[Choice]:
        """Yield the ways to execute one op on whole tensors."""
        graph, op = self.graph, self.graph.ops[position]
        if self.input_by_rows and position == 0:
            return
        if is_alias(graph, op):
            yield Choice(position, position + 1, self._cut(position), 0.0, AliasSegment(position))
            return
        operands = (None, *free_operands(graph, self.kernels, self.needs, position))
        for operand in operands:
            segment = (
                LayerSegment(position) if operand is None else InplaceSegment(position, operand)
            )
            peak = self._cut(position) + own_bytes(graph, self.kernels, op, operand)
            yield Choice(position, position + 1, peak, self.work.whole(position, operand), segment)

    def streams_to(self, end: int, cut: Cut = WHOLE) -> Iterator[Choice]:
        """Yield the streams that end with op ``end - 1``, the shortest first, not packed yet."""
        for start, (workspace, scratch) in self.streams.least(end, cut).items():
            first, by_rows = max(start, 0), start == INPUT
            chunks = self.streams.chunk_counts(first, end, cut)
            if by_rows and cut.stripes > 1:
                continue  # each stripe would fetch the rows again, and they come only once
            if cut.in_chunks and max(chunks.values(), default=1) == 1:
                continue  # chunks as long as rows are no other choice
            if by_rows == (self.input_by_rows and first == 0):
                own = self._least_own(first, end, cut, workspace)
                peak = self._cut(first) + scratch + own
                shares = self.work.stream_shares(range(first, end), cut.stripes, chunks, cut.batch)
                work = self.work.of_shares(shares)
                yield Choice(first, end, peak, work, None, cut, by_rows)

    def patched(self, first: int, end: int, grid: tuple[int, int]) -> Choice:
        """Return a patch stage, not packed yet; it must be possible (``Patches.refusal``)."""
        workspace = self.patches.least_workspace(first, end, grid)
        workspace += self.fusion.scratch_bytes(range(first, end))
        work = self.work.of_shares(self.work.patch_shares(range(first, end), grid))
        peak = self._cut(first) + workspace + self._output(end)
        return Choice(first, end, peak, work, None, grid=grid)

    def packed(self, choice: Choice) -> Choice:
        """Return a choice with its segment, and with the peak that it really has."""
        if choice.segment is not None:
            return choice
        if choice.grid is not None:
            stage = self.patches.segment(choice.first, choice.end, choice.grid)
            peak = self._cut(choice.first) + self._output(choice.end)
            peak += workspace_bytes(self.graph, stage) + self.fusion.scratch_bytes(stage.ops)
            return replace(choice, segment=stage, peak_bytes=peak)
        dying = self._dying(choice.first, choice.end) if choice.cut.stripes == 1 else ()
        segment = self.streams.segment(
            choice.first,
            choice.end,
            cut=choice.cut,
            input_by_rows=choice.input_by_rows,
            dying=dying,
        )
        return replace(choice, segment=segment, peak_bytes=self.stream_peak(segment))

    def stream_peak(self, segment: StreamSegment) -> int:
        """Return the bytes alive while a stream runs, with the fewest bytes of scratch."""
        first, end = segment.first_op, segment.last_op + 1
        dying = self._dying(first, end) if segment.stripes == 1 else ()
        peak = self._cut(first) + self.streams.joint_bytes(segment, dying)
        return peak + self.least_scratch(segment) - self._bytes(dying)

    def least_scratch(self, segment: StreamSegment) -> int:
        """Return the fewest bytes of scratch with which a stream can do."""
        return segment_scratch_bytes(self.kernels, self.graph, segment)

    def _cut(self, position: int) -> int:
        """Return the bytes needed before an op, other than an input that is never whole."""
        is_fetched = self.input_by_rows and position == 0
        return self.needs.at_cuts[position] - (self._whole_input if is_fetched else 0)

    def _least_own(self, first: int, end: int, cut: Cut, workspace: int) -> int:
        """Return the fewest bytes that a stream's output and workspace can add."""
        graph, output = self.graph, self._output(end)
        if cut.stripes > 1:
            return workspace + output
        sweep = self.streams.sweep(end, in_chunks=cut.in_chunks, batch=cut.batch)
        dying = self._dying(first, end)
        sizes = [output, *(align(graph.tensor(t).size_bytes) for t in dying)]
        overlaps = [
            Overlap(0, above, max(0, output_below_operand(sweep, first, t)))
            for above, t in enumerate(dying, start=1)
        ]
        by_rows = self.input_by_rows and first == 0
        shared = most_shared(sweep, first, dying, input_by_rows=by_rows)
        outside = max(workspace - shared, 0)
        return least_bytes(sizes, overlaps) - self._bytes(dying) + outside

    def _output(self, end: int) -> int:
        return align(self.graph.tensor(self.graph.ops[end - 1].outputs[0]).size_bytes)

    def _dying(self, first: int, end: int) -> tuple[TensorId, ...]:
        """Return the operands of a run that nobody needs afterwards."""
        if self.input_by_rows and first == 0:
            return ()
        operands = self.fusion.outside_operands(first, end)
        return tuple(t for t in operands if self.needs.is_dead_after(t, end - 1))

    def _bytes(self, tensors: Iterable[TensorId]) -> int:
        return sum(align(self.graph.tensor(t).size_bytes) for t in tensors)
