"""Shadow memory: of each byte of the arena, which byte of which tensor it holds.

Every byte that the model ever computes has a number of its own; the shadow holds numbers where the
arena holds values. A byte that is read must hold the number that its reader means.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from harness.ir import Graph, TensorId
from harness.ir.tensor import short_name

_GARBAGE = 0
"""What a byte holds before anyone wrote it, and after a kernel's scratch went over it."""


class Shadow:
    """The shadow of an arena of ``size_bytes``. ``faults`` has one entry for each tensor and op."""

    def __init__(self, graph: Graph, size_bytes: int) -> None:
        self._graph = graph
        sizes = [tensor.size_bytes for tensor in graph.tensors]
        *numbers, self._sums_number = accumulate(sizes, initial=_GARBAGE + 1)
        # The number of each tensor's first byte; an alias takes over that of its input.
        self._numbers = numbers
        self._count = np.arange(max(sizes, default=0), dtype=np.uint32)
        self._held = np.full(size_bytes, _GARBAGE, dtype=np.uint32)
        self._faults: dict[tuple[object, ...], str] = {}

    @property
    def faults(self) -> list[str]:
        """What was found wrong, in order."""
        return list(self._faults.values())

    def blame(self, message: str, *key: object) -> None:
        """Note a fault, unless one with this key (or else this text) is known."""
        self._faults.setdefault(key or (message,), message)

    def rename(self, source: TensorId, output: TensorId) -> None:
        """Say that two tensors are the same bytes."""
        self._numbers[output] = self._numbers[source]

    def write(self, tensor_id: TensorId, at: int, first: int, size: int) -> None:
        """Put bytes ``first..first+size`` of a tensor at arena bytes ``at..``."""
        if self._is_inside(tensor_id, at, size):
            numbers = self._count[first : first + size] + np.uint32(self._numbers[tensor_id])
            self._held[at : at + size] = numbers

    def expect(
        self, tensor_id: TensorId, at: int, first: int, size: int, when: str, part: str = ""
    ) -> None:
        """Check that bytes ``first..first+size`` of a tensor lie at arena bytes ``at..``.

        ``part`` names them in the fault, if they are not the whole tensor: ``row 3 of``.
        """
        if not self._is_inside(tensor_id, at, size):
            return
        meant = self._count[first : first + size] + np.uint32(self._numbers[tensor_id])
        wrong = np.flatnonzero(self._held[at : at + size] != meant)
        if wrong.size:
            name = short_name(self._graph.tensor(tensor_id).name)
            self.blame(
                f"{wrong.size} of {size} bytes of {part}'{name}' are lost {when}, "
                f"the first is byte {wrong[0]}",
                tensor_id,
                when,
            )

    def write_sums(self, at: int, size: int, rows: int) -> None:
        """Put the sums over the first ``rows`` rows of the one op that sums."""
        self._held[at : at + size] = self._sums_number + rows

    def expect_sums(self, at: int, size: int, rows: int, when: str) -> None:
        """Check that the sums over the first ``rows`` rows lie at arena bytes ``at..``."""
        lost = int(np.count_nonzero(self._held[at : at + size] != self._sums_number + rows))
        if lost:
            message = f"{lost} of {size} bytes of sums over {rows} rows are lost {when}"
            self.blame(message, "sums", when)

    def move(self, source: int, at: int, size: int) -> None:
        """Copy what arena bytes ``source..`` hold to ``at..``."""
        self._held[at : at + size] = self._held[source : source + size].copy()

    def spoil(self, at: int, size: int) -> None:
        """Put garbage."""
        self._held[at : at + size] = _GARBAGE

    def _is_inside(self, tensor_id: TensorId, at: int, size: int) -> bool:
        if at >= 0 and at + size <= self._held.size:
            return True
        name = short_name(self._graph.tensor(tensor_id).name)
        self.blame(f"'{name}' reaches out of the arena", tensor_id, "arena")
        return False
