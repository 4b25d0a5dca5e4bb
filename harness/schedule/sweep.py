"""Sweep: what the order of rows of a stream tells about the bytes that it needs.

Everything that a stream needs to know is read off from the moments in which rows are made and read
(``order``): how many rows of a tensor are alive at once, which rows are never alive together, and
(``reach``) how far the output may reach into an input. So residuals, dilation, uneven padding and
ends of images need no formula of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.ir import TensorId
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import Span
from harness.schedule.order import INPUT, Order
from harness.schedule.takeover import Course, Takeover

Times = npt.NDArray[np.int64]

Lives = list[tuple[int, int]]
"""Moments, first and last, in order."""

Courses = dict[TensorId, Course]
"""Tensors whose rows lie in the slots of the first one."""


class Sweep:
    """The ops of an order, ``start..end-1``.

    ``chunked`` are the tensors, of the order's ``links``, that are made in chunks of columns.
    """

    def __init__(
        self, fusion: Fusion, order: Order, chunked: Mapping[TensorId, tuple[int, int]]
    ) -> None:
        self.fusion, self.start, self.end = fusion, order.start, order.end
        self.input = fusion.input_by_rows if INPUT in order.makers.values() else None
        self.moments, self.chunked = order.moments, chunked
        self._order = order.in_chunks(chunked) if chunked else order
        self._makers, self._sums = order.makers, order.sums
        self._rings: dict[TensorId, tuple[int, Courses]] = {}
        self._settled: dict[TensorId, tuple[int, Lives]] = {}

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
    def alive(self) -> dict[TensorId, Lives]:
        """For each inner tensor, the moments (first, last) in which any of its rows is needed."""
        return {
            tensor: merged(zip(self.made(tensor).tolist(), last.tolist(), strict=True))
            for tensor, last in self.last_read.items()
        }

    @cached_property
    def over(self) -> dict[TensorId, Takeover]:
        """For each tensor whose rows lie in the slots of an operand's ring, that operand.

        A row of the operand dies where its bytes are taken. The ring may need more rows then, but
        not as many as the output would need of its own.
        """
        found: dict[TensorId, Takeover] = {}
        for position in range(self.start, self.end - 1):
            output = self.fusion.graph.ops[position].outputs[0]
            for taken in self.fusion.takeovers[position]:
                if taken.operand in self.last_read and self._gives_way(taken, output, found):
                    found[output] = taken
                    break
        return found

    def ring(self, tensor: TensorId) -> tuple[int, Courses]:
        """Return the rows of a tensor's own ring, and the courses of all whose rows lie in it.

        Their rows lie where those of the tensor lie, before or after them.
        """
        if tensor not in self._rings:
            courses = self._courses(tensor, self.over)
            self._rings[tensor] = self._rows_for(tensor, courses), courses
        return self._rings[tensor]

    def settling(self, tensor: TensorId) -> tuple[int, Lives]:
        """Return how many rows a tensor's own ring keeps when all that read it have, and when not.

        The moments are those in which it holds more: from when the tensor's rows are made to when
        the last op that reads rows of the ring has made its own. It keeps all rows, or none, if 0.
        """
        if tensor not in self._settled:
            self._settled[tensor] = self._settling(tensor)
        return self._settled[tensor]

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

    def _gives_way(
        self, taken: Takeover, output: TensorId, found: Mapping[TensorId, Takeover]
    ) -> bool:
        written, last = self.made(output), self.last_read[taken.operand]
        rows = np.arange(len(written)) * taken.course.pitch + taken.course.lag
        is_row = (rows >= 0) & (rows < len(last))
        if (taken.operand in self.chunked) != (output in self.chunked):
            return False
        if (last[rows[is_row]] > written[is_row]).any():
            return False
        root = taken.operand
        while root in found:
            root = found[root].operand
        courses = self._courses(root, {**found, output: taken})
        if courses[output].pitch > 1 and not self._is_read_alone(output):
            return False
        before = self._rows_for(root, self._courses(root, found))
        after = self._rows_for(root, courses)
        return after - before < (1 if output in self.chunked else self.ring_rows[output])

    def _is_read_alone(self, tensor: TensorId) -> bool:
        """Whether rows are read one at a time, in a stream without batches.

        Kernels find rows that have others between them no other way.
        """
        return self._order.batch == 1 and all(
            span == Span(row, row + 1) and reader not in self._sums
            for reader in self.fusion.readers[tensor]
            for operand in self.fusion.operands[reader]
            if operand.tensor == tensor
            for row, span in enumerate(operand.rows)
        )

    def _settling(self, tensor: TensorId) -> tuple[int, Lives]:
        rows, courses = self.ring(tensor)
        last = max(r for t in courses for r in self.fusion.readers[t] if r < self.end)
        if last in self._sums:
            return 0, []
        moments, written = np.unique(self.written[last])[:, np.newaxis], self.made(tensor)
        made = np.searchsorted(written, moments[:, 0], side="right")
        lowest = made.copy()
        for member, course in courses.items():
            # Rows to come have their places too, which may be above the first row of the ring.
            needed = self.last_read[member] > moments
            first = np.where(
                needed.any(axis=1), course.pitch * needed.argmax(axis=1) + course.lag, made
            )
            np.minimum(lowest, first, out=lowest)
        kept = int((made - lowest).max(initial=0))
        if not 0 < kept < rows:
            return 0, []
        until = np.append(moments[:, 0], self.moments)[np.searchsorted(moments[:, 0], written)]
        return kept, merged(zip(written.tolist(), until.tolist(), strict=True))

    @staticmethod
    def _courses(root: TensorId, over: Mapping[TensorId, Takeover]) -> Courses:
        courses = {root: Course()}
        for tensor, taken in over.items():
            if taken.operand in courses:
                courses[tensor] = taken.course.after(courses[taken.operand])
        return courses

    def _rows_for(self, root: TensorId, courses: Courses) -> int:
        """Return how many rows a ring must have so that each is dead before its slot is needed."""
        most = self.ring_rows[root]
        for tensor, course in courses.items():
            last = self.last_read[tensor]
            made = np.searchsorted(self.made(root), last, side="right")
            rows = np.arange(len(last)) * course.pitch + course.lag
            most = max(most, int((made - rows).max(initial=0)))
        return most


def merged(lives: Iterable[tuple[int, int]]) -> Lives:
    """Return the union of intervals."""
    union: Lives = []
    for begin, end in sorted(lives):
        if union and begin <= union[-1][1] + 1:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((begin, end))
    return union
