"""A variant: one way to execute an op, of those that the kernels of an instruction set offer.

Calls are made when they are asked for, since planning only wants to know scratch, and laying out
weights takes time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from harness.kernels.call import Call, RowCall


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """A way to execute an op on whole tensors, one call after the other.

    ``loops`` are the instructions of its inner loops, roughly: the cost model knows the rest.
    ``instructions`` are all of them, where it is unlike what that model was fitted to.
    """

    name: str
    calls: Callable[[], tuple[Call, ...]]
    scratch_bytes: int = 0
    instructions: float | None = None
    loops: float = 0.0


class RowLoops(Protocol):
    """Counts roughly what the inner loops of a call execute."""

    def __call__(self, rows: int, columns: int, *, in_batches: bool) -> float:
        """Return the instructions for so many rows of so many columns."""


@dataclass(frozen=True, slots=True, eq=False)
class RowVariant:
    """A way to make columns of one row of an op, by calls that together make all channels.

    Variants of one name are the same way: with more scratch it is faster. ``batch_calls`` make
    several whole rows at once, where that takes less than to make them one by one. ``columns`` are
    made at a time if scratch has no room for what all of them see. ``loops`` is as in ``Variant``,
    of one call.

    With ``over_operand`` output row r may be written over the first row of the first operand that
    its window reads, each byte over the one of the same column and channel, if the rows to come do
    not read it: all that rows made at once read of a channel is read before they are written, or
    else pixel by pixel.
    """

    name: str
    calls: Callable[[], tuple[RowCall, ...]]
    scratch_bytes: int = 0
    batch_calls: Callable[[], tuple[RowCall, ...]] | None = None
    columns: int | None = None
    loops: RowLoops | None = None
    over_operand: bool = False
