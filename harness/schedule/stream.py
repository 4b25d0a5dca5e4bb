"""Streams: what a run of ops keeps when it goes row by row, and where in its workspace.

Every inner tensor has a ring of as many rows as are ever needed at once. Most ops read one row at a
time (1x1 convolutions, sums of two tensors); their operand's ring is a single row, alive between
being made and being read. Such rows share bytes with others that are alive at other moments: the
workspace is packed like the arena, with rows made instead of segments run as its time.

Such a row need not be kept whole either, if only one op reads it, pixel by pixel: then the two go
through the columns together, a chunk at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from harness.ir import TensorId
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import Axis, length, pixel_bytes
from harness.schedule.order import INPUT, Orders
from harness.schedule.packer import first_fit, pack
from harness.schedule.packing import Overlap, Packing, least_bytes
from harness.schedule.plan import StreamSegment, align
from harness.schedule.reach import (
    output_below_operand,
    output_below_workspace,
    workspace_below_operand,
)
from harness.schedule.rings import Ring, all_sums_bytes, chunks, columns_made, workspace_bytes
from harness.schedule.sweep import Lives, Sweep, Times, merged
from harness.schedule.takeover import Course


@dataclass(frozen=True, slots=True)
class Cut:
    """How a stream goes through the columns of its output.

    Stripes are made one after the other, from top to bottom. A chunk is that many columns of a row,
    which ops that hand rows on pixel by pixel (``order.Order.links``) make at a time; None is all.
    A batch is that many rows, which are made at once.
    """

    stripes: int = 1
    chunk: int | None = None
    batch: int = 1

    @property
    def in_chunks(self) -> bool:
        """Whether rows are made in chunks where they can be."""
        return self.chunk is not None


WHOLE = Cut()
"""Whole rows."""


class Streams:
    """The streams of a graph; what is found out about one serves all that end at the same op."""

    def __init__(self, fusion: Fusion) -> None:
        self.fusion, self.orders = fusion, Orders(fusion)
        self._sweeps: dict[tuple[int, bool, int], Sweep] = {}
        graph = fusion.graph
        self._all_columns = {t: length(graph, t, Axis.COLUMNS) for t in graph.activations()}
        self._columns: dict[tuple[int, Cut], dict[TensorId, int]] = {}
        self._links: dict[int, Mapping[TensorId, tuple[int, int]]] = {}

    def sweep(self, end: int, *, in_chunks: bool = False, batch: int = 1) -> Sweep:
        """Return what the order tells, with or without ops that go through the columns together."""
        key = end, in_chunks, batch
        if key not in self._sweeps:
            links = self.links(end) if in_chunks else {}
            self._sweeps[key] = Sweep(self.fusion, self.orders.of(end, batch), links)
        return self._sweeps[key]

    def links(self, end: int) -> Mapping[TensorId, tuple[int, int]]:
        """Return the tensors that may be made in chunks of columns, with their makers and readers.

        Those are left out whose whole rows take no bytes, because they lie over others.
        """
        if end not in self._links:
            links = dict(self.orders.of(end).links)
            for tensor, taken in self.sweep(end).over.items():
                if taken.operand not in links:
                    links.pop(tensor, None)
            self._links[end] = links
        return self._links[end]

    def segment(
        self,
        first: int,
        end: int,
        *,
        cut: Cut = WHOLE,
        input_by_rows: bool = False,
        dying: Sequence[TensorId] = (),
    ) -> StreamSegment:
        """Return ops ``first..end-1`` as one segment, its workspace packed.

        Of several packings that one is taken with which output, workspace and the operands that die
        here need the fewest bytes together.
        """
        rings = self._rings(first, end, cut, input_by_rows)
        problem = self._problem(end, cut, rings)
        packings = [pack(problem)]
        if cut.stripes == 1:
            packings.append(first_fit(problem, problem.order))
        made = []
        for offsets in packings:
            placed = zip(rings, offsets, strict=True)
            rows = [rows for ring, offset in placed for rows in ring.places(offset)]
            rows.sort(key=lambda kept: self.fusion.makers.get(kept.tensor, INPUT))
            segment = StreamSegment(first, end - 1, tuple(rows), cut.stripes, input_by_rows)
            made.append(replace(segment, batch=cut.batch))
        return min(made, key=lambda segment: self.joint_bytes(segment, dying))

    def joint_bytes(self, segment: StreamSegment, dying: Sequence[TensorId]) -> int:
        """Return the fewest bytes for a stream's output, workspace, and operands that die in it."""
        graph = self.fusion.graph
        output = align(graph.tensor(graph.ops[segment.last_op].outputs[0]).size_bytes)
        operands = [align(graph.tensor(t).size_bytes) for t in dying]
        sizes = [output, workspace_bytes(graph, segment), *operands]
        return least_bytes(sizes, self.overlaps(segment, 0, 1, dict(zip(dying, count(2)))))

    def overlaps(
        self,
        segment: StreamSegment,
        output: int,
        workspace: int | None,
        dying: Mapping[TensorId, int],
    ) -> tuple[Overlap, ...]:
        """Return which blocks of a stream may overlap; the blocks' numbers are given."""
        if segment.stripes > 1:
            return ()
        end, size = segment.last_op + 1, workspace_bytes(self.fusion.graph, segment)
        in_chunks = bool(chunks(self.fusion.graph, segment))
        sweep = self.sweep(end, in_chunks=in_chunks, batch=segment.batch)
        found = []
        for tensor, operand in dying.items():
            distance = output_below_operand(sweep, segment.first_op, tensor)
            found.append(Overlap(output, operand, distance))
            if workspace is not None:
                distance = workspace_below_operand(sweep, segment, size, tensor)
                found.append(Overlap(workspace, operand, distance))
        if workspace is not None:
            distance = output_below_workspace(sweep, segment, size)
            found.append(Overlap(output, workspace, distance))
        return tuple(found)

    def least(self, end: int, cut: Cut = WHOLE) -> dict[int, tuple[int, int]]:
        """Return, for each first op of a run that ends before ``end``, its workspace and scratch.

        They are in bytes. Nothing is packed: no workspace can be smaller, and few are larger. The
        key -1 stands for a run from the first op with the input by rows.
        """
        graph, columns, fusion = self.fusion.graph, self._columns_of(end, cut), self.fusion
        sweep = self.sweep(end, in_chunks=cut.in_chunks, batch=cut.batch)
        over = sweep.over if cut.stripes == 1 else {}
        takers: dict[TensorId, list[TensorId]] = {}
        for tensor, taken in over.items():
            takers.setdefault(taken.operand, []).append(tensor)
        changes = np.zeros(sweep.moments + 1, np.int64)
        scratch = fusion.row_scratch[end - 1]
        least = {end - 1: (all_sums_bytes(graph, range(end - 1, end)), scratch)}
        inner = {i: graph.ops[i].outputs[0] for i in reversed(range(sweep.start, end - 1))}
        if sweep.input is not None:
            inner[INPUT] = sweep.input
        alive: dict[TensorId, tuple[Lives, Ring]] = {}
        for first, tensor in inner.items():
            ring, lives = self._ring(sweep, columns, tensor, cut), sweep.alive[tensor]
            for taker in takers.get(tensor, ()):
                _change(changes, sweep, *alive[taker], sign=-1)
                lives = merged(lives + alive[taker][0])
                scratch = max(scratch, over[taker].scratch_bytes)
            alive[tensor] = lives, ring
            _change(changes, sweep, lives, ring)
            if first >= 0:
                scratch = max(scratch, fusion.row_scratch[first])
            sums = all_sums_bytes(graph, range(max(first, 0), end))
            least[first] = int(changes.cumsum().max()) + sums, scratch
        return least

    def chunk_counts(self, first: int, end: int, cut: Cut) -> dict[int, int]:
        """Return, for each op of a run that makes its rows in chunks, in how many at most."""
        if cut.chunk is None:
            return {}
        made, kept = self._columns_of(end, Cut(cut.stripes)), self._columns_of(end, cut)
        counts: dict[int, int] = {}
        for tensor, ops in self.links(end).items():
            if ops[0] >= first:
                counts |= dict.fromkeys(ops, -(-made[tensor] // kept[tensor]))
        return counts

    def _rings(self, first: int, end: int, cut: Cut, input_by_rows: bool) -> list[Ring]:
        graph = self.fusion.graph
        sweep = self.sweep(end, in_chunks=cut.in_chunks, batch=cut.batch)
        inner = [graph.ops[i].outputs[0] for i in range(first, end - 1)]
        if input_by_rows:
            assert sweep.input is not None, "only the model's input is delivered by rows"
            inner.insert(0, sweep.input)
        columns, rings, placed = self._columns_of(end, cut), list[Ring](), set[TensorId]()
        for tensor in inner:
            if tensor not in placed:
                rings.append(self._ring(sweep, columns, tensor, cut))
                placed.update(rings[-1].courses)
        return rings

    def _ring(
        self, sweep: Sweep, columns: Mapping[TensorId, int], tensor: TensorId, cut: Cut
    ) -> Ring:
        pixel = pixel_bytes(self.fusion.graph, tensor)
        if cut.stripes > 1:
            return Ring({tensor: Course()}, sweep.ring_rows[tensor], columns, pixel)
        rows, courses = sweep.ring(tensor)
        settled = sweep.settling(tensor)[0] if cut.batch > 1 else 0
        return Ring(courses, rows, columns, pixel, settled)

    def _columns_of(self, end: int, cut: Cut) -> Mapping[TensorId, int]:
        """Return the columns kept of each tensor, the most of any stripe, or those of a chunk."""
        if cut.stripes == 1 and cut.chunk is None:
            return self._all_columns
        if (end, cut) not in self._columns:
            ops = range(self.fusion.starts[end], end)
            kept = columns_made(self.fusion.graph, ops, cut.stripes)
            if cut.chunk is not None:
                links = self.links(end)
                kept |= {tensor: min(kept[tensor], cut.chunk) for tensor in links}
            self._columns[end, cut] = kept
        return self._columns[end, cut]

    def _problem(self, end: int, cut: Cut, rings: Sequence[Ring]) -> Packing:
        """Return rings as blocks to be packed."""
        sweep = self.sweep(end, in_chunks=cut.in_chunks, batch=cut.batch)
        lives: list[Lives] = []
        sizes: list[tuple[int, int]] = []
        for i, ring in enumerate(rings):
            lives.append([life for t in ring.courses for life in sweep.alive[t]])
            sizes.append((i, ring.settled_bytes))
            if ring.settled:
                lives.append(sweep.settling(ring.owner)[1])
                sizes.append((i, ring.size_bytes))
        # Of a ring in both states the larger one comes last, and counts.
        moments = [list(dict(sizes[i] for i in alive).items()) for alive in _busiest(lives)]
        return Packing([ring.size_bytes for ring in rings], moments, range(len(rings)))


def _change(changes: Times, sweep: Sweep, lives: Lives, ring: Ring, *, sign: int = 1) -> None:
    """Note by how much the bytes alive change when the lives of a ring begin and end."""
    parts = [(lives, ring.settled_bytes)]
    if ring.settled:
        more = ring.size_bytes - ring.settled_bytes
        parts.append((sweep.settling(ring.owner)[1], more))
    for spans, size_bytes in parts:
        firsts, lasts = np.array(spans).T
        np.add.at(changes, firsts, sign * size_bytes)
        np.add.at(changes, lasts + 1, -sign * size_bytes)


def _busiest(lives: Sequence[Sequence[tuple[int, int]]]) -> Iterator[tuple[int, ...]]:
    """Yield the sets of blocks alive together that no later block joins before one leaves."""
    changes = sorted(
        change
        for block, life in enumerate(lives)
        for first, last in life
        for change in ((first, 0, block), (last, 1, block))
    )
    counts = [0] * len(lives)
    seen: set[int] = set()
    alive, grew = 0, False
    for _, is_end, block in changes:
        if is_end:
            if grew and alive not in seen:
                seen.add(alive)
                yield tuple(i for i in range(len(lives)) if alive >> i & 1)
            grew = False
            counts[block] -= 1
            if not counts[block]:
                alive &= ~(1 << block)
        else:
            counts[block] += 1
            alive |= 1 << block
            grew = True
