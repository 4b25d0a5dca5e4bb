"""Replays fused segments on the shadow of the arena, row by row, in the order that code runs.

A row of an op is one step, or a batch of rows: all that it reads must hold what is meant before the
op writes, and must not be touched by what it writes, since a kernel's reads and writes interleave.
But a row may be written over one that no later row of the batch reads: by an element-wise op, from
the same byte or a lower one on; and byte for byte where the kernel that the scratch allows reads a
pixel before it writes it, or all that a batch reads of a channel before it writes that channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from harness.ir import Op, TensorId
from harness.ir.ops import Conv2D, DepthwiseConv2D
from harness.ir.tensor import short_name
from harness.kernels.library import row_variant
from harness.schedule.plan import (
    ALIGNMENT,
    Allocation,
    FusedSegment,
    PatchSegment,
    Plan,
    Rows,
    StreamSegment,
)
from harness.schedule.shadow import Shadow
from harness.schedule.structure import SUM_BYTES, chunked, columns_made, label, touched
from harness.schedule.witness import (
    COLUMNS,
    ROWS,
    Pair,
    extents,
    flows,
    is_read_by_pixel,
    is_summing,
    rows_met,
    span_met,
    writes_behind,
)


@dataclass(frozen=True, slots=True)
class _Read:
    """Arena bytes ``at..end`` of a row of an operand, and the last row of a batch that reads it."""

    operand: TensorId
    last_row: int
    at: int
    end: int


class FusedReplay:
    """Replays one segment whose structure is sound."""

    def __init__(self, shadow: Shadow, plan: Plan, position: int, segment: FusedSegment) -> None:
        graph = plan.graph
        self._kernels = plan.kernels
        self._shadow, self._graph, self._segment = shadow, graph, segment
        self._makers = {t: i for i in segment.ops for t in graph.ops[i].outputs}
        self._rows = {rows.tensor: rows for rows in segment.rows}
        workspace = plan.workspace(position)
        self._workspace_at = workspace.offset if workspace else 0
        self._workspace_end = workspace.end if workspace else 0
        self._offsets = {t: a.offset for a in plan.allocations for t in a.tensors}
        self._scratch: Allocation | None = plan.scratch(position)
        self._output = graph.ops[segment.last_op].outputs[0]
        # The columns that are made of each row, in this stripe or patch, or in this chunk of it.
        self._columns: dict[TensorId, Pair] = {}
        self._chunks = chunked(graph, segment)
        self._batch = segment.batch if isinstance(segment, StreamSegment) else 1
        self._made: dict[TensorId, int] = {}
        # Of rows that lie one behind the other, the one in the first slot, counted from row 0.
        self._first: dict[TensorId, int] = {}

    def run(self) -> None:
        """Replay the segment."""
        match self._segment:
            case StreamSegment():
                self._run_stream(self._segment)
            case PatchSegment():
                self._run_patches(self._segment)

    def _run_stream(self, segment: StreamSegment) -> None:
        height, _, _ = extents(self._graph, self._output)
        for columns in columns_made(self._graph, segment):
            self._columns = columns
            self._check_columns()
            self._made = dict.fromkeys(columns, 0)
            self._first.clear()
            for row in range(0, height, segment.batch):
                self._produce(self._output, min(row + segment.batch, height))

    def _run_patches(self, segment: PatchSegment) -> None:
        height, width, _ = extents(self._graph, self._output)
        down, across = segment.grid
        for i, j in product(range(down), range(across)):
            to_rows = i * height // down, (i + 1) * height // down
            to_columns = j * width // across, (j + 1) * width // across
            rows = touched(self._graph, segment, ROWS, to_rows)
            columns = touched(self._graph, segment, COLUMNS, to_columns)
            self._columns = columns
            self._check_columns()
            for position in segment.ops:
                output = self._graph.ops[position].outputs[0]
                for row in range(*rows[output]):
                    self._compute(position, range(row, row + 1), columns[output])

    def _check_columns(self) -> None:
        for tensor_id, rows in self._rows.items():
            first, end = self._columns[tensor_id]
            if end - first > rows.columns and tensor_id not in self._chunks:
                name = short_name(self._graph.tensor(tensor_id).name)
                where = label(self._segment)
                message = f"'{name}' has {rows.columns} columns in {where} and needs {end - first}"
                self._shadow.blame(message, tensor_id, "columns")

    def _produce(self, tensor_id: TensorId, until: int) -> None:
        """Make the rows before ``until`` that are not made yet."""
        while self._made[tensor_id] < until:
            row = self._made[tensor_id]
            left = until - row
            rows = range(row, until if 2 * left < 3 * self._batch else row + self._batch)
            if tensor_id not in self._makers:
                self._make_room(tensor_id, until)
                self._fetch(tensor_id, row)
            elif is_summing(self._graph, self._graph.ops[self._makers[tensor_id]]):
                self._sum(self._makers[tensor_id])
            else:
                self._make_rows(self._makers[tensor_id], rows)
                row = rows[-1]
            self._made[tensor_id] = row + 1

    def _make_rows(self, position: int, rows: range) -> None:
        """Make what an op reads, then its rows; ops before it in chunks make theirs with it."""
        chain = self._chain(position)
        for member in reversed(chain):
            op = self._graph.ops[member]
            for operand in self._pulled(member):
                if operand not in self._chunks:
                    needs = [rows_met(self._graph, op, operand, row)[1] for row in rows]
                    self._produce(operand, max(needs))
        self._make_room(self._graph.ops[position].outputs[0], rows[-1] + 1)
        links = [self._graph.ops[member].outputs[0] for member in chain[:-1]]
        first, end = self._columns[self._graph.ops[position].outputs[0]]
        step = min((self._rows[t].columns for t in links), default=end - first)
        for at in range(first, end, max(step, 1)):
            chunk = at, min(at + step, end)
            self._columns.update(dict.fromkeys(links, chunk))
            for member in chain:
                self._compute(member, rows, chunk)
        self._made.update(dict.fromkeys(links, rows[-1] + 1))
        self._settle(position)

    def _make_room(self, tensor_id: TensorId, until: int) -> None:
        """Move rows down in slots of a tensor's own, as far as there are too few up to a row."""
        kept = self._rows.get(tensor_id)
        if kept is None or kept.over is not None or self._batch == 1:
            return
        self._move_down(kept, until, kept.rows)

    def _settle(self, position: int) -> None:
        """Let only those rows stay that are said to, after the last op that reads them."""
        for kept in self._rows.values() if self._batch > 1 else ():
            if kept.settled:
                members = {rows.tensor for rows in self._rows.values() if rows.owner == kept.tensor}
                flowing = {i: flows(self._graph, self._graph.ops[i]) for i in self._segment.ops}
                if position == max(i for i, read in flowing.items() if members & set(read)):
                    self._move_down(kept, self._made[kept.tensor], kept.settled)

    def _move_down(self, kept: Rows, until: int, slots: int) -> None:
        """Move rows down as far as there are too few slots for those up to ``until``."""
        first, made = self._first.get(kept.tensor, 0), self._made[kept.tensor]
        leaving = until + kept.shift - first - slots
        if leaving > 0:
            row_bytes = kept.columns * extents(self._graph, kept.tensor)[2]
            size = max(made + kept.shift - first - leaving, 0) * row_bytes
            at = self._workspace_at + kept.offset
            self._shadow.move(at + leaving * row_bytes, at, size)
            self._first[kept.tensor] = first + leaving

    def _chain(self, position: int) -> list[int]:
        """Return the ops that make their rows in chunks with the last of them, which is given."""
        chain = [position]
        while before := [t for t in self._pulled(chain[0]) if t in self._chunks]:
            chain.insert(0, self._makers[before[0]])
        return chain

    def _pulled(self, position: int) -> list[TensorId]:
        """Return the operands made inside: the fetched input first, later ops' outputs last."""
        operands = flows(self._graph, self._graph.ops[position])
        pulled = [t for t in operands if t in self._made]
        return sorted(pulled, key=lambda t: self._makers.get(t, -1))

    def _fetch(self, tensor_id: TensorId, row: int) -> None:
        self._write(tensor_id, row, self._columns[tensor_id])

    def _compute(self, position: int, rows: range, columns: Pair) -> None:
        """Read what columns of output rows need, then write them."""
        op, when = self._graph.ops[position], self._when(position)
        spent: list[_Read] = []
        for operand in flows(self._graph, op):
            span = span_met(self._graph, op, operand, COLUMNS, columns)
            # The last row of the batch that reads each row.
            last = {r: row for row in rows for r in rows_met(self._graph, op, operand, row)[0]}
            for row, last_reader in sorted(last.items()):
                at, _, size = self._expect(operand, row, span, when)
                spent.append(_Read(operand, last_reader, at, at + size))
        if self._scratch is not None:
            self._shadow.spoil(self._scratch.offset, self._scratch.size_bytes)
        written = [(row, self._write(op.outputs[0], row, columns)) for row in rows]
        for (row, place), read in product(written, spent):
            if read.at < place[1] and place[0] < read.end:
                self._check_over(op, row, columns, place, read)

    def _check_over(self, op: Op, row: int, columns: Pair, place: Pair, read: _Read) -> None:
        """Blame a row that must not be written over what its batch reads."""
        is_whole = columns == (0, extents(self._graph, op.outputs[0])[COLUMNS])
        is_there = place[0] == read.at and place[1] <= read.end
        is_alike = is_there and self._reads_first(op, read.operand, is_whole)
        is_behind = writes_behind(self._graph, op) and place[0] <= read.at
        if read.last_row > row or not (is_behind or is_alike):
            names = (short_name(self._graph.tensor(t).name) for t in (op.outputs[0], read.operand))
            made, taken = names
            when = self._when(self._makers[op.outputs[0]])
            self._shadow.blame(
                f"row {row} of '{made}' is written over what it reads of '{taken}' {when}",
                read.operand,
                "under",
                when,
            )

    def _reads_first(self, op: Op, operand: TensorId, is_whole: bool) -> bool:
        """Whether the kernel of an op reads what it needs of a pixel or channel before writing it.

        A convolution over a pixel may, where output and operand have the same pixels, and a
        depthwise one over all columns of a channel, where their pixels have the same channels.
        """
        scratch = self._scratch.size_bytes if self._scratch else 0
        kernel = row_variant(self._kernels, self._graph, op, scratch)
        if not kernel.over_operand or operand != op.inputs[0]:
            return False
        x, y = extents(self._graph, operand), extents(self._graph, op.outputs[0])
        match op:
            case DepthwiseConv2D():
                return is_whole and op.depth_multiplier == 1 and x[2] == y[2]
            case Conv2D():
                return x[1:] == y[1:] and is_read_by_pixel(self._graph, op, operand)
            case _:
                return False

    def _sum(self, position: int) -> None:
        """Take each input row as it is made, then write the one output row."""
        op, when = self._graph.ops[position], self._when(position)
        operand = op.inputs[0]
        height, width, pixel = extents(self._graph, operand)
        size = SUM_BYTES * pixel
        at = (self._workspace_end - size) // ALIGNMENT * ALIGNMENT
        self._shadow.write_sums(at, size, 0)
        for row in range(height):
            if operand in self._made and row % self._batch == 0:
                self._produce(operand, min(row + self._batch, height))
            self._shadow.expect_sums(at, size, row, when)
            self._expect(operand, row, (0, width), when)
            self._shadow.write_sums(at, size, row + 1)
            self._expect(operand, row, (0, width), when)
        self._write(op.outputs[0], 0, self._columns[op.outputs[0]])
        self._shadow.expect_sums(at, size, height, when)

    def _expect(
        self, tensor_id: TensorId, row: int, columns: Pair, when: str
    ) -> tuple[int, int, int]:
        """Check columns of one row; return where they lie and which bytes they are."""
        at, first, size = self._place(tensor_id, row, columns)
        self._shadow.expect(tensor_id, at, first, size, when, f"row {row} of ")
        return at, first, size

    def _write(self, tensor_id: TensorId, row: int, columns: Pair) -> Pair:
        """Write columns of one row; return the arena bytes from and to."""
        at, first, size = self._place(tensor_id, row, columns)
        self._shadow.write(tensor_id, at, first, size)
        return at, at + size

    def _place(self, tensor_id: TensorId, row: int, columns: Pair) -> tuple[int, int, int]:
        """Return where columns of a row lie, their first byte in the tensor, and their bytes."""
        _, width, pixel = extents(self._graph, tensor_id)
        first, size = (row * width + columns[0]) * pixel, (columns[1] - columns[0]) * pixel
        rows: Rows | None = self._rows.get(tensor_id)
        if rows is None:
            return self._offsets[tensor_id] + first, first, size
        column = columns[0] - self._columns[tensor_id][0] if size else 0
        slot = row * rows.pitch + rows.shift - self._first.get(rows.owner, 0)
        if self._batch == 1:
            slot %= rows.rows
        if not 0 <= slot < rows.rows:
            name = short_name(self._graph.tensor(tensor_id).name)
            message = f"row {row} of '{name}' has no slot in {label(self._segment)}"
            self._shadow.blame(message, tensor_id, "slot")
        in_a_slot = self._rows[rows.owner].columns
        at = self._workspace_at + rows.offset + (slot * in_a_slot + column) * pixel
        return at, first, size

    def _when(self, position: int) -> str:
        return f"in {self._graph.label(position)}"
