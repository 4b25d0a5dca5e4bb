"""Where rows lie that a fused segment makes and reads, as C expressions.

Whole tensors and tiles are in one piece. What a stream keeps of a tensor is a ring; where it makes
several rows at once, kernels find them one behind the other, and ``make_room`` (window.h) moves
them down when there is no room behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from harness.codegen.model_map import rows_macro, tensor_macro
from harness.codegen.op_text import wrapped_call
from harness.ir import Graph, TensorId
from harness.schedule.geometry import Axis, length, pixel_bytes
from harness.schedule.plan import FusedSegment, Rows, StreamSegment


@dataclass(frozen=True, eq=False)
class Places:
    """The rows of a segment whose names begin with ``prefix``."""

    graph: Graph
    segment: FusedSegment
    names: Mapping[TensorId, str]
    prefix: str

    @cached_property
    def kept(self) -> dict[TensorId, Rows]:
        """The tensors that are never whole, and what is kept of them."""
        return {rows.tensor: rows for rows in self.segment.rows}

    @cached_property
    def makers(self) -> dict[TensorId, int]:
        """Which op of the segment makes a tensor."""
        return {self.graph.ops[i].outputs[0]: i for i in self.segment.ops}

    @property
    def batch(self) -> int:
        """How many rows an op makes at once."""
        return self.segment.batch if isinstance(self.segment, StreamSegment) else 1

    def height(self, tensor_id: TensorId) -> int:
        """Return the rows of a tensor."""
        return length(self.graph, tensor_id, Axis.ROWS)

    def row_bytes(self, tensor_id: TensorId) -> int:
        """Return the bytes from a row of a tensor to the next, or from a slot to the next."""
        kept = self.kept.get(tensor_id)
        owner = self.kept.get(kept.owner) if kept else None
        columns = owner.columns if owner else length(self.graph, tensor_id, Axis.COLUMNS)
        return columns * pixel_bytes(self.graph, tensor_id)

    def ring(self, tensor_id: TensorId) -> dict[str, str]:
        """Return how the rows of a tensor lie in a ring, nothing if they are in one piece."""
        kept = self.kept.get(tensor_id)
        if kept is None or self.batch > 1:
            return {}
        if kept.pitch > 1:
            return {"slots": "1"}
        if kept.rows >= self.height(tensor_id) and not kept.shift:
            return {}
        slots = {"slots": rows_macro(self.names[tensor_id])}
        return slots | ({"shift": f"{kept.shift}"} if kept.shift else {})

    def base(self, tensor_id: TensorId, row: str = "0") -> str:
        """Return where the rows of a tensor begin, of which a row is read.

        If they move, that is where row 0 would be; if others lie between them, it is the row.
        """
        kept = self.kept.get(tensor_id)
        if kept and kept.pitch > 1:
            return self.row(tensor_id, row)
        return self._at(tensor_id, self._slot(tensor_id, "0") if self.batch > 1 else "0")

    def row(self, tensor_id: TensorId, row: str) -> str:
        """Return where a row of a tensor begins."""
        kept, ring = self.kept.get(tensor_id), self.ring(tensor_id)
        if ring:
            at = f"{row} * {kept.pitch}" if kept and kept.pitch > 1 else row
            at = f"({at} + {kept.shift})" if kept and kept.shift else at
            slots = rows_macro(self.names[tensor_id])
            slot = f"{at} % {slots}" if kept and kept.rows > 1 else "0"
        else:
            slot = self._slot(tensor_id, row) if self.height(tensor_id) > 1 else "0"
        return self._at(tensor_id, slot)

    def moves(self, tensor_id: TensorId) -> bool:
        """Whether rows of a tensor move down: they settle, or there are more of them than slots."""
        kept = self.kept.get(tensor_id)
        if kept is None or self.batch == 1:
            return False
        own = self.kept[kept.owner]
        return own.settled > 0 or own.rows < self.height(own.tensor) + own.shift

    def make_room(self, tensor_id: TensorId, first: str, end: str) -> list[str]:
        """Return the statement that makes room for rows that are made next, where it is needed."""
        kept = self.kept.get(tensor_id)
        if kept is None or kept.over is not None or not self.moves(tensor_id):
            return []
        return self._make_room(kept, rows_macro(self.names[tensor_id]), first, end)

    def _make_room(self, kept: Rows, count: str, first: str, end: str) -> list[str]:
        shift = f" + {kept.shift}" if kept.shift else ""
        arguments = [
            f"int8_at({tensor_macro(self.names[kept.tensor])})",
            count,
            f"{self.row_bytes(kept.tensor)}",
            f"&{self.prefix}.{self._first(kept)}",
            f"(span_t){{{first}{shift}, {end}{shift}}}",
        ]
        return [line.removeprefix("    ") for line in wrapped_call("make_room", arguments)]

    def settle(self, position: int) -> list[str]:
        """Return the statements that let rows settle when an op has made rows from them."""
        lines = []
        for kept in self.kept.values():
            if kept.settled and self._last_reader(kept) == position and self.moves(kept.tensor):
                maker = self.makers.get(kept.tensor)
                made = f"{self.prefix}." + ("input" if maker is None else f"op_{maker}")
                lines += self._make_room(kept, f"{kept.settled}", made, made)
        return lines

    def _last_reader(self, kept: Rows) -> int:
        members = [rows.tensor for rows in self.kept.values() if rows.owner == kept.tensor]
        ops = self.segment.ops
        return max(i for i in ops if set(members) & set(self.graph.ops[i].inputs))

    def firsts(self) -> list[str]:
        """Return the variables that say which rows lie in the first slots of those that move."""
        return [
            self._first(kept)
            for kept in self.kept.values()
            if kept.over is None and self.moves(kept.tensor)
        ]

    def _first(self, kept: Rows) -> str:
        position = self.makers.get(kept.owner)
        return "first_input" if position is None else f"first_{position}"

    def _slot(self, tensor_id: TensorId, row: str) -> str:
        """Return the slot of a row among those that lie one behind the other."""
        kept = self.kept.get(tensor_id)
        parts = [row] if row != "0" else []
        parts += [f"{kept.shift}"] if kept and kept.shift else []
        slot = " + ".join(parts) or "0"
        if kept and self.moves(tensor_id):
            first = f"{self.prefix}.{self._first(kept)}"
            slot = f"{slot} - {first}" if slot != "0" else f"-{first}"
        return f"({slot})" if " " in slot else slot

    def _at(self, tensor_id: TensorId, slot: str) -> str:
        begin = f"int8_at({tensor_macro(self.names[tensor_id])})"
        if slot == "0":
            return begin
        sign, slot = ("-", slot[1:]) if slot.startswith("-") else ("+", slot)
        return f"{begin} {sign} {slot} * {self.row_bytes(tensor_id)}"
