"""Packer: an offset for each block such that blocks alive together do not overlap.

This is two-dimensional packing with one coordinate given, NP-hard in general. Cheap ways are tried
first, the best packing is kept, and the search stops as soon as the lower bound is met: the largest
number of bytes alive at once, which no arena can beat.

1. *both ends*: in order of time, blocks go to the two ends of an arena of exactly that many bytes
   in turn. On a chain of ops two tensors are alive at a time and scratch fits between them, so
   this meets the bound (a chain with a strided op in place may not have such a packing at all).
2. *first fit*: each block at the lowest offset free, in several orders, by size foremost, as
   Pisarchyk and Lee found good (arXiv:2001.03288).
3. *bumping*: blocks that stick out highest are placed earlier in the next round.
4. *branch and bound* (``exact``), which proves a small packing the best.

Blocks that may overlap (``packing.Overlap``) are no special case: how far one block must be above
another is a number for each pair and direction, which is then less than the other's size.

All of it is deterministic and bounded by counts, not by a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.schedule.exact import search
from harness.schedule.packing import Packing

_BUMPED_BLOCKS = 40_000
"""How many blocks all rounds of bumping together may place."""

_EXACT_STEPS = 5_000
_EXACT_BLOCKS = 200
"""How long and on how many blocks (it recurses once for each) branch and bound is tried."""


def pack(problem: Packing) -> tuple[int, ...]:
    """Return the offset of each block of a problem, in bytes."""
    best: Sequence[int] = ()
    bound, peak = problem.bound, sum(problem.sizes) + 1
    if not problem.sizes:
        return ()
    for offsets in _candidates(problem):
        if problem.peak(offsets) < peak:
            best, peak = offsets, problem.peak(offsets)
        if peak == bound:
            return tuple(best)
    if len(problem.sizes) <= _EXACT_BLOCKS:
        best = search(problem, peak=peak, steps=_EXACT_STEPS) or best
    return tuple(best)


def _candidates(problem: Packing) -> Iterator[Sequence[int]]:
    """Yield packings, the most promising first."""
    for start_high in (False, True):
        yield _both_ends(problem, start_high=start_high)
    orders = [sorted(problem.order, key=key) for key in _orders(problem)]
    packings = [_first_fit(problem, order) for order in orders]
    yield from packings
    least = min(range(len(packings)), key=lambda i: problem.peak(packings[i]))
    yield from _bumped(problem, orders[least])


def _orders(problem: Packing) -> tuple[Callable[[int], tuple[int, ...]], ...]:
    """Return sort keys of blocks for first fit; blocks that are equal stay in order of time."""
    sizes, spans = problem.sizes, problem.spans()
    return (
        lambda i: (-sizes[i],),
        lambda i: (-sizes[i] * spans[i],),
        lambda i: (-spans[i], -sizes[i]),
        lambda _: (),
    )


def _both_ends(problem: Packing, *, start_high: bool) -> list[int]:
    """Return a packing whose blocks touch the bottom if it is free, else hang from the top."""
    offsets = [-1] * len(problem.sizes)
    for i in problem.order:
        low, high = _lowest_and_highest(problem, i, problem.bound, offsets)
        is_first = i == problem.order[0]
        offsets[i] = low if high is None or (low == 0 and not (is_first and start_high)) else high
    return offsets


def _first_fit(problem: Packing, order: Sequence[int]) -> list[int]:
    """Return a packing that puts each block at its lowest free offset, in the given order."""
    offsets = [-1] * len(problem.sizes)
    for i in order:
        low, _ = _lowest_and_highest(problem, i, 0, offsets)
        offsets[i] = low
    return offsets


def _lowest_and_highest(
    problem: Packing, block: int, capacity: int, offsets: Sequence[int]
) -> tuple[int, int | None]:
    """Return the lowest free offset, and the highest with which the block ends by ``capacity``."""
    taken = sorted(
        (offsets[other] - own, offsets[other] + its)
        for other, own, its in problem.neighbours[block]
        if offsets[other] >= 0
    )
    highest = capacity - problem.sizes[block]
    low: int | None = None
    high: int | None = None
    free_from = 0
    for taken_from, taken_to in taken:
        if free_from <= taken_from:
            low = free_from if low is None else low
            if free_from <= highest:
                high = min(taken_from, highest)
        free_from = max(free_from, taken_to)
    if free_from <= highest:
        high = highest
    return free_from if low is None else low, high


def _bumped(problem: Packing, order: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield first-fit packings in which the blocks that stuck out highest come ever earlier."""
    order = list(order)
    for _ in range(_BUMPED_BLOCKS // len(problem.sizes)):
        offsets = _first_fit(problem, order)
        yield offsets
        peak = problem.peak(offsets)
        highest = {i for i in order if offsets[i] + problem.sizes[i] == peak}
        order = _moved_forward(order, highest)


def _moved_forward(order: Sequence[int], chosen: set[int]) -> list[int]:
    """Return the order with each chosen block half as far from the front."""
    ranks = {i: rank // 2 if i in chosen else rank for rank, i in enumerate(order)}
    return sorted(order, key=lambda i: (ranks[i], i not in chosen))
