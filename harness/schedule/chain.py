"""Chain search for offsets: goes along time and keeps only what is alive.

The blocks of a network are alive for a short while each, two or three at a time. So whether the
rest can be placed depends on the offsets of a few blocks, and a search in order of time that
remembers where it failed soon knows. A new block is tried at both ends of each gap between those
alive with it.
"""

from __future__ import annotations

from harness.schedule.packing import Packing


def fit(problem: Packing, capacity: int, steps: int) -> tuple[int, ...] | None:
    """Return offsets with which all blocks end by ``capacity``, or None if none were found."""
    return _Search(problem, capacity, steps).run()


class _Search:
    """Offsets chosen so far, and what is known not to lead anywhere."""

    def __init__(self, problem: Packing, capacity: int, steps: int) -> None:
        self._problem, self._capacity, self._steps = problem, capacity, steps
        self._offsets = [-1] * len(problem.sizes)
        self._failed: set[tuple[int, ...]] = set()
        ranks = {block: rank for rank, block in enumerate(problem.order)}
        # For each step, the blocks placed before that still matter to one placed later.
        last = [max((ranks[o] for o, _, _ in n), default=-1) for n in problem.neighbours]
        self._relevant = [
            tuple(b for b in problem.order[:rank] if last[b] >= rank)
            for rank in range(len(problem.order))
        ]

    def run(self) -> tuple[int, ...] | None:
        order, offsets = self._problem.order, self._offsets
        tries: list[list[int]] = []
        while len(tries) < len(order):
            tries.append(self._candidates(len(tries)))
            while tries and not tries[-1]:
                tries.pop()
                self._fail(len(tries))
                if tries:
                    offsets[order[len(tries) - 1]] = -1
            if not tries or self._steps <= 0:
                return None
            self._steps -= 1
            offsets[order[len(tries) - 1]] = tries[-1].pop()
        return tuple(offsets)

    def _key(self, rank: int) -> tuple[int, ...]:
        return (rank, *(self._offsets[b] for b in self._relevant[rank]))

    def _fail(self, rank: int) -> None:
        self._offsets[self._problem.order[rank]] = -1
        self._failed.add(self._key(rank))

    def _candidates(self, rank: int) -> list[int]:
        """Return offsets to be tried for the next block, the best last."""
        if self._key(rank) in self._failed:
            return []
        block = self._problem.order[rank]
        highest = self._capacity - self._problem.sizes[block]
        taken = sorted(
            (self._offsets[other] - above, self._offsets[other] + below)
            for other, above, below in self._problem.neighbours[block]
            if self._offsets[other] >= 0
        )
        found: list[int] = []
        free_from = 0
        for taken_from, taken_to in (*taken, (highest, highest)):
            end = min(taken_from, highest)
            if free_from <= end:
                found += [free_from, end]
            free_from = max(free_from, taken_to)
        # Blocks at either end of the arena leave the longest gaps.
        edge = sorted(set(found), key=lambda o: (min(o, highest - o), o))
        return edge[::-1]
