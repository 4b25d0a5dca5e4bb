"""Replays fused segments on the shadow of the arena, row by row, in the order that code runs.

A row of an op is one step: all that it reads must hold what is meant before the op writes, and
must not be touched by what it writes, since a kernel's reads and writes interleave. Only an
element-wise op may write over its operand, from the same byte or a lower one on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from harness.ir import Graph, TensorId
from harness.ir.tensor import short_name
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
from harness.schedule.witness import (
    COLUMNS,
    ROWS,
    Pair,
    extents,
    flows,
    goes_by_rows,
    is_elementwise,
    is_summing,
    rows_met,
    span_met,
    union,
)

_SUM_BYTES = 4


def inner_tensors(graph: Graph, segment: FusedSegment) -> tuple[TensorId, ...]:
    """Return the tensors that are never whole: what all ops but the last make, a fetched input."""
    inner = tuple(t for i in segment.ops[:-1] for t in graph.ops[i].outputs)
    if isinstance(segment, StreamSegment) and segment.input_by_rows:
        return (graph.ops[segment.first_op].inputs[0], *inner)
    return inner


def structure_faults(plan: Plan, position: int, segment: FusedSegment) -> Iterator[str]:
    """Yield what makes a fused segment impossible, before anything is replayed."""
    graph, label = plan.graph, _label(segment)
    if not segment.ops or segment.ops[0] < 0 or segment.ops[-1] >= len(graph.ops):
        yield f"{label} has no ops"
        return
    for i in segment.ops:
        if not goes_by_rows(graph, graph.ops[i]):
            yield f"{graph.label(i)} cannot go row by row"
            return
    yield from _inner_faults(graph, segment)
    yield from _workspace_faults(plan, position, segment)
    height, width, _ = extents(graph, graph.ops[segment.last_op].outputs[0])
    summing = [i for i in segment.ops if is_summing(graph, graph.ops[i])]
    match segment:
        case StreamSegment():
            if not 1 <= segment.stripes <= width:
                yield f"{label} cuts {width} columns into {segment.stripes} stripes"
            if len(summing) > 1:
                yield f"{label} has {len(summing)} ops that sum over all rows"
        case PatchSegment(grid=(down, across)):
            if not (1 <= down <= height and 1 <= across <= width):
                yield f"{label} cuts {height} x {width} pixels into {down} x {across} patches"
            if summing:
                yield f"{graph.label(summing[0])} sums over all rows and cannot go by patches"


def _inner_faults(graph: Graph, segment: FusedSegment) -> Iterator[str]:
    """Yield inner tensors that somebody outside needs, or that have no rows."""
    label, consumers = _label(segment), graph.consumers()
    inner = inner_tensors(graph, segment)
    for tensor_id in inner:
        name = short_name(graph.tensor(tensor_id).name)
        if any(reader not in segment.ops for reader in consumers.get(tensor_id, ())):
            yield f"'{name}' is read outside of {label} and is never whole"
        if tensor_id in graph.outputs:
            yield f"'{name}' is an output of the model and is never whole in {label}"
    kept = [rows.tensor for rows in segment.rows]
    if sorted(kept) != sorted(inner):
        yield f"{label} keeps rows of tensors {sorted(kept)} and needs those of {sorted(inner)}"
    if isinstance(segment, StreamSegment) and segment.input_by_rows:
        if graph.ops[segment.first_op].inputs[0] not in graph.inputs:
            yield f"{label} fetches the rows of what is no input of the model"
        if segment.stripes != 1:
            yield f"{label} fetches its input by rows, which come only once, in stripes"


def _workspace_faults(plan: Plan, position: int, segment: FusedSegment) -> Iterator[str]:
    """Yield rows and sums that reach out of the workspace."""
    graph, label = plan.graph, _label(segment)
    workspace = plan.workspace(position)
    size = workspace.size_bytes if workspace else 0
    for rows in segment.rows:
        name = short_name(graph.tensor(rows.tensor).name)
        end = rows.offset + rows.rows * rows.columns * extents(graph, rows.tensor)[2]
        if rows.rows < 1 or rows.columns < 1:
            yield f"{label} keeps {rows.rows} x {rows.columns} pixels of '{name}'"
        elif rows.offset < 0 or rows.offset % ALIGNMENT:
            yield f"rows of '{name}' lie at {rows.offset}, not at a multiple of {ALIGNMENT} bytes"
        elif end > size:
            yield f"rows of '{name}' end at byte {end} of a workspace of {size} bytes in {label}"
    for i in segment.ops:
        op = graph.ops[i]
        needed = _SUM_BYTES * extents(graph, op.inputs[0])[2]
        if is_summing(graph, op) and needed > size:
            yield f"sums of {graph.label(i)} take {needed} bytes of a workspace of {size} bytes"


class FusedReplay:
    """Replays one segment whose structure is sound."""

    def __init__(self, shadow: Shadow, plan: Plan, position: int, segment: FusedSegment) -> None:
        graph = plan.graph
        self._shadow, self._graph, self._segment = shadow, graph, segment
        self._makers = {t: i for i in segment.ops for t in graph.ops[i].outputs}
        self._rows = {rows.tensor: rows for rows in segment.rows}
        workspace = plan.workspace(position)
        self._workspace_at = workspace.offset if workspace else 0
        self._workspace_end = workspace.end if workspace else 0
        self._offsets = {t: a.offset for a in plan.allocations for t in a.tensors}
        self._scratch: Allocation | None = plan.scratch(position)
        self._output = graph.ops[segment.last_op].outputs[0]
        self._columns: dict[TensorId, Pair] = {}
        self._made: dict[TensorId, int] = {}

    def run(self) -> None:
        """Replay the segment."""
        match self._segment:
            case StreamSegment():
                self._run_stream(self._segment)
            case PatchSegment():
                self._run_patches(self._segment)

    def _run_stream(self, segment: StreamSegment) -> None:
        height, width, _ = extents(self._graph, self._output)
        for i in range(segment.stripes):
            stripe = i * width // segment.stripes, (i + 1) * width // segment.stripes
            self._columns = self._tile(COLUMNS, stripe)
            if segment.stripes == 1:
                # Rows are made whole, even where the output does not depend on all of them.
                self._columns = {t: (0, extents(self._graph, t)[1]) for t in self._columns}
            self._check_columns()
            self._made = dict.fromkeys(self._made_inside(), 0)
            for row in range(height):
                self._produce(self._output, row + 1)

    def _run_patches(self, segment: PatchSegment) -> None:
        height, width, _ = extents(self._graph, self._output)
        down, across = segment.grid
        for i, j in product(range(down), range(across)):
            rows = self._tile(ROWS, (i * height // down, (i + 1) * height // down))
            columns = self._tile(COLUMNS, (j * width // across, (j + 1) * width // across))
            self._columns = columns
            self._check_columns()
            for position in segment.ops:
                for row in range(*rows[self._graph.ops[position].outputs[0]]):
                    self._compute(position, row)

    def _made_inside(self) -> tuple[TensorId, ...]:
        return (*inner_tensors(self._graph, self._segment), self._output)

    def _tile(self, axis: int, span: Pair) -> dict[TensorId, Pair]:
        """Return what each tensor that is made contributes to ``span`` of the output."""
        spans: dict[TensorId, Pair] = dict.fromkeys(self._made_inside(), (0, 0))
        spans[self._output] = span
        for i in reversed(self._segment.ops):
            op = self._graph.ops[i]
            for tensor_id in flows(self._graph, op):
                if tensor_id in spans:
                    met = span_met(self._graph, op, tensor_id, axis, spans[op.outputs[0]])
                    spans[tensor_id] = union(spans[tensor_id], met)
        return spans

    def _check_columns(self) -> None:
        for tensor_id, rows in self._rows.items():
            first, end = self._columns[tensor_id]
            if end - first > rows.columns:
                name = short_name(self._graph.tensor(tensor_id).name)
                label = _label(self._segment)
                message = f"'{name}' has {rows.columns} columns in {label} and needs {end - first}"
                self._shadow.blame(message, tensor_id, "columns")

    def _produce(self, tensor_id: TensorId, until: int) -> None:
        """Make the rows before ``until`` that are not made yet."""
        while self._made[tensor_id] < until:
            row = self._made[tensor_id]
            if tensor_id not in self._makers:
                self._fetch(tensor_id, row)
            elif is_summing(self._graph, self._graph.ops[self._makers[tensor_id]]):
                self._sum(self._makers[tensor_id])
            else:
                position = self._makers[tensor_id]
                op = self._graph.ops[position]
                for operand in self._pulled(position):
                    self._produce(operand, rows_met(self._graph, op, operand, row)[1])
                self._compute(position, row)
            self._made[tensor_id] = row + 1

    def _pulled(self, position: int) -> list[TensorId]:
        """Return the operands made inside: the fetched input first, later ops' outputs last."""
        operands = flows(self._graph, self._graph.ops[position])
        pulled = [t for t in operands if t in self._made]
        return sorted(pulled, key=lambda t: self._makers.get(t, -1))

    def _fetch(self, tensor_id: TensorId, row: int) -> None:
        self._write(tensor_id, row)

    def _compute(self, position: int, row: int) -> None:
        """Read what an output row needs, then write it."""
        op, when = self._graph.ops[position], self._when(position)
        output = op.outputs[0]
        spent: list[tuple[TensorId, int, int]] = []
        for operand in flows(self._graph, op):
            span = span_met(self._graph, op, operand, COLUMNS, self._columns[output])
            for met in rows_met(self._graph, op, operand, row)[0]:
                at, _, size = self._expect(operand, met, span, when)
                spent.append((operand, at, size))
        if self._scratch is not None:
            self._shadow.spoil(self._scratch.offset, self._scratch.size_bytes)
        written_at, written_end = self._write(output, row)
        for operand, at, size in spent:
            below = is_elementwise(op) and written_at <= at
            if at < written_end and written_at < at + size and not below:
                made, read = (short_name(self._graph.tensor(t).name) for t in (output, operand))
                self._shadow.blame(
                    f"row {row} of '{made}' is written over what it reads of '{read}' {when}",
                    operand,
                    "under",
                    when,
                )

    def _sum(self, position: int) -> None:
        """Take each input row as it is made, then write the one output row."""
        op, when = self._graph.ops[position], self._when(position)
        operand = op.inputs[0]
        height, width, pixel = extents(self._graph, operand)
        size = _SUM_BYTES * pixel
        at = (self._workspace_end - size) // ALIGNMENT * ALIGNMENT
        self._shadow.write_sums(at, size, 0)
        for row in range(height):
            if operand in self._made:
                self._produce(operand, row + 1)
            self._shadow.expect_sums(at, size, row, when)
            self._expect(operand, row, (0, width), when)
            self._shadow.write_sums(at, size, row + 1)
            self._expect(operand, row, (0, width), when)
        self._write(op.outputs[0], 0)
        self._shadow.expect_sums(at, size, height, when)

    def _expect(
        self, tensor_id: TensorId, row: int, columns: Pair, when: str
    ) -> tuple[int, int, int]:
        """Check columns of one row; return where they lie and which bytes they are."""
        at, first, size = self._place(tensor_id, row, columns)
        self._shadow.expect(tensor_id, at, first, size, when, f"row {row} of ")
        return at, first, size

    def _write(self, tensor_id: TensorId, row: int) -> Pair:
        """Write the tile's columns of one row; return the arena bytes from and to."""
        at, first, size = self._place(tensor_id, row, self._columns[tensor_id])
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
        slot = row % rows.rows * rows.columns + column
        return self._workspace_at + rows.offset + slot * pixel, first, size

    def _when(self, position: int) -> str:
        return f"in {self._graph.label(position)}"


def _label(segment: FusedSegment) -> str:
    """Return how a fused segment is named in messages: ``the stream of ops 0 to 4``."""
    return f"the {segment.kind} of ops {segment.first_op} to {segment.last_op}"
