"""Sweep: the rows of a run of ops in the order in which a stream makes them.

The order is found by doing it: rows of the last op are asked for one by one, and each op first asks
for what it reads. Everything that a stream needs to know is then read off: how many rows of a
tensor are alive at once, which rows are never alive together, and (``reach``) how far the output
may reach into an input. So residuals, dilation, uneven padding and ends of images need no formula
of their own.

One sweep serves all runs that end at the same op: leaving out the first ops of a run leaves the
order of the others as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.ir import TensorId
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import Span, is_elementwise, row_bytes, sums_all_rows

INPUT = -1
"""Stands for the op that makes the model's input: it delivers a row."""

Times = npt.NDArray[np.int64]


class Sweep:
    """Ops ``start..end-1`` executed row by row; a moment is one row made (or added to sums)."""

    def __init__(self, fusion: Fusion, end: int) -> None:
        self.fusion, self.end, self.start = fusion, end, fusion.starts[end]
        graph = fusion.graph
        self._makers = {graph.ops[i].outputs[0]: i for i in range(self.start, end)}
        self.input = fusion.input_by_rows if self.start == 0 else None
        if self.input is not None and fusion.readers[self.input][-1] < end:
            self._makers[self.input] = INPUT
        else:
            self.input = None
        self._pulls = {i: self._pulled_by(i) for i in range(self.start, end)}
        self._pulls[INPUT] = ()
        self._sums = {i for i in self._pulls if i >= 0 and sums_all_rows(graph, graph.ops[i])}
        self._written: dict[int, list[int]] = {i: [] for i in self._pulls}
        self._added: list[int] = []
        self.moments = 0
        for row in range(fusion.output_rows(end - 1)):
            self._produce(end - 1, row + 1)

    @cached_property
    def written(self) -> dict[int, Times]:
        """For each op, the moment in which each row of its output was made."""
        return {i: np.array(times, np.int64) for i, times in self._written.items()}

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
            if not is_elementwise(op) or self.ring_rows[op.outputs[0]] != 1:
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

    def _pulled_by(self, position: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Return the ops that one op pulls, in order, and up to which row for each of its own."""
        pulls = [
            (self._makers[operand.tensor], tuple(span.end for span in operand.rows))
            for operand in self.fusion.operands[position]
            if operand.tensor in self._makers
        ]
        return tuple(sorted(pulls))

    def _produce(self, position: int, until: int) -> None:
        written, pulls = self._written[position], self._pulls[position]
        if position in self._sums and len(written) < until:
            self._add_rows(position)
            pulls = ()
        while len(written) < until:
            row = len(written)
            for maker, ends in pulls:
                if len(self._written[maker]) < ends[row]:
                    self._produce(maker, ends[row])
            written.append(self.moments)
            self.moments += 1

    def _add_rows(self, position: int) -> None:
        (operand,) = self.fusion.operands[position]
        for row in range(operand.rows[0].end):
            if operand.tensor in self._makers:
                self._produce(self._makers[operand.tensor], row + 1)
            self._added.append(self.moments)
            self.moments += 1

    def _reads(self, reader: int, rows: tuple[Span, ...]) -> tuple[Times, Times]:
        """Return the moments in which an op reads an operand, and the first row it reads then."""
        if reader in self._sums:
            return np.array(self._added, np.int64), np.arange(len(self._added))
        times = self.written[reader]
        filled = [row for row, span in enumerate(rows[: len(times)]) if span.length]
        firsts = np.array([rows[row].first for row in filled], np.int64)
        return times[filled], firsts

    def _last_reads(self, tensor: TensorId, maker: int) -> Times:
        last = self.written[maker].copy()
        for reader in self.fusion.readers[tensor]:
            if reader in self._sums:
                np.maximum(last, np.array(self._added), out=last)
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
