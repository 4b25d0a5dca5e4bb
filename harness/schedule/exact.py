"""Branch and bound for offsets: finds the least arena, given enough steps.

Blocks are placed in ascending order of offset. Then a block rests on one already placed that is
alive together with it (or on the bottom), so an order determines a packing, and some order gives
the best one. Two facts keep the tree small. Of blocks alive at one moment those not placed yet all
come above those that are, as far as they may not overlap, so ``top + left`` of that moment bounds
the arena from below; and an offset lower than the one before is skipped, since the same packing is
met in another order.
"""

from __future__ import annotations

from harness.schedule.packing import Packing


def search(problem: Packing, *, peak: int, steps: int) -> tuple[int, ...] | None:
    """Return offsets whose highest end is below ``peak``, or None if none were found.

    The search ends when the lower bound is met or after ``steps`` blocks were tried.
    """
    tree = _Tree(problem, peak, steps)
    tree.grow(0, 0)
    return tree.best


class _Tree:
    """The packing under construction and the best one so far."""

    def __init__(self, problem: Packing, peak: int, steps: int) -> None:
        self.best: tuple[int, ...] | None = None
        self._problem, self._peak, self._steps = problem, peak, steps
        self._bound = problem.bound
        # Of each block: the moments in which it is alive, with its bytes then.
        self._profiles: list[list[tuple[int, int]]] = [[] for _ in problem.sizes]
        for number, moment in enumerate(problem.moments):
            for block, size in moment.alive:
                self._profiles[block].append((number, size))
        self._top = [0] * len(problem.moments)
        self._left = [moment.least for moment in problem.moments]
        self._offsets = [-1] * len(problem.sizes)
        self._rests = [0] * len(problem.sizes)
        spans = problem.spans()
        self._ranks = [-span * size for span, size in zip(spans, problem.sizes, strict=True)]

    def grow(self, placed: int, floor: int) -> None:
        """Try each block that may come next, at ``floor`` or higher, the lowest first."""
        if placed == len(self._offsets):
            self._peak = self._problem.peak(self._offsets)
            self.best = tuple(self._offsets)
            return
        for offset, _, block in self._next_blocks(floor):
            if self._steps <= 0 or self._peak <= self._bound:
                return
            if max(map(int.__add__, self._top, self._left)) >= self._peak:
                return
            self._steps -= 1
            top, left, rests = self._top[:], self._left[:], self._rests[:]
            if self._put(block, offset):
                self.grow(placed + 1, offset)
            self._offsets[block] = -1
            self._top, self._left, self._rests = top, left, rests

    def _put(self, block: int, offset: int) -> bool:
        """Place a block; return whether the best packing can still be beaten."""
        self._offsets[block] = offset
        for moment, size in self._profiles[block]:
            self._top[moment] = max(self._top[moment], offset + size)
            self._left[moment] -= size
        for other, above, _ in self._problem.neighbours[block]:
            self._rests[other] = max(self._rests[other], offset + above)
        return all(
            max(self._top[moment], self._top[moment] + self._left[moment]) < self._peak
            for moment, _ in self._profiles[block]
        )

    def _next_blocks(self, floor: int) -> list[tuple[int, int, int]]:
        """Return (offset, rank, block) of those that may come next: the lowest, then largest."""
        return sorted(
            (rest, rank, block)
            for block, (offset, rest, rank) in enumerate(
                zip(self._offsets, self._rests, self._ranks, strict=True)
            )
            if offset < 0 and rest >= floor
        )
