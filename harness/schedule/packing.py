"""Packing: which blocks of bytes must keep away from each other, and how far.

A problem has one number for each ordered pair of blocks alive together: how far the second must be
above the first if it is above. Usually that is the first one's size. It is less where the first is
written row by row into what the second no longer needs (:class:`Overlap`)::

    output   |########|                 begins ``distance`` bytes below the operand,
    operand     |-----------|           and takes over its rows as they die
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

_TRIED_IN_ALL_ORDERS = 4

Neighbours = list[list[tuple[int, int, int]]]
"""For each block, those alive together with it: (other, how far above, how far below)."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Block ``output`` may reach into block ``operand``, ``distance`` bytes or more below it."""

    output: int
    operand: int
    distance: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Blocks alive together, each with its bytes then; overlapping saves ``saved`` at best."""

    alive: tuple[tuple[int, int], ...]
    saved: int = 0

    @property
    def least(self) -> int:
        """The fewest bytes in which these fit."""
        return sum(size for _, size in self.alive) - self.saved


class Packing:
    """Blocks of some sizes, the moments in which they are alive, and the overlaps allowed.

    ``order`` is the order of time, by which blocks are placed where time matters.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        moments: Iterable[Sequence[tuple[int, int]]],
        order: Sequence[int],
        overlaps: Sequence[Overlap] = (),
    ) -> None:
        self.sizes, self.order, self.overlaps = tuple(sizes), tuple(order), tuple(overlaps)
        self.moments = tuple(
            Moment(tuple(alive), _saved(dict(alive), overlaps)) for alive in moments
        )
        self.neighbours = self._neighbours()

    @property
    def bound(self) -> int:
        """The fewest bytes that any packing can have."""
        return max((moment.least for moment in self.moments), default=0)

    def peak(self, offsets: Sequence[int]) -> int:
        """Return the end of the highest block, in bytes."""
        ends = (o + size for o, size in zip(offsets, self.sizes, strict=True))
        return max(ends, default=0)

    def spans(self) -> tuple[int, ...]:
        """Return in how many moments each block is alive."""
        counts = [0] * len(self.sizes)
        for moment in self.moments:
            for block, _ in moment.alive:
                counts[block] += 1
        return tuple(counts)

    def _neighbours(self) -> Neighbours:
        apart: list[dict[int, int]] = [{} for _ in self.sizes]
        for moment in self.moments:
            for (a, a_bytes), (b, b_bytes) in combinations(moment.alive, 2):
                apart[a][b] = max(apart[a].get(b, 0), a_bytes)
                apart[b][a] = max(apart[b].get(a, 0), b_bytes)
        for overlap in self.overlaps:
            below = apart[overlap.output]
            if overlap.operand in below:
                below[overlap.operand] = min(below[overlap.operand], overlap.distance)
        return [
            [(other, own, apart[other][block]) for other, own in others.items()]
            for block, others in enumerate(apart)
        ]


def joint_bytes(output_bytes: int, operands: Sequence[tuple[int, int]]) -> int:
    """Return the fewest bytes for an output and operands (bytes, distance) that it may overlap."""
    if len(operands) > _TRIED_IN_ALL_ORDERS:
        orders: Iterable[Sequence[tuple[int, int]]] = [sorted(operands, key=lambda o: o[1])]
    else:
        orders = permutations(operands)
    least = output_bytes + sum(size for size, _ in operands)
    for order in orders:
        end = 0
        for size, distance in order:
            end = max(end, min(distance, output_bytes)) + size
        least = min(least, max(end, output_bytes))
    return least


def _saved(sizes: Mapping[int, int], overlaps: Sequence[Overlap]) -> int:
    """Return by how much overlapping makes blocks alive together need less than their sum."""
    saved = 0
    alive = [o for o in overlaps if o.output in sizes and o.operand in sizes]
    for output in dict.fromkeys(overlap.output for overlap in alive):
        operands = [(sizes[o.operand], o.distance) for o in alive if o.output == output]
        apart = sizes[output] + sum(size for size, _ in operands)
        saved += apart - joint_bytes(sizes[output], operands)
    return saved
