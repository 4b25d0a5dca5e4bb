"""Streams: ops executed together, row by row.

For each op M that others in the segment read, ``segment_N_op_M_rows(end)`` makes the rows up to
``end`` that are not made yet, each after the rows of its operands that it reads. So a row is
pulled through the ops when the one behind asks for it, and is made once. The step is the loop over
the rows of the output. Only this thin function of an op waits on the stack for its operands.

In a stream with batches, ``segment_N_op_M_rows(end)`` makes several rows at once: what the last of
them reads is made before.

Ops that hand a row on in chunks of columns stand together in one loop over the columns, in the
function of the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.arithmetic.resize import prepare_resize
from harness.codegen.c_text import shape_text
from harness.codegen.fused import Fused, Spans, declaration
from harness.codegen.model_map import columns_macro
from harness.codegen.op_text import comment
from harness.codegen.step import Step
from harness.codegen.weights import Weights
from harness.ir import Graph, Op, TensorId
from harness.ir.ops import Pad, ResizeNearestNeighbor, Window
from harness.schedule.geometry import Axis, Span, evenly, length, reads, tile
from harness.schedule.plan import Plan, StreamSegment


def stream_segment(
    plan: Plan,
    number: int,
    segment: StreamSegment,
    names: Mapping[TensorId, str],
    weights: Weights,
) -> Step:
    """Return the step of a stream."""
    fused = Fused(plan, number, segment, names, weights, is_cut=segment.stripes > 1)
    stream = _Stream(fused, segment)
    text = "\n".join(stream.lines()) + "\n"
    return Step(fused.function, text, fused.headers(), segment.last_op)


@dataclass(frozen=True, slots=True)
class _Stream:
    fused: Fused
    segment: StreamSegment

    @property
    def graph(self) -> Graph:
        return self.fused.graph

    @property
    def prefix(self) -> str:
        return self.fused.prefix

    @property
    def fetched(self) -> TensorId | None:
        """The model's input if it arrives row by row."""
        if not self.segment.input_by_rows:
            return None
        return next(t for t in self.fused.kept if t in self.graph.inputs)

    def lines(self) -> Iterator[str]:
        """Yield the functions of the segment."""
        yield from self._comment()
        yield from self._state()
        if self.fetched is not None:
            yield from self._fetch(self.fetched)
        for position in self.segment.ops:
            pull = self._pull(position, "row")
            yield from self.fused.row_function(position, pull)
            if position != self.segment.last_op and not self.fused.is_link(position):
                yield from self._rows(position)
        yield from self._step()

    def _comment(self) -> list[str]:
        first, last, stripes = self.segment.first_op, self.segment.last_op, self.segment.stripes
        shape = shape_text(self.graph.tensor(self.fused.output).shape)
        ops = f"op {first}" if first == last else f"ops {first}..{last}"
        what = f"Segment {self.fused.number}: {ops}, row by row to {shape}. "
        if first != last:
            what += "A row of an op is made after the rows that it reads. "
        if self.fused.links:
            what += "Rows that one op alone reads, pixel by pixel, are made in chunks of columns. "
        if self.segment.batch > 1:
            what += f"Up to {self.segment.batch} rows of an op are made at once. "
        if stripes == 1:
            return comment(what + "Nothing is computed twice.")
        height = self.fused.height
        rows = {t: Span(0, height(t)) for t in self.fused.makers}
        macs = self.fused.executed_macs((rows, columns) for columns in self._stripes())
        cuts = f"The columns are cut into {stripes} stripes, whose halos are computed twice"
        return comment(f"{what}{cuts}: {macs:.3f} times the MACs.")

    def _stripes(self) -> list[Spans]:
        output = self.fused.output
        width = length(self.graph, output, Axis.COLUMNS)
        return [
            tile(self.graph, self.segment.ops, Axis.COLUMNS, span)
            for span in evenly(width, self.segment.stripes)
        ]

    def _state(self) -> Iterator[str]:
        counted = [f"op_{i}" for i in self.segment.ops[:-1] if not self.fused.is_link(i)]
        if self.fetched is not None:
            counted.insert(0, "input")
        counted += self.fused.places.firsts()
        if self.fused.is_cut:
            yield from self.fused.spans_type()
            yield ""
            yield "/* The columns of each op's output that a stripe wants. */"
            yield from self.fused.spans_table("columns", self._stripes())
            yield ""
        if not self._has_state:
            return
        yield "typedef struct {"
        if self.fused.is_cut:
            yield f"    const {self.prefix}_spans_t *columns;"
        if counted:
            yield from declaration("int32_t", counted)
        yield f"}} {self.prefix}_t;"
        yield ""
        firsts = ", and which rows lie first" if self.fused.places.firsts() else ""
        yield f"/* How many rows are made of each op that others read{firsts}. */"
        yield f"static {self.prefix}_t {self.prefix};"
        yield ""

    @property
    def _has_state(self) -> bool:
        counts = any(not self.fused.is_link(i) for i in self.segment.ops[:-1])
        return counts or self.fused.is_cut or self.fetched is not None

    def _fetch(self, tensor_id: TensorId) -> Iterator[str]:
        row = f"{self.prefix}.input"
        place = self.fused.places.row(tensor_id, row).replace("int8_at", "uint8_at", 1)
        yield "/* The model's input arrives row by row. */"
        yield f"static STEP void {self.prefix}_input_rows(int32_t end)"
        yield "{"
        yield from (f"    {line}" for line in self.fused.places.make_room(tensor_id, row, "end"))
        yield f"    for (; {row} < end; {row}++) {{"
        yield f"        model_fetch_row({place}, {row});"
        yield "    }"
        yield "}"
        yield ""

    def _rows(self, position: int) -> Iterator[str]:
        made = f"{self.prefix}.op_{position}"
        yield f"static STEP void {self.prefix}_op_{position}_rows(int32_t end)"
        yield "{"
        if self.segment.batch > 1:
            yield f"    while ({made} < end) {{"
            batch = self.segment.batch
            next_ = f"end - {made} < {(3 * batch + 1) // 2} ? end : {made} + {batch}"
            yield from (f"        {line}" for line in self._make_batch(position, made, next_))
        else:
            yield f"    for (; {made} < end; {made}++) {{"
            yield from (f"        {line}" for line in self._make_row(position, made))
        yield "    }"
        yield "}"
        yield ""

    def _step(self) -> Iterator[str]:
        last = self.segment.last_op
        indent = "        " if self.fused.is_cut else "    "
        yield f"static STEP void {self.fused.function}(void)"
        yield "{"
        if self.fused.is_cut:
            stripes, columns = self.segment.stripes, f"&{self.prefix}_columns[stripe]"
            yield f"    for (int32_t stripe = 0; stripe < {stripes}; stripe++) {{"
            yield f"{indent}{self.prefix} = ({self.prefix}_t){{.columns = {columns}}};"
        elif self._has_state:
            yield f"{indent}{self.prefix} = ({self.prefix}_t){{0}};"
        if self.fused.sums(last):
            yield f"{indent}{self.fused.row_statement(last, '')}"
        else:
            height = self.fused.height(self.fused.output)
            if self.segment.batch > 1:
                yield f"{indent}for (int32_t row = 0; row < {height};) {{"
                end = f"lesser(row + {self.segment.batch}, {height})"
                lines = self._make_batch(last, "row", end)
            else:
                yield f"{indent}for (int32_t row = 0; row < {height}; row++) {{"
                lines = self._make_row(last, "row")
            yield from (f"{indent}    {line}" for line in lines)
            yield f"{indent}}}"
        if self.fused.is_cut:
            yield "    }"
        yield "}"

    def _make_row(self, position: int, row: str) -> Iterator[str]:
        """Yield the statements that make row ``row`` of an op, after what it reads is made."""
        if self.fused.sums(position):
            yield self.fused.row_statement(position, row)
            return
        chain = self.fused.chain(position)
        for member in reversed(chain):
            yield from self._pull(member, row)
        if len(chain) == 1:
            yield self.fused.row_statement(position, row)
            return
        yield from self._in_chunks(position, chain, row)

    def _make_batch(self, position: int, made: str, end: str) -> Iterator[str]:
        """Yield the statements that make the next rows of an op, up to ``end``, and count them."""
        yield f"const int32_t last = {end};"
        yield ""
        yield from self._pull(position, "last", ahead=1)
        output = self.graph.ops[position].outputs[0]
        yield from self.fused.places.make_room(output, made, "last")
        if not self.fused.makes_rows(position):
            yield f"for (; {made} < last; {made}++) {{"
            yield f"    {self.fused.row_statement(position, made)}"
            yield "}"
        else:
            yield f"{self.prefix}_op_{position}_rows_at_once((span_t){{{made}, last}});"
            yield f"{made} = last;"
        yield from self.fused.places.settle(position)

    def _in_chunks(self, position: int, chain: Sequence[int], row: str) -> Iterator[str]:
        """Yield the loop over the columns of a row in which ops that end with one go together."""
        link = self.graph.ops[chain[0]].outputs[0]
        step = columns_macro(self.fused.names[link])
        width = length(self.graph, link, Axis.COLUMNS)
        first, end, next_ = "0", f"{width}", f"column + {step}"
        if self.fused.is_cut:
            wanted = f"{self.prefix}.columns->op_{position}"
            first, end = f"{wanted}.first", f"{wanted}.last"
        if self.fused.is_cut or width % self.fused.kept[link].columns:
            next_ = f"lesser({next_}, {end})"
        yield f"for (int32_t column = {first}; column < {end}; column += {step}) {{"
        yield f"    const span_t columns = {{column, {next_}}};"
        yield from (f"    {self.fused.row_statement(member, row)}" for member in chain)
        yield "}"

    def _pull(self, position: int, row: str, ahead: int = 0) -> list[str]:
        """Return the statements that make what an op reads of its operands for a row.

        That is row ``row``, or the one so many before.
        """
        op = self.graph.ops[position]
        makers = self.fused.makers
        pulled = {
            t: k
            for k, t in enumerate(op.inputs)
            if (t in makers and t not in self.fused.links) or t == self.fetched
        }
        statements = []
        for tensor_id in sorted(pulled, key=lambda t: makers.get(t, -1)):
            maker = f"op_{makers[tensor_id]}" if tensor_id in makers else "input"
            if self.fused.sums(position):
                end = self._summed(op, row)
            else:
                end = self._need(op, pulled[tensor_id], row, ahead)
            statements.append(f"{self.prefix}_{maker}_rows({end});")
        return statements

    def _summed(self, op: Op, row: str) -> str:
        """Return up to which row an input must be made, whose rows are summed one by one."""
        batch, height = self.segment.batch, self.fused.height(op.inputs[0])
        if batch == 1:
            return f"{row} + 1"
        next_ = f"{row} / {batch} * {batch} + {batch}"
        return f"lesser({next_}, {height})" if height % batch else next_

    def _need(self, op: Op, operand: int, row: str, ahead: int) -> str:
        """Return how many rows of an operand must be made for the row ``row - ahead`` of an op."""
        rows = range(self.fused.height(op.outputs[0]))
        ends = [reads(self.graph, op, operand, Axis.ROWS, Span(r, r + 1)).end for r in rows]
        if isinstance(op, ResizeNearestNeighbor):
            assert [r + 1 for r in prepare_resize(self.graph, op).rows] == ends
            at = f"{row} - {ahead}" if ahead else row
            return f"rows_of_op_{self.graph.ops.index(op)}[{at}] + 1"
        stride, reach = _reach(op)
        height = self.fused.height(op.inputs[operand])
        assert [min(max(r * stride + reach, 0), height) for r in rows] == ends
        is_clipped = rows[-1] * stride + reach > height
        reach -= ahead * stride
        need = row if stride == 1 else f"{row} * {stride}"
        if reach:
            need += f" + {reach}" if reach > 0 else f" - {-reach}"
        return f"lesser({need}, {height})" if is_clipped else need


def _reach(op: Op) -> tuple[int, int]:
    """Return (stride, reach): row r reads no row from r * stride + reach on."""
    window = getattr(op, "window", None)
    if isinstance(window, Window):
        return window.stride[0], window.extent[0] - window.padding.top
    return 1, 1 - (op.paddings[1][0] if isinstance(op, Pad) else 0)
