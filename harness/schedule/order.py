"""Order: the rows of a run of ops in the order in which a stream makes them.

The order is found by doing it: rows of the last op are asked for one by one, and each op first asks
for what it reads. One order serves all runs that end at the same op: leaving out the first ops of a
run leaves the order of the others as it is.

An op that hands its rows on, each to the one op that reads it, at once and pixel by pixel, need not
make whole rows: both may go through the columns together, a *chunk* at a time, and so may longer
chains (depthwise, projection, sum). No row of another op is made in between, so for all else such a
chain makes its rows in one moment.

With batches, an op makes several of the rows that are asked for at once, in one moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.ir import TensorId
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import sums_all_rows

INPUT = -1
"""Stands for the op that makes the model's input: it delivers a row."""


@dataclass(frozen=True, slots=True)
class Order:
    """Ops ``start..end-1`` executed row by row.

    A moment is a batch of rows made, mostly of one row, or a row added to sums.

    ``written`` has the moment of each row that an op makes, ``added`` those in which the op that
    sums over all rows took one. ``links`` are the inner tensors that are handed on pixel by pixel,
    each with the ops that make and read it.
    """

    start: int
    end: int
    makers: Mapping[TensorId, int]
    sums: frozenset[int]
    written: Mapping[int, Sequence[int]]
    added: Sequence[int]
    moments: int
    links: Mapping[TensorId, tuple[int, int]]
    batch: int

    def in_chunks(self, links: Mapping[TensorId, tuple[int, int]]) -> Order:
        """Return the order for ops that go through the columns together: a chain is one moment.

        ``links`` are those along which they do.
        """
        written = dict(self.written)
        for maker, reader in sorted(links.values(), reverse=True):
            written[maker] = written[reader]
        return replace(self, written=written)


class Orders:
    """The orders of a graph, each found once."""

    def __init__(self, fusion: Fusion) -> None:
        self._fusion = fusion
        self._found: dict[tuple[int, int], Order] = {}

    def of(self, end: int, batch: int = 1) -> Order:
        """Return the order of rows of the runs that end before op ``end``."""
        key = end, batch
        if key not in self._found:
            self._found[key] = row_order(self._fusion, end, batch)
        return self._found[key]


def row_order(fusion: Fusion, end: int, batch: int = 1) -> Order:
    """Return the order of the longest run that ends before op ``end``, ``batch`` rows at a time."""
    graph, start = fusion.graph, fusion.starts[end]
    makers = {graph.ops[i].outputs[0]: i for i in range(start, end)}
    fetched = fusion.input_by_rows if start == 0 else None
    if fetched is not None and fusion.readers[fetched][-1] < end:
        makers[fetched] = INPUT
    execution = _Execution(fusion, makers, batch)
    height = fusion.output_rows(end - 1)
    for row in range(0, height, batch):
        execution.produce(end - 1, min(row + batch, height))
    written = execution.written
    links = {
        tensor: (maker, reader)
        for tensor, (maker, reader) in fusion.links.items()
        if batch == 1
        and maker in written
        and reader in written
        and written[reader] == [moment + 1 for moment in written[maker]]
    }
    return Order(
        start,
        end,
        makers,
        execution.sums,
        written,
        execution.added,
        execution.moments,
        links,
        batch,
    )


@dataclass(slots=True)
class _Execution:
    """One run through all rows."""

    fusion: Fusion
    makers: Mapping[TensorId, int]
    batch: int
    written: dict[int, list[int]] = field(init=False)
    pulls: dict[int, tuple[tuple[int, tuple[int, ...]], ...]] = field(init=False)
    sums: frozenset[int] = field(init=False)
    added: list[int] = field(init=False, default_factory=list)
    moments: int = 0

    def __post_init__(self) -> None:
        graph, ops = self.fusion.graph, self.makers.values()
        self.written = {i: [] for i in (*ops, INPUT)}
        self.pulls = {i: self._pulled_by(i) for i in ops}
        self.sums = frozenset(i for i in ops if i >= 0 and sums_all_rows(graph, graph.ops[i]))

    def produce(self, position: int, until: int) -> None:
        """Make the rows of an op before ``until`` that are not made yet."""
        written, pulls = self.written[position], self.pulls[position]
        if position in self.sums and len(written) < until:
            self._add_rows(position)
            pulls = ()
        while len(written) < until:
            left = until - len(written)
            count = left if 2 * left < 3 * self.batch else self.batch
            last = len(written) + count - 1
            for maker, ends in pulls:
                if len(self.written[maker]) < ends[last]:
                    self.produce(maker, ends[last])
            written.extend([self.moments] * count)
            self.moments += 1

    def _pulled_by(self, position: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Return the ops that one op pulls, in order, and up to which row for each of its own."""
        if position == INPUT:
            return ()
        pulls = [
            (self.makers[operand.tensor], tuple(span.end for span in operand.rows))
            for operand in self.fusion.operands[position]
            if operand.tensor in self.makers
        ]
        return tuple(sorted(pulls))

    def _add_rows(self, position: int) -> None:
        (operand,) = self.fusion.operands[position]
        height = operand.rows[0].end
        for row in range(height):
            if operand.tensor in self.makers and row % self.batch == 0:
                self.produce(self.makers[operand.tensor], min(row + self.batch, height))
            self.added.append(self.moments)
            self.moments += 1
