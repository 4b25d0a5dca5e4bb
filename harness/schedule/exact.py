"""Branch and bound for offsets: finds the least arena, given enough steps.

Blocks are placed in ascending order of offset. Then a block rests on the highest block already
placed that is alive together with it (or on the bottom), so an order determines a packing, and
some order gives the best one. Two facts keep the tree small. Of blocks alive at one moment those
not placed yet all come above those that are, so ``top + left`` of that moment bounds the arena
from below; and an offset lower than the one before is skipped, since the same packing is met in
another order.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.schedule.lifetime import Block


def search(blocks: Sequence[Block], *, peak: int, bound: int, steps: int) -> tuple[int, ...] | None:
    """Return offsets whose highest end is below ``peak``, or None if none were found.

    The search ends when the highest end is ``bound`` or after ``steps`` blocks were tried.
    """
    tree = _Tree(blocks, peak, bound, steps)
    tree.grow(0, 0)
    return tree.best


class _Tree:
    """The packing under construction and the best one so far."""

    def __init__(self, blocks: Sequence[Block], peak: int, bound: int, steps: int) -> None:
        self.best: tuple[int, ...] | None = None
        self._peak, self._bound, self._steps = peak, bound, steps
        earliest = min(block.first for block in blocks)
        moments = max(block.last for block in blocks) - earliest + 1
        # Of each block: bytes at each moment of its life, from ``_starts`` on.
        self._starts = [block.first - earliest for block in blocks]
        self._profiles = [
            [p.size_bytes for p in block.pieces for _ in range(p.first, p.last + 1)]
            for block in blocks
        ]
        self._top = [0] * moments
        self._left = [0] * moments
        for start, profile in zip(self._starts, self._profiles, strict=True):
            for moment, size in enumerate(profile, start):
                self._left[moment] += size
        self._offsets = [-1] * len(blocks)

    def grow(self, placed: int, floor: int) -> None:
        """Try each block that may come next, at ``floor`` or higher, the lowest first."""
        if placed == len(self._offsets):
            self._peak = max(self._top)
            self.best = tuple(self._offsets)
            return
        for offset, _, block in self._next_blocks(floor):
            if self._steps <= 0 or self._peak <= self._bound:
                return
            if max(map(int.__add__, self._top, self._left)) >= self._peak:
                return
            self._steps -= 1
            start, profile = self._starts[block], self._profiles[block]
            covered = slice(start, start + len(profile))
            top, left = self._top[covered], self._left[covered]
            self._top[covered] = [offset + size for size in profile]
            self._left[covered] = [rest - size for rest, size in zip(left, profile, strict=True)]
            self._offsets[block] = offset
            if max(map(int.__add__, self._top[covered], self._left[covered])) < self._peak:
                self.grow(placed + 1, offset)
            self._offsets[block] = -1
            self._top[covered], self._left[covered] = top, left

    def _next_blocks(self, floor: int) -> list[tuple[int, int, int]]:
        """Return (offset, rank, block) of those that may come next: the lowest, then largest."""
        nexts = []
        for block, offset in enumerate(self._offsets):
            if offset < 0:
                start, profile = self._starts[block], self._profiles[block]
                rest = max(self._top[start : start + len(profile)])
                if rest >= floor:
                    nexts.append((rest, -len(profile) * profile[0], block))
        return sorted(nexts)
