"""Packing: which blocks of bytes must keep away from each other, and how far.

A problem has one number for each ordered pair of blocks alive together: how far the second must be
above the first if it is above. Usually that is the first one's size. It is less where the first is
written row by row into what the second no longer needs (:class:`Overlap`)::

    output   |########|                 begins ``distance`` bytes below the operand,
    operand     |-----------|           and takes over its rows as they die

All blocks that overlap in one moment belong to one segment, a stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations

_TRIED_IN_ALL_ORDERS = 5

Neighbours = list[list[tuple[int, int, int]]]
"""For each block, those alive together with it: (other, how far above, how far below)."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Block ``below`` may reach into block ``above``, which begins ``distance`` bytes higher.

    Or higher than that; a negative distance lets it begin that much lower, never more.
    """

    below: int
    above: int
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
        *,
        is_bounded: bool = True,
    ) -> None:
        self.sizes, self.order, self.overlaps = tuple(sizes), tuple(order), tuple(overlaps)
        self.moments = tuple(
            Moment(tuple(alive), _saved(dict(alive), overlaps) if is_bounded else 0)
            for alive in moments
        )
        self.neighbours = self._neighbours()

    @cached_property
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
            below = apart[overlap.below]
            if overlap.above in below:
                below[overlap.above] = min(below[overlap.above], overlap.distance)
        return [
            [(other, own, apart[other][block]) for other, own in others.items()]
            for block, others in enumerate(apart)
        ]


def least_bytes(sizes: Sequence[int], overlaps: Sequence[Overlap]) -> int:
    """Return the fewest bytes for a few blocks that are all alive together."""
    neighbours = Packing(sizes, [list(enumerate(sizes))], (), overlaps, is_bounded=False).neighbours
    blocks = range(len(sizes))
    few = len(sizes) <= _TRIED_IN_ALL_ORDERS
    orders: Iterable[Sequence[int]] = permutations(blocks) if few else [blocks]
    least = sum(sizes)
    for order in orders:
        offsets = [-1] * len(sizes)
        for block in order:
            offsets[block] = lowest_free(neighbours[block], offsets)
        least = min(least, max(o + size for o, size in zip(offsets, sizes, strict=True)))
    return least


def lowest_free(neighbours: Iterable[tuple[int, int, int]], offsets: Sequence[int]) -> int:
    """Return the lowest offset at which a block keeps away from those placed already."""
    taken = sorted(
        (offsets[other] - above, offsets[other] + below)
        for other, above, below in neighbours
        if offsets[other] >= 0
    )
    free_from = 0
    for taken_from, taken_to in taken:
        if free_from <= taken_from:
            break
        free_from = max(free_from, taken_to)
    return free_from


def _saved(sizes: Mapping[int, int], overlaps: Sequence[Overlap]) -> int:
    """Return by how much overlapping makes blocks alive together need less than their sum."""
    alive = [o for o in overlaps if o.below in sizes and o.above in sizes]
    if not alive:
        return 0
    blocks = list(dict.fromkeys(block for o in alive for block in (o.below, o.above)))
    renamed = [Overlap(blocks.index(o.below), blocks.index(o.above), o.distance) for o in alive]
    return sum(sizes[b] for b in blocks) - least_bytes([sizes[b] for b in blocks], renamed)
