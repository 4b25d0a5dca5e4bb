"""Work: what executing a segment costs, in instructions (``kernels.cost``) and in MACs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.ir import Graph, Op
from harness.ir.macs import op_macs
from harness.kernels.cost import Features, instructions, row_features, row_instructions
from harness.kernels.kernel_set import KernelSet
from harness.kernels.library import goes_in_batches, row_variant, variant
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import Axis, evenly, length, sums_all_rows, tile
from harness.schedule.order import Orders
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


class Calls(NamedTuple):
    """Calls that each make so many rows of so many columns."""

    rows: int
    columns: int
    times: int


@dataclass(frozen=True, slots=True)
class Share:
    """How much of an op's output a segment makes (1 is all, once), and in which calls.

    They may be of a kernel that makes rows ``in_batches``.
    """

    made: float
    calls: tuple[Calls, ...]
    in_batches: bool = False


class Work:
    """The work of the ops of a graph."""

    def __init__(self, fusion: Fusion, orders: Orders | None = None) -> None:
        self._fusion, self._graph = fusion, fusion.graph
        self._orders = orders or Orders(fusion)
        self._whole: dict[tuple[int, int | None], float] = {}
        self._calls: dict[tuple[int, int, int, bool, int], float] = {}
        self._batched: dict[int, bool] = {}
        self._parts: dict[tuple[int, Axis, int], dict[int, Counter[int]]] = {}
        self._shares: dict[tuple[int, int, int, int, int], Share] = {}

    def whole(self, position: int, operand: int | None) -> float:
        """Return the instructions of an op on whole tensors."""
        key = position, operand
        if key not in self._whole:
            op, kernels = self._graph.ops[position], self._fusion.kernels
            found = variant(kernels, self._graph, op, operand)
            fitted = instructions(kernels, self._graph, op, operand, found.loops)
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
        return sum(
            times * self._call(i, rows, columns, share.in_batches, scratch)
            for i, share in shares.items()
            for rows, columns, times in share.calls
        )

    def _call(
        self, position: int, rows: int, columns: int, in_batches: bool, scratch: int
    ) -> float:
        """Return the instructions of one call that makes rows of an op."""
        key = position, rows, columns, in_batches, scratch
        if key not in self._calls:
            op, kernels = self._graph.ops[position], self._fusion.kernels
            call = call_features(kernels, self._graph, op, *key[1:])
            self._calls[key] = row_instructions(kernels, self._graph, op, call)
        return self._calls[key]

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
        # Where neither stripes nor batches are asked for, an op's rows are the same for all ends.
        end = ops[-1] + 1 if stripes > 1 or batch > 1 else 0
        return {i: self._share(i, end, stripes, counts.get(i, 1), batch) for i in ops}

    def _share(self, position: int, end: int, stripes: int, chunks: int, batch: int) -> Share:
        """Return what a stream that ends before op ``end`` makes of one of its ops."""
        key = position, end, stripes, chunks, batch
        if key not in self._shares:
            whole = self._length(position, Axis.COLUMNS)
            rows = Counter({1: self._length(position, Axis.ROWS)})
            columns = Counter({whole: 1})
            in_batches = batch > 1 and self.goes_in_batches(position)
            if in_batches:
                rows = Counter(Counter(self._orders.of(end, batch).written[position]).values())
            if stripes > 1:
                columns = self._made(end - 1, Axis.COLUMNS, stripes)[position]
            calls = [
                Calls(high, wide, high_count * wide_count)
                for high, high_count in rows.items()
                for wide, wide_count in _chunked(columns, chunks).items()
            ]
            self._shares[key] = Share(_sum(columns) / whole, tuple(calls), in_batches)
        return self._shares[key]

    def patch_shares(self, ops: range, grid: tuple[int, int]) -> dict[int, Share]:
        """Return what a patch stage makes: of each op the tiles of all patches."""
        down, across = grid
        last = ops[-1]
        rows, columns = self._made(last, Axis.ROWS, down), self._made(last, Axis.COLUMNS, across)
        pixels = {i: self._length(i, Axis.ROWS) * self._length(i, Axis.COLUMNS) for i in ops}
        return {
            i: Share(
                _sum(rows[i]) * _sum(columns[i]) / pixels[i],
                tuple(Calls(1, wide, _sum(rows[i]) * count) for wide, count in columns[i].items()),
            )
            for i in ops
        }

    def _made(self, last: int, axis: Axis, parts: int) -> dict[int, Counter[int]]:
        """Return, for each op up to the last one, how many rows or columns each part makes."""
        run = range(self._fusion.starts[last + 1], last + 1)
        if parts == 1:
            return {i: Counter({self._length(i, axis): 1}) for i in run}
        if (last, axis, parts) not in self._parts:
            made: dict[int, Counter[int]] = {i: Counter() for i in run}
            for part in evenly(self._length(last, axis), parts):
                touched = tile(self._graph, run, axis, part)
                for i in run:
                    seen = touched[self._graph.ops[i].outputs[0]].length
                    made[i].update([seen] if seen else [])
            self._parts[last, axis, parts] = made
        return self._parts[last, axis, parts]

    def _length(self, position: int, axis: Axis) -> int:
        return length(self._graph, self._graph.ops[position].outputs[0], axis)


def call_features(
    kernels: KernelSet,
    graph: Graph,
    op: Op,
    rows: int,
    columns: int,
    in_batches: bool,
    scratch: int,
) -> Features:
    """Return the features of a call that makes rows with so many bytes of scratch, or the least."""
    if sums_all_rows(graph, op):
        return row_features(graph, op, rows, columns)
    found = row_variant(kernels, graph, op, scratch)
    loops = found.loops(rows, columns, in_batches=in_batches) if found.loops else 0.0
    return row_features(graph, op, rows, columns, at_once=found.columns, loops=loops)


def _sum(parts: Counter[int]) -> int:
    """Return the length of all parts."""
    return sum(length * count for length, count in parts.items())


def _chunked(parts: Counter[int], chunks: int) -> Counter[int]:
    """Return parts cut into at most so many chunks each."""
    if chunks == 1 or not parts:
        return parts
    cut, at_once = Counter[int](), -(-max(parts) // chunks)
    for length_, count in parts.items():
        cut[at_once] += length_ // at_once * count
        cut[length_ % at_once] += count
    del cut[0]
    return cut


def executed_macs(plan: Plan) -> int:
    """Return the multiply-accumulates of one inference, recomputed ones included."""
    work = Work(Fusion(plan.graph, plan.kernels))
    return round(sum(work.executed_macs(segment) for segment in plan.segments))


def estimated_instructions(plan: Plan, work: Work | None = None) -> float:
    """Return what the cost model says of one inference; ``work`` saves finding it out anew."""
    work = work or Work(Fusion(plan.graph, plan.kernels))
    return sum(
        work.instructions(segment, scratch.size_bytes if (scratch := plan.scratch(i)) else 0)
        for i, segment in enumerate(plan.segments)
    )
