"""Packer: an offset for each block such that blocks alive together do not overlap.

This is two-dimensional packing with one coordinate given, NP-hard in general, but the blocks of a
network are few and alive for a short while each. The largest number of bytes alive at once is a
lower bound that no arena can beat; most problems meet it.

1. *chain* (``chain``): in order of time, blocks go to either end of the gaps in an arena of exactly
   as many bytes as the bound, with some backtracking.
2. *first fit*: each block at the lowest offset free, in several orders, by size foremost, as
   Pisarchyk and Lee found good (arXiv:2001.03288).
3. *exact* (``exact``): bisection between the bound and the best so far. With the steps allowed it
   proves the arenas of all models of the catalog the least.

Blocks that may overlap (``packing.Overlap``) are no special case: how far one block must be above
another is a number for each pair and direction, which is then less than the other's size.

All of it is deterministic and bounded by counts, not by a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.schedule.chain import fit
from harness.schedule.exact import order_within
from harness.schedule.packing import Packing, lowest_free
from harness.schedule.plan import ALIGNMENT

_CHAIN_STEPS = 300
"""How many blocks a chain search may place."""

_EXACT_STEPS = 300
_EXACT_BLOCKS = 300
"""How many orders of two blocks exact search may try for one capacity, and on how many blocks."""


def pack(problem: Packing) -> tuple[int, ...]:
    """Return the offset of each block of a problem, in bytes, for as low a peak as is found."""
    if not problem.sizes:
        return ()
    found = fit(problem, problem.bound, _CHAIN_STEPS)
    if found is not None:
        return found
    best = _first_fit(problem)
    return best if len(problem.sizes) > _EXACT_BLOCKS else _improved(problem, best)


def pack_within(problem: Packing, limit: float) -> tuple[int, ...] | None:
    """Return offsets whose peak is at most ``limit``, or None if none are found.

    It takes less than ``pack``, which goes on until it has the least peak.
    """
    if problem.bound > limit:
        return None
    if not problem.sizes:
        return ()
    capacity = int(min(limit, sum(problem.sizes))) // ALIGNMENT * ALIGNMENT
    found = fit(problem, capacity, _CHAIN_STEPS)
    if found is not None:
        return found
    found = _first_fit(problem)
    if problem.peak(found) <= limit:
        return found
    is_small = len(problem.sizes) <= _EXACT_BLOCKS
    return order_within(problem, capacity, _EXACT_STEPS) if is_small else None


def _first_fit(problem: Packing) -> tuple[int, ...]:
    orders = (sorted(problem.order, key=key) for key in _orders(problem))
    return min((first_fit(problem, order) for order in orders), key=problem.peak)


def _improved(problem: Packing, best: tuple[int, ...]) -> tuple[int, ...]:
    """Return the best packing that exact search finds."""
    capacity = low = problem.bound
    high = problem.peak(best)
    while low < high:
        found = order_within(problem, capacity, _EXACT_STEPS)
        if found is None:
            low = capacity + ALIGNMENT
        else:
            best, high = found, problem.peak(found)
        capacity = (low + high) // 2 // ALIGNMENT * ALIGNMENT
    return best


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
