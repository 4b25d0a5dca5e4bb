"""Packer: an offset for each block such that blocks alive together do not overlap.

This is two-dimensional packing with one coordinate given, NP-hard in general. Cheap ways are tried
first, the best packing is kept, and the search stops as soon as the lower bound is met: the largest
number of bytes alive at once, which no arena can beat.

1. *chain* (``chain``): in order of time, blocks go to either end of the gaps in an arena of exactly
   that many bytes, with backtracking.
2. *first fit*: each block at the lowest offset free, in several orders, by size foremost, as
   Pisarchyk and Lee found good (arXiv:2001.03288).
3. *bumping*: blocks that stick out highest are placed earlier in the next round.
4. *branch and bound* (``exact``), which proves a small packing the best.
5. *chain* again, with a capacity between the bound and what was found.

Blocks that may overlap (``packing.Overlap``) are no special case: how far one block must be above
another is a number for each pair and direction, which is then less than the other's size.

All of it is deterministic and bounded by counts, not by a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.schedule.chain import fit
from harness.schedule.exact import search
from harness.schedule.packing import Packing, lowest_free
from harness.schedule.plan import ALIGNMENT

_CHAIN_STEPS = 5_000
"""How many blocks one chain search may place."""

_SQUEEZE_STEPS = 5_000
_SQUEEZE_STOPS = 200
"""How many blocks each chain search of the bisection may place, and at which part of the peak the
bisection stops."""

_BUMPED_BLOCKS = 10_000
"""How many blocks all rounds of bumping together may place."""

_EXACT_STEPS = 5_000
_EXACT_BLOCKS = 200
"""How long and on how many blocks (it recurses once for each) branch and bound is tried."""


def pack(problem: Packing) -> tuple[int, ...]:
    """Return the offset of each block of a problem, in bytes."""
    if not problem.sizes:
        return ()
    bound = problem.bound
    best = fit(problem, bound, _CHAIN_STEPS)
    if best is not None:
        return best
    best = min(_candidates(problem), key=problem.peak)
    if problem.peak(best) > bound and len(problem.sizes) <= _EXACT_BLOCKS:
        best = search(problem, peak=problem.peak(best), steps=_EXACT_STEPS) or best
    return _squeezed(problem, best)


def pack_within(problem: Packing, capacity: int) -> tuple[int, ...]:
    """Return offsets that end by ``capacity``, or if that fails soon any that are good."""
    if not problem.sizes:
        return ()
    best = fit(problem, capacity // ALIGNMENT * ALIGNMENT, _CHAIN_STEPS)
    if best is None:
        orders = (sorted(problem.order, key=key) for key in _orders(problem))
        best = min((first_fit(problem, order) for order in orders), key=problem.peak)
    return best


def _squeezed(problem: Packing, best: tuple[int, ...]) -> tuple[int, ...]:
    """Return the best packing that bisection of the capacity finds."""
    low, high = problem.bound, problem.peak(best)
    while high - low > max(high // _SQUEEZE_STOPS, ALIGNMENT):
        capacity = (low + high) // 2 // ALIGNMENT * ALIGNMENT
        found = fit(problem, capacity, _SQUEEZE_STEPS)
        if found is None:
            low = capacity
        else:
            best, high = found, problem.peak(found)
    return best


def _candidates(problem: Packing) -> Iterator[tuple[int, ...]]:
    """Yield packings until one meets the bound, the most promising first."""
    orders = [sorted(problem.order, key=key) for key in _orders(problem)]
    packings = [first_fit(problem, order) for order in orders]
    yield from packings
    least = min(range(len(packings)), key=lambda i: problem.peak(packings[i]))
    if problem.peak(packings[least]) > problem.bound:
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


def first_fit(problem: Packing, order: Sequence[int]) -> tuple[int, ...]:
    """Return a packing that puts each block at its lowest free offset, in the given order."""
    offsets = [-1] * len(problem.sizes)
    for i in order:
        offsets[i] = lowest_free(problem.neighbours[i], offsets)
    return tuple(offsets)


def _bumped(problem: Packing, order: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield first-fit packings in which the blocks that stuck out highest come ever earlier."""
    order = list(order)
    for _ in range(_BUMPED_BLOCKS // len(problem.sizes)):
        offsets = first_fit(problem, order)
        yield offsets
        peak = problem.peak(offsets)
        if peak == problem.bound:
            return
        highest = {i for i in order if offsets[i] + problem.sizes[i] == peak}
        order = _moved_forward(order, highest)


def _moved_forward(order: Sequence[int], chosen: set[int]) -> list[int]:
    """Return the order with each chosen block half as far from the front."""
    ranks = {i: rank // 2 if i in chosen else rank for rank, i in enumerate(order)}
    return sorted(order, key=lambda i: (ranks[i], i not in chosen))
