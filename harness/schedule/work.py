"""Work: what executing a segment costs, in instructions (``kernels.cost``) and in MACs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.ir.macs import op_macs
from harness.kernels.cost import instructions, row_instructions
from harness.kernels.library import goes_in_batches, row_variant, variant
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import Axis, evenly, length, sums_all_rows, tile
from harness.schedule.plan import (
    AliasSegment,
    FusedSegment,
    InplaceSegment,
    LayerSegment,
    PatchSegment,
    Plan,
    Segment,
    StreamSegment,
)
from harness.schedule.rings import chunks


@dataclass(frozen=True, slots=True)
class Share:
    """How much of an op's output a segment makes (1 is all, once), in how many calls.

    A call makes a row, or a ``batch`` of rows.
    """

    made: float
    calls: int
    batch: int = 1


class Work:
    """The work of the ops of a graph."""

    def __init__(self, fusion: Fusion) -> None:
        self._fusion, self._graph = fusion, fusion.graph
        self._whole: dict[tuple[int, int | None], float] = {}
        self._rows: dict[tuple[int, int, int], tuple[float, float]] = {}
        self._batched: dict[int, bool] = {}
        self._sums: dict[tuple[int, Axis, int], dict[int, int]] = {}

    def whole(self, position: int, operand: int | None) -> float:
        """Return the instructions of an op on whole tensors."""
        key = position, operand
        if key not in self._whole:
            op, kernels = self._graph.ops[position], self._fusion.kernels
            found = variant(kernels, self._graph, op, operand)
            fitted = found.times * instructions(kernels, self._graph, op, operand)
            self._whole[key] = fitted if found.instructions is None else found.instructions
        return self._whole[key]

    def instructions(self, segment: Segment, scratch: int = 0) -> float:
        """Return the instructions of a segment with so many bytes of scratch, or the fewest."""
        match segment:
            case AliasSegment():
                return 0.0
            case LayerSegment(op):
                return self.whole(op, None)
            case InplaceSegment(op, operand):
                return self.whole(op, operand)
            case StreamSegment() | PatchSegment():
                return self.of_shares(self.shares(segment), scratch)

    def of_shares(self, shares: dict[int, Share], scratch: int = 0) -> float:
        """Return the instructions of ops that are done by rows, likewise."""
        total = 0.0
        for i, share in shares.items():
            made, call = self._by_rows(i, share.batch, scratch)
            total += made * share.made + call * share.calls
        return total

    def _by_rows(self, position: int, batch: int, scratch: int) -> tuple[float, float]:
        """Return the instructions of all rows of an op, and those of a call besides."""
        key = position, batch, scratch
        if key not in self._rows:
            op, kernels = self._graph.ops[position], self._fusion.kernels
            columns, times = None, 1.0
            if not sums_all_rows(self._graph, op):
                found = row_variant(kernels, self._graph, op, scratch)
                columns, times = found.columns, found.times
            made, call = row_instructions(kernels, self._graph, op, batch, columns)
            self._rows[key] = times * made, times * call
        return self._rows[key]

    def goes_in_batches(self, position: int) -> bool:
        """Return whether an op makes several rows at once in less than one by one."""
        if position not in self._batched:
            op, kernels = self._graph.ops[position], self._fusion.kernels
            is_row = length(self._graph, op.outputs[0], Axis.ROWS) == 1 or sums_all_rows(
                self._graph, op
            )
            self._batched[position] = not is_row and goes_in_batches(kernels, self._graph, op)
        return self._batched[position]

    def executed_macs(self, segment: Segment) -> float:
        """Return the multiply-accumulates that a segment executes, recomputed ones included."""
        shares = self.shares(segment) if isinstance(segment, FusedSegment) else {}
        return sum(
            op_macs(self._graph, self._graph.ops[i]) * (shares[i].made if i in shares else 1.0)
            for i in segment.ops
        )

    def shares(self, segment: FusedSegment) -> dict[int, Share]:
        """Return what a fused segment makes of each op."""
        if isinstance(segment, PatchSegment):
            return self.patch_shares(segment.ops, segment.grid)
        counts: dict[int, int] = {}
        for tensor, count in chunks(self._graph, segment).items():
            for i in (self._fusion.makers[tensor], *self._fusion.readers[tensor]):
                counts[i] = count
        return self.stream_shares(segment.ops, segment.stripes, counts, segment.batch)

    def stream_shares(
        self, ops: range, stripes: int, counts: Mapping[int, int], batch: int = 1
    ) -> dict[int, Share]:
        """Return what a stream makes: all rows of each op, in each stripe, some in chunks."""
        columns, shares = self._made(ops, Axis.COLUMNS, stripes), {}
        for i in ops:
            made = columns[i] / self._length(i, Axis.COLUMNS)
            height = self._length(i, Axis.ROWS)
            at_once = min(batch, height) if batch > 1 and self.goes_in_batches(i) else 1
            calls = -(-height // at_once) * stripes * counts.get(i, 1)
            shares[i] = Share(made, calls, at_once)
        return shares

    def patch_shares(self, ops: range, grid: tuple[int, int]) -> dict[int, Share]:
        """Return what a patch stage makes: of each op the tiles of all patches."""
        down, across = grid
        rows, columns = self._made(ops, Axis.ROWS, down), self._made(ops, Axis.COLUMNS, across)
        pixels = {i: self._length(i, Axis.ROWS) * self._length(i, Axis.COLUMNS) for i in ops}
        return {i: Share(rows[i] * columns[i] / pixels[i], rows[i] * across) for i in ops}

    def _made(self, ops: range, axis: Axis, parts: int) -> dict[int, int]:
        """Return, for each op up to the last one, the rows or columns made for all parts."""
        last = ops[-1]
        if parts == 1:
            return {i: self._length(i, axis) for i in ops}
        if (last, axis, parts) not in self._sums:
            run = range(self._fusion.starts[last + 1], last + 1)
            sums = dict.fromkeys(run, 0)
            for part in evenly(self._length(last, axis), parts):
                touched = tile(self._graph, run, axis, part)
                for i in run:
                    sums[i] += touched[self._graph.ops[i].outputs[0]].length
            self._sums[last, axis, parts] = sums
        return self._sums[last, axis, parts]

    def _length(self, position: int, axis: Axis) -> int:
        return length(self._graph, self._graph.ops[position].outputs[0], axis)


def executed_macs(plan: Plan) -> int:
    """Return the multiply-accumulates of one inference, recomputed ones included."""
    work = Work(Fusion(plan.graph, plan.kernels))
    return round(sum(work.executed_macs(segment) for segment in plan.segments))


def estimated_instructions(plan: Plan) -> float:
    """Return what the cost model says of one inference."""
    work = Work(Fusion(plan.graph, plan.kernels))
    return sum(
        work.instructions(segment, scratch.size_bytes if (scratch := plan.scratch(i)) else 0)
        for i, segment in enumerate(plan.segments)
    )
