"""Arena: an offset for each block such that blocks alive together do not overlap.

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

All of it is deterministic and bounded by counts, not by a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.schedule.exact import search
from harness.schedule.lifetime import Block

_BUMPED_BLOCKS = 40_000
"""How many blocks all rounds of bumping together may place."""

_EXACT_STEPS = 5_000
_EXACT_BLOCKS = 200
"""How long and on how many blocks (it recurses once for each) branch and bound is tried."""

Neighbours = list[list[tuple[int, int, int]]]
"""For each block, those alive together with it: (other, own bytes then, its bytes then)."""


def place(blocks: Sequence[Block]) -> tuple[int, ...]:
    """Return the offset of each block, in bytes; the peak is as low as the search found."""
    if not blocks:
        return ()
    bound = lower_bound(blocks)
    best: Sequence[int] = ()
    peak = sum(block.size_bytes for block in blocks) + 1
    for offsets in _candidates(blocks, _neighbours(blocks), bound):
        if _peak(blocks, offsets) < peak:
            best, peak = offsets, _peak(blocks, offsets)
        if peak == bound:
            return tuple(best)
    if len(blocks) <= _EXACT_BLOCKS:
        best = search(blocks, peak=peak, bound=bound, steps=_EXACT_STEPS) or best
    return tuple(best)


def lower_bound(blocks: Sequence[Block]) -> int:
    """Return the most bytes alive in one segment, in bytes: no arena can be smaller."""
    changes: dict[int, int] = {}
    for block in blocks:
        for piece in block.pieces:
            changes[piece.first] = changes.get(piece.first, 0) + piece.size_bytes
            changes[piece.last + 1] = changes.get(piece.last + 1, 0) - piece.size_bytes
    alive = most = 0
    for time in sorted(changes):
        alive += changes[time]
        most = max(most, alive)
    return most


def _candidates(
    blocks: Sequence[Block], neighbours: Neighbours, bound: int
) -> Iterator[Sequence[int]]:
    """Yield packings, the most promising first."""
    # Scratch comes after the tensors of its segment, so that it fills what lies between them.
    by_time = sorted(range(len(blocks)), key=lambda i: (blocks[i].first, not blocks[i].is_tensor))
    for start_high in (False, True):
        yield _both_ends(blocks, neighbours, by_time, bound, start_high=start_high)
    orders = [sorted(range(len(blocks)), key=key) for key in _orders(blocks)]
    packings = [_first_fit(blocks, neighbours, order) for order in orders]
    yield from packings
    least = min(range(len(packings)), key=lambda i: _peak(blocks, packings[i]))
    yield from _bumped(blocks, neighbours, orders[least])


def _orders(blocks: Sequence[Block]) -> tuple[Callable[[int], tuple[int, ...]], ...]:
    """Return sort keys of blocks for first fit."""

    def span(i: int) -> int:
        return blocks[i].last - blocks[i].first + 1

    return (
        lambda i: (-blocks[i].size_bytes, blocks[i].first),
        lambda i: (-blocks[i].size_bytes * span(i), blocks[i].first),
        lambda i: (-span(i), -blocks[i].size_bytes),
        lambda i: (blocks[i].first, -blocks[i].size_bytes),
        lambda i: (-blocks[i].last, -blocks[i].size_bytes),
    )


def _both_ends(
    blocks: Sequence[Block],
    neighbours: Neighbours,
    order: Sequence[int],
    capacity: int,
    *,
    start_high: bool,
) -> list[int]:
    """Return a packing whose blocks touch the bottom if it is free, else hang from the top."""
    offsets = [-1] * len(blocks)
    for i in order:
        low, high = _lowest_and_highest(i, blocks[i].size_bytes, capacity, neighbours, offsets)
        is_first = i == order[0]
        offsets[i] = low if high is None or (low == 0 and not (is_first and start_high)) else high
    return offsets


def _first_fit(blocks: Sequence[Block], neighbours: Neighbours, order: Sequence[int]) -> list[int]:
    """Return a packing that puts each block at its lowest free offset, in the given order."""
    offsets = [-1] * len(blocks)
    for i in order:
        low, _ = _lowest_and_highest(i, blocks[i].size_bytes, 0, neighbours, offsets)
        offsets[i] = low
    return offsets


def _lowest_and_highest(
    block: int, size_bytes: int, capacity: int, neighbours: Neighbours, offsets: Sequence[int]
) -> tuple[int, int | None]:
    """Return the lowest free offset, and the highest with which the block ends by ``capacity``."""
    taken = sorted(
        (offsets[other] - own, offsets[other] + its)
        for other, own, its in neighbours[block]
        if offsets[other] >= 0
    )
    low: int | None = None
    high: int | None = None
    free_from = 0
    for taken_from, taken_to in taken:
        if free_from <= taken_from:
            low = free_from if low is None else low
            if free_from <= capacity - size_bytes:
                high = min(taken_from, capacity - size_bytes)
        free_from = max(free_from, taken_to)
    if free_from <= capacity - size_bytes:
        high = capacity - size_bytes
    return free_from if low is None else low, high


def _bumped(
    blocks: Sequence[Block], neighbours: Neighbours, order: Sequence[int]
) -> Iterator[Sequence[int]]:
    """Yield first-fit packings in which the blocks that stuck out highest come ever earlier."""
    order = list(order)
    for _ in range(_BUMPED_BLOCKS // max(1, len(blocks))):
        offsets = _first_fit(blocks, neighbours, order)
        yield offsets
        peak = _peak(blocks, offsets)
        highest = {i for i in order if offsets[i] + blocks[i].size_bytes == peak}
        order = _moved_forward(order, highest)


def _moved_forward(order: Sequence[int], chosen: set[int]) -> list[int]:
    """Return the order with each chosen block half as far from the front."""
    ranks = {i: rank // 2 if i in chosen else rank for rank, i in enumerate(order)}
    return sorted(order, key=lambda i: (ranks[i], i not in chosen))


def _peak(blocks: Sequence[Block], offsets: Sequence[int]) -> int:
    """Return the end of the highest block, in bytes."""
    ends = (o + b.size_bytes for o, b in zip(offsets, blocks, strict=True))
    return max(ends, default=0)


def _neighbours(blocks: Sequence[Block]) -> Neighbours:
    """Return which blocks are alive together, and the most bytes that each then has."""
    most: list[dict[int, tuple[int, int]]] = [{} for _ in blocks]
    pieces = sorted(
        ((piece, i) for i, block in enumerate(blocks) for piece in block.pieces),
        key=lambda entry: entry[0].first,
    )
    alive: list[tuple[int, int, int]] = []
    for piece, i in pieces:
        alive = [entry for entry in alive if entry[0] >= piece.first]
        for _, j, size in alive:
            if i != j:
                own, its = most[i].get(j, (0, 0))
                own, its = max(own, piece.size_bytes), max(its, size)
                most[i][j], most[j][i] = (own, its), (its, own)
        alive.append((piece.last, i, piece.size_bytes))
    return [[(j, own, its) for j, (own, its) in sizes.items()] for sizes in most]
