"""Sweep: what the order of rows of a stream tells about the bytes that it needs.

Everything that a stream needs to know is read off from the moments in which rows are made and read
(``order``): how many rows of a tensor are alive at once, which rows are never alive together, and
(``reach``) how far the output may reach into an input. So residuals, dilation, uneven padding and
ends of images need no formula of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.ir import TensorId
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import Span, is_elementwise, row_bytes
from harness.schedule.order import INPUT, Order

Times = npt.NDArray[np.int64]


class Sweep:
    """The ops of an order, ``start..end-1``; ``in_chunks`` if chains go through the columns."""

    def __init__(self, fusion: Fusion, order: Order, *, in_chunks: bool = False) -> None:
        self.fusion, self.start, self.end = fusion, order.start, order.end
        self.input = fusion.input_by_rows if INPUT in order.makers.values() else None
        self.moments, self.chunked = order.moments, order.links if in_chunks else {}
        self._order = order.in_chunks() if in_chunks else order
        self._makers, self._sums = order.makers, order.sums

    @cached_property
    def written(self) -> dict[int, Times]:
        """For each op, the moment in which each row of its output was made."""
        return {i: np.array(times, np.int64) for i, times in self._order.written.items()}

    @cached_property
    def last_read(self) -> dict[TensorId, Times]:
        """For each inner tensor, the moment after which each of its rows is not needed."""
        return {
            tensor: self._last_reads(tensor, maker)
            for tensor, maker in self._makers.items()
            if maker != self.end - 1
        }

    @cached_property
    def ring_rows(self) -> dict[TensorId, int]:
        """For each inner tensor, how many rows a ring must have: from the oldest still needed."""
        return {tensor: self._ring_rows(tensor) for tensor in self.last_read}

    @cached_property
    def alive(self) -> dict[TensorId, list[tuple[int, int]]]:
        """For each inner tensor, the moments (first, last) in which any of its rows is needed."""
        return {
            tensor: _merged(self.written[self._makers[tensor]], last)
            for tensor, last in self.last_read.items()
        }

    @cached_property
    def over(self) -> dict[TensorId, TensorId]:
        """For each output row that may take the bytes of an operand's row, that operand.

        The op is element-wise, one row of each is alive at a time, and the operand's dies there.
        """
        graph, found = self.fusion.graph, {}
        for position in range(self.start, self.end - 1):
            op = graph.ops[position]
            if not is_elementwise(graph, op) or self.ring_rows[op.outputs[0]] != 1:
                continue
            for operand in self.fusion.operands[position]:
                if operand.tensor in self.last_read and self._gives_way(
                    operand.tensor, op.outputs[0]
                ):
                    found[op.outputs[0]] = operand.tensor
                    break
        return found

    def made(self, tensor: TensorId) -> Times:
        """Return the moment in which each row of an inner tensor is made."""
        return self.written[self._makers[tensor]]

    def death(self, tensor: TensorId) -> int:
        """Return the last moment in which any row of an inner tensor is needed."""
        return int(self.last_read[tensor].max(initial=-1))

    def reads_of(self, first: int, tensor: TensorId) -> Iterator[tuple[int, Times, Times]]:
        """Yield each op from ``first`` on that reads a tensor, when, and the first row then."""
        for reader in range(first, self.end):
            for operand in self.fusion.operands[reader]:
                if operand.tensor == tensor:
                    yield reader, *self._reads(reader, operand.rows)

    def _reads(self, reader: int, rows: tuple[Span, ...]) -> tuple[Times, Times]:
        """Return the moments in which an op reads an operand, and the first row it reads then."""
        if reader in self._sums:
            return np.array(self._order.added, np.int64), np.arange(len(self._order.added))
        times = self.written[reader]
        filled = [row for row, span in enumerate(rows[: len(times)]) if span.length]
        firsts = np.array([rows[row].first for row in filled], np.int64)
        return times[filled], firsts

    def _last_reads(self, tensor: TensorId, maker: int) -> Times:
        last = self.written[maker].copy()
        for reader in self.fusion.readers[tensor]:
            if reader in self._sums:
                np.maximum(last, np.array(self._order.added), out=last)
                continue
            times = self.written[reader]
            (operand,) = (o for o in self.fusion.operands[reader] if o.tensor == tensor)
            # Rows at the bottom that the last op has no use for are never made.
            for row, span in enumerate(operand.rows[: len(times)]):
                part = last[span.first : span.end]
                np.maximum(part, times[row], out=part)
        return last

    def _ring_rows(self, tensor: TensorId) -> int:
        written, last = self.written[self._makers[tensor]].tolist(), self.last_read[tensor].tolist()
        oldest = most = 0
        for row, moment in enumerate(written):
            while last[oldest] < moment:
                oldest += 1
            most = max(most, row + 1 - oldest)
        return most

    def _gives_way(self, operand: TensorId, output: TensorId) -> bool:
        written = self.written[self._makers[output]]
        last, graph = self.last_read[operand], self.fusion.graph
        return (
            self.ring_rows[operand] == 1
            and (operand in self.chunked) == (output in self.chunked)
            and len(last) == len(written)
            and bool((last == written).all())
            and row_bytes(graph, operand) == row_bytes(graph, output)
            and bool((self.last_read[output][:-1] < self.written[self._makers[operand]][1:]).all())
        )


def _merged(first: Times, last: Times) -> list[tuple[int, int]]:
    """Return the union of intervals, given in order of their beginnings."""
    merged: list[tuple[int, int]] = []
    for begin, end in zip(first.tolist(), last.tolist(), strict=True):
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
