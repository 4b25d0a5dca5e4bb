"""Fusion: which runs of ops may be one segment, and what each op of a run reads.

Ops ``first..end-1`` may be executed together when each is done row by row, what one hands to
another is read nowhere else, and at most one of them sums over all rows. All this depends only on
the graph, so it is found out once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from harness.ir import Graph, Op, TensorId
from harness.kernels.kernel_set import PORTABLE, KernelSet
from harness.kernels.library import is_alias, row_scratch_bytes
from harness.schedule.geometry import Axis, Span, is_rowwise, length, reads, sums_all_rows, tile
from harness.schedule.plan import align
from harness.schedule.takeover import Takeover, takeovers


@dataclass(frozen=True, slots=True)
class Operand:
    """An activation that an op reads: of it, the rows ``rows[r]`` for its own output row r."""

    tensor: TensorId
    position: int
    rows: tuple[Span, ...]


class Fusion:
    """What can be fused in a graph, with given kernels."""

    def __init__(self, graph: Graph, kernels: KernelSet = PORTABLE) -> None:
        self.graph, self.kernels = graph, kernels
        self.makers = graph.producers()
        self.readers = graph.consumers()

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """For each ``end``, the first op of the longest run that ends there.

        All shorter runs down to a single op may be fused too. Where op ``end - 1`` itself cannot
        be done by rows, it is ``end``: no run ends there.
        """
        return tuple(self._start(end) for end in range(len(self.graph.ops) + 1))

    @cached_property
    def operands(self) -> tuple[tuple[Operand, ...], ...]:
        """For each op that is done by rows, the activations that it reads, each once."""
        return tuple(
            self._operands(op) if self.is_fusible[position] else ()
            for position, op in enumerate(self.graph.ops)
        )

    @cached_property
    def is_fusible(self) -> tuple[bool, ...]:
        """For each op, whether it is done row by row, and moves and reads anything at all."""
        return tuple(
            is_rowwise(self.graph, op)
            and not is_alias(self.graph, op)
            and self._reads_each_operand(op)
            for op in self.graph.ops
        )

    @cached_property
    def input_by_rows(self) -> TensorId | None:
        """The model's input if it could be delivered row by row, else None."""
        return None if self.why_not_by_rows else self.graph.inputs[0]

    @cached_property
    def why_not_by_rows(self) -> str:
        """Why the model's input cannot be delivered row by row; nothing if it can.

        The first op's first operand it must be, and all that read it must be done by rows, in one
        run.
        """
        graph = self.graph
        if len(graph.inputs) != 1:
            return f"the model has {len(graph.inputs)} inputs"
        tensor, readers = graph.tensor(graph.inputs[0]), self.readers.get(graph.inputs[0], ())
        if not readers:
            return f"no op reads input '{tensor.label}'"
        if graph.inputs[0] in graph.outputs:
            return f"input '{tensor.label}' is an output too, which is whole"
        for reader in readers:
            if not self.is_fusible[reader] or len(tensor.shape) != 4:
                return (
                    f"{graph.label(reader)} reads input '{tensor.label}' {list(tensor.shape)} as a "
                    "whole; rows are those of an image [1, H, W, C] that convolutions, pools or "
                    "element-wise ops read"
                )
        if graph.ops[0].inputs[0] != graph.inputs[0]:
            return f"{graph.label(0)} comes before input '{tensor.label}' is read"
        if not any(self.starts[end] == 0 for end in range(readers[-1] + 1, len(self.starts))):
            return (
                f"{graph.label(readers[0])} and {graph.label(readers[-1])} both read input "
                f"'{tensor.label}', and cannot be in one stream"
                if len(readers) > 1
                else f"{graph.label(readers[0])} cannot be in a stream"
            )
        return ""

    @cached_property
    def links(self) -> dict[TensorId, tuple[int, int]]:
        """The tensors that one op makes and one other reads pixel by pixel, with these two ops."""
        found = {}
        for tensor, maker in self.makers.items():
            readers = self.readers.get(tensor, ())
            if (
                len(readers) == 1
                and tensor not in self.graph.outputs
                and self.is_fusible[maker]
                and self.is_fusible[readers[0]]
                and not sums_all_rows(self.graph, self.graph.ops[maker])
                and self._is_read_by_pixel(self.graph.ops[readers[0]], tensor)
            ):
                found[tensor] = (maker, readers[0])
        return found

    @cached_property
    def row_scratch(self) -> tuple[int, ...]:
        """For each op that is done by rows, the bytes of scratch that it needs meanwhile."""
        return tuple(
            align(row_scratch_bytes(self.kernels, self.graph, op)) if goes else 0
            for op, goes in zip(self.graph.ops, self.is_fusible, strict=True)
        )

    @cached_property
    def takeovers(self) -> tuple[tuple[Takeover, ...], ...]:
        """For each op that is done by rows, the operands over whose rows it may write its own."""
        return tuple(
            tuple(takeovers(self.kernels, self.graph, op)) if goes else ()
            for op, goes in zip(self.graph.ops, self.is_fusible, strict=True)
        )

    def scratch_bytes(self, ops: range) -> int:
        """Return the bytes of scratch of a fused run: the most of any of its ops."""
        return max(self.row_scratch[i] for i in ops)

    def output_rows(self, position: int, axis: Axis = Axis.ROWS) -> int:
        """Return the rows (or columns) of an op's output."""
        return length(self.graph, self.graph.ops[position].outputs[0], axis)

    def outside_operands(self, first: int, end: int) -> tuple[TensorId, ...]:
        """Return the activations that a run reads and does not make, each once."""
        return tuple(
            dict.fromkeys(
                operand.tensor
                for position in range(first, end)
                for operand in self.operands[position]
                if not first <= self.makers.get(operand.tensor, -1) < end
            )
        )

    def _start(self, end: int) -> int:
        first, sums = end, 0
        while first and self.is_fusible[first - 1]:
            op = self.graph.ops[first - 1]
            sums += sums_all_rows(self.graph, op)
            if sums > 1 or (first < end and not self._is_inner(op, end)):
                break
            first -= 1
        return self._first_read(first, end)

    def _first_read(self, first: int, end: int) -> int:
        """Return the first op of a run from which on op ``end - 1`` depends on each one.

        It may not, where an op strides to a row for which the one before sees only padding.
        """
        graph, ops = self.graph, range(first, end)
        if len(ops) < 2:
            return first
        for axis in Axis:
            rows = length(graph, graph.ops[end - 1].outputs[0], axis)
            touched = tile(graph, ops, axis, Span(0, rows))
            unread = (i + 1 for i in ops[:-1] if not touched[graph.ops[i].outputs[0]].length)
            first = max([first, *unread])
        return first

    def _is_inner(self, op: Op, end: int) -> bool:
        """Whether all that read the op's output come before ``end``."""
        output = op.outputs[0]
        readers = self.readers.get(output, ())
        return bool(readers) and readers[-1] < end and output not in self.graph.outputs

    def _reads_each_operand(self, op: Op) -> bool:
        """Whether windows see more than padding, as those of long strides over few rows may not."""
        return all(
            any(
                reads(self.graph, op, operand, axis, Span(i, i + 1)).length
                for i in range(length(self.graph, op.outputs[0], axis))
            )
            for operand, tensor in enumerate(op.inputs)
            if not self.graph.tensor(tensor).is_constant
            for axis in Axis
        )

    def _is_read_by_pixel(self, op: Op, tensor: TensorId) -> bool:
        """Whether an op reads, for each pixel of its output, the same pixel of a tensor."""
        graph, operand = self.graph, op.inputs.index(tensor)
        return not sums_all_rows(graph, op) and all(
            length(graph, tensor, axis) == length(graph, op.outputs[0], axis)
            and all(
                reads(graph, op, operand, axis, Span(i, i + 1)) == Span(i, i + 1)
                for i in range(length(graph, tensor, axis))
            )
            for axis in Axis
        )

    def _operands(self, op: Op) -> tuple[Operand, ...]:
        graph = self.graph
        found: dict[TensorId, Operand] = {}
        rows = length(graph, op.outputs[0], Axis.ROWS)
        for position, tensor in enumerate(op.inputs):
            if tensor not in found and not graph.tensor(tensor).is_constant:
                spans = (
                    reads(graph, op, position, Axis.ROWS, Span(row, row + 1)) for row in range(rows)
                )
                found[tensor] = Operand(tensor, position, tuple(spans))
        return tuple(found.values())
