"""What streams and patches have in common: a C function for each op that makes one row.

The function ``segment_N_op_M_row`` makes one row of op M, or those columns of it that a stripe, a
patch or a chunk wants. Operands are handed to its kernel as ``rows_t``, so that it does not matter
whether they are whole, a ring or a tile. Columns are constants unless the segment is cut or the op
makes its rows in chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.codegen.c_text import WIDTH, wrap
from harness.codegen.model_map import scratch_macro, sums_macro
from harness.codegen.op_text import OpText, wrapped_call
from harness.codegen.places import Places
from harness.codegen.weights import Weights
from harness.ir import Graph, Op, TensorId
from harness.ir.macs import op_macs
from harness.kernels.call import RowCall
from harness.kernels.library import row_calls, sums_call
from harness.schedule.geometry import Axis, Span, length, pixel_bytes, sums_all_rows
from harness.schedule.plan import FusedSegment, PatchSegment, Plan, Rows, StreamSegment
from harness.schedule.rings import chunks

Spans = Mapping[TensorId, Span]
"""Rows or columns of tensors."""


@dataclass(frozen=True, eq=False)
class Fused:
    """Writes the ops of segment ``number`` of a plan; ``is_cut`` if its columns are."""

    plan: Plan
    number: int
    segment: FusedSegment
    names: Mapping[TensorId, str]
    weights: Weights
    is_cut: bool

    @property
    def graph(self) -> Graph:
        """The graph of the plan."""
        return self.plan.graph

    @property
    def prefix(self) -> str:
        """How the names of all functions of the segment begin."""
        return f"segment_{self.number}"

    @property
    def function(self) -> str:
        """The name of the step."""
        return f"{self.prefix}_{self.names[self.output]}"

    @property
    def output(self) -> TensorId:
        """What the segment makes."""
        return self.graph.ops[self.segment.last_op].outputs[0]

    @cached_property
    def places(self) -> Places:
        """Where rows lie."""
        return Places(self.graph, self.segment, self.names, self.prefix)

    @property
    def kept(self) -> dict[TensorId, Rows]:
        """The tensors that are never whole, and what is kept of them."""
        return self.places.kept

    @property
    def makers(self) -> dict[TensorId, int]:
        """Which op of the segment makes a tensor."""
        return self.places.makers

    @cached_property
    def links(self) -> frozenset[TensorId]:
        """The tensors whose rows are made in chunks."""
        match self.segment:
            case StreamSegment():
                return frozenset(chunks(self.graph, self.segment))
            case PatchSegment():
                return frozenset()

    def is_link(self, position: int) -> bool:
        """Whether an op makes a tensor whose rows are made in chunks."""
        return self.graph.ops[position].outputs[0] in self.links

    def chain(self, position: int) -> list[int]:
        """Return the ops that go through the columns together, the last of them is given."""
        op = self.graph.ops[position]
        before = [self.makers[t] for t in op.inputs if t in self.links]
        return [*(self.chain(before[0]) if before else ()), position]

    def goes_in_chunks(self, position: int) -> bool:
        """Whether an op makes its rows in chunks."""
        return self.is_link(position) or len(self.chain(position)) > 1

    def makes_rows(self, position: int) -> bool:
        """Whether the function of an op makes several rows."""
        if self.places.batch == 1 or self.sums(position):
            return False
        return all(call.makes_rows for call in self._row_calls(self.graph.ops[position]))

    def text(self, position: int) -> OpText:
        """Return what writes about an op."""
        return OpText(self.graph, self.names, self.weights, position)

    def sums(self, position: int) -> bool:
        """Whether an op sums over all rows of its input."""
        return sums_all_rows(self.graph, self.graph.ops[position])

    def height(self, tensor_id: TensorId) -> int:
        """Return the rows of a tensor."""
        return self.places.height(tensor_id)

    def headers(self) -> tuple[str, ...]:
        """Return what the functions of all ops include."""
        found: set[str] = set()
        for position in self.segment.ops:
            op = self.graph.ops[position]
            if self.sums(position):
                found.add(sums_call(self.graph, op).header)
            else:
                found.update(call.header for call in self._row_calls(op))
        return tuple(sorted(found))

    def row_function(self, position: int, pull: Sequence[str] = ()) -> list[str]:
        """Return the function that makes one row of an op, or several.

        ``pull`` are statements that make row ``row`` of the input of an op that sums over all.
        """
        head = f"static STEP void {self.prefix}_op_{position}_row"
        comment = self.text(position).comment()
        if self.sums(position):
            return [*comment, f"{head}(void)", "{", *self._sum_rows(position, pull), "}", ""]
        arguments = "int32_t row"
        if self.goes_in_chunks(position):
            arguments += ", span_t columns"
        if self.makes_rows(position):
            head, arguments = f"{head}s_at_once", "span_t rows"
        return [*comment, f"{head}({arguments})", "{", *self._one_row(position), "}", ""]

    def row_statement(self, position: int, row: str) -> str:
        """Return the statement that makes one row of an op, or ``columns`` of it."""
        argument = "" if self.sums(position) else row
        if self.goes_in_chunks(position):
            argument += ", columns"
        return f"{self.prefix}_op_{position}_row({argument});"

    def spans_table(self, name: str, entries: Sequence[Spans]) -> list[str]:
        """Return the table of the spans that each stripe or patch wants of each op's output."""
        lines = [f"static const {self.prefix}_spans_t {self.prefix}_{name}[{len(entries)}] = {{"]
        for entry in entries:
            spans = [(i, entry[self.graph.ops[i].outputs[0]]) for i in self.segment.ops]
            parts = [f".op_{i} = {{{span.first}, {span.end}}}" for i, span in spans]
            line = f"    {{{', '.join(parts)}}},"
            fits = len(line) <= WIDTH
            lines += [line] if fits else ["    {", *wrap(parts, "        "), "    },"]
        return [*lines, "};"]

    def spans_type(self) -> list[str]:
        """Return the type of an entry of such tables."""
        members = [f"op_{i}" for i in self.segment.ops]
        return [
            "typedef struct {",
            *declaration("span_t", members),
            f"}} {self.prefix}_spans_t;",
        ]

    def executed_macs(self, tiles: Iterable[tuple[Spans, Spans]]) -> float:
        """Return the multiply-accumulates of tiles (rows, columns), against those of whole ops."""
        whole, executed = 0, 0.0
        tiles = list(tiles)
        for position in self.segment.ops:
            op = self.graph.ops[position]
            macs, y = op_macs(self.graph, op), op.outputs[0]
            made = sum(rows[y].length * columns[y].length for rows, columns in tiles)
            whole += macs
            executed += macs * made / (self.height(y) * length(self.graph, y, Axis.COLUMNS))
        return executed / whole if whole else 1.0

    def _row_calls(self, op: Op) -> tuple[RowCall, ...]:
        """Return the calls for a row of an op, with the scratch that the plan gives."""
        scratch = self.plan.scratch(self.number)
        room = scratch.size_bytes if scratch else 0
        return row_calls(self.plan.kernels, self.graph, op, room, in_batches=self.places.batch > 1)

    def _one_row(self, position: int) -> Iterator[str]:
        text, y = self.text(position), self.graph.ops[position].outputs[0]
        parts = self._row_calls(text.op)
        in_chunks, columns = self.goes_in_chunks(position), "columns"
        if self.is_cut and not in_chunks:
            yield f"    const span_t columns = {self.prefix}.columns->op_{position};"
        elif not in_chunks:
            columns = f"(span_t){{0, {length(self.graph, y, Axis.COLUMNS)}}}"
        for number, call in enumerate(parts):
            suffix = f"_{number}" if len(parts) > 1 else ""
            yield from text.parameters(call.type, f"op{suffix}", call.parameters)
            operands = _operand_names(call, suffix)
            for operand, name in zip(call.operands, operands, strict=True):
                yield from self._rows(text, operand, name)
            row, place = "row", ""
            if call.makes_rows:
                row, place = "rows", f"y{suffix}"
                yield from self._made_rows(y, place)
            else:
                place = self._place(y, row, in_chunks=in_chunks)
            arguments = [f"&op{suffix}", *operands, row, columns, place]
            if call.takes_scratch:
                arguments.append(f"int8_at({scratch_macro(self.segment.first_op)})")
            yield from wrapped_call(call.function, arguments)

    def _sum_rows(self, position: int, pull: Sequence[str]) -> Iterator[str]:
        text, op = self.text(position), self.graph.ops[position]
        call = sums_call(self.graph, op)
        yield from text.parameters(call.type, "op", call.parameters)
        x = self._rows(text, 0, "x")
        moves = self.places.moves(op.inputs[0])
        if not moves:
            yield from x
        yield f"    sum_t *const sums = (sum_t *)(void *)uint8_at({sums_macro(position)});"
        yield ""
        yield "    sums_clear(&op.x, sums);"
        yield f"    for (int32_t row = 0; row < {self.height(op.inputs[0])}; row++) {{"
        yield from (f"        {statement}" for statement in pull)
        if moves:
            yield from (f"    {line}" for line in x)
        yield "        sums_add_row(&op.x, x, row, sums);"
        yield "    }"
        yield f"    {call.function}(&op, sums, {self._place(op.outputs[0], '0')});"

    def _rows(self, text: OpText, operand: int, name: str) -> list[str]:
        """Return the definition of the rows of an operand."""
        tensor_id = text.op.inputs[operand]
        pixel = pixel_bytes(self.graph, tensor_id)
        base = text.constant_operand(operand, "int8_t")
        fields = {
            "base": base or self.places.base(tensor_id, "row"),
            "row_bytes": f"{self.places.row_bytes(tensor_id)}",
            "pixel_bytes": f"{pixel}",
            **self.places.ring(tensor_id),
        }
        if tensor_id in self.links:
            fields["first"] = "columns.first"
        elif tensor_id in self.kept and self.is_cut:
            fields["first"] = f"{self.prefix}.columns->op_{self.makers[tensor_id]}.first"
        return _struct("rows_t", name, fields)

    def _made_rows(self, tensor_id: TensorId, name: str) -> list[str]:
        """Return the definition of the rows of an output of which several are made at once."""
        fields = {
            "base": self.places.base(tensor_id),
            "row_bytes": f"{self.places.row_bytes(tensor_id)}",
        }
        return _struct("made_rows_t", name, fields)

    def _place(self, tensor_id: TensorId, row: str, *, in_chunks: bool = False) -> str:
        """Return where the first wanted column of a row of a tensor made here lies."""
        kept, pixel = self.kept.get(tensor_id), pixel_bytes(self.graph, tensor_id)
        place = self.places.row(tensor_id, row)
        begins_there = tensor_id in self.links or (kept and not in_chunks)
        if begins_there or not (in_chunks or self.is_cut):
            return place
        first = "columns.first"
        if kept and self.is_cut:
            first = f"({first} - {self.prefix}.columns->op_{self.makers[tensor_id]}.first)"
        return f"{place} + {first} * {pixel}"


def _struct(type_: str, name: str, fields: Mapping[str, str]) -> list[str]:
    """Return the definition of a constant struct."""
    parts = [f".{field} = {value}" for field, value in fields.items()]
    line = f"    const {type_} {name} = {{{', '.join(parts)}}};"
    if len(line) <= WIDTH:
        return [line]
    return [f"    const {type_} {name} = {{", *(f"        {part}," for part in parts), "    };"]


def declaration(type_: str, members: Sequence[str]) -> list[str]:
    """Return the lines that declare members of one type in a struct."""
    lines = wrap(members, " " * (len(type_) + 5))
    lines[0] = f"    {type_} {lines[0].lstrip()}"
    lines[-1] = f"{lines[-1].removesuffix(',')};"
    return lines


def _operand_names(call: RowCall, suffix: str) -> list[str]:
    names = ["x"] if len(call.operands) == 1 else ["a", "b"]
    return [f"{name}{suffix}" for name in names]
