"""Exact search for offsets: which of two blocks alive together is the lower one.

An arena is a job shop turned on its side: offsets are times, blocks alive together are tasks that
need one machine, and the peak is the makespan. So it is solved as those are, by deciding orders of
pairs instead of offsets (Smith and Cheng, Slack-Based Heuristics for Constraint Satisfaction
Scheduling, AAAI 1993). Every block has the lowest and the highest offset that are possible yet; a
pair of which only one order is possible takes it, and what follows is propagated. Where both are
possible, the pair with the least room is decided: first the roomier order, when that fails the
other. Where all fails, the arena is too small.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.schedule.packing import Packing


def order_within(problem: Packing, capacity: int, steps: int) -> tuple[int, ...] | None:
    """Return offsets with which all blocks end by ``capacity``.

    None means that there are none, or that deciding ``steps`` pairs did not find any.
    """
    search = _Search(problem)
    low = [0] * len(problem.sizes)
    high = [capacity - size for size in problem.sizes]
    state = _State(low, high, [0] * len(search.pairs))
    if min(high, default=0) < 0 or not search.settle(state, range(len(low))):
        return None
    return search.solve(state, steps)


class _State:
    """The offsets possible yet, and the order of each pair: 0 is open, 1 as given, -1 reversed."""

    __slots__ = ("high", "low", "order")

    def __init__(self, low: list[int], high: list[int], order: list[int]) -> None:
        self.low, self.high, self.order = low, high, order

    def copy(self) -> _State:
        """Return a state that can be changed without this one."""
        return _State(self.low[:], self.high[:], self.order[:])


class _Search:
    """Depth-first search over the orders of pairs."""

    def __init__(self, problem: Packing) -> None:
        # Of each pair a, b: both blocks, how far b is above a if it is, how far a is above b.
        self.pairs: list[tuple[int, int, int, int]] = []
        self._pairs_of: list[list[int]] = [[] for _ in problem.sizes]
        for block, neighbours in enumerate(problem.neighbours):
            for other, above, below in neighbours:
                if block < other:
                    for one in (block, other):
                        self._pairs_of[one].append(len(self.pairs))
                    self.pairs.append((block, other, above, below))

    def solve(self, start: _State, steps: int) -> tuple[int, ...] | None:
        """Return the lowest offsets of the first state found in which all is decided."""
        open_states = [start]
        while open_states and steps > 0:
            state = open_states.pop()
            pair, order = self._tightest(state)
            if pair is None:
                return tuple(state.low)
            steps -= 1
            for choice in (-order, order):
                child = state.copy()
                if self._decide(child, pair, choice):
                    open_states.append(child)
        return None

    def settle(self, state: _State, changed: Iterable[int]) -> bool:
        """Propagate what follows from offsets that changed; return whether any are left."""
        low, high, orders, pairs = state.low, state.high, state.order, self.pairs
        waiting = list(changed)
        while waiting:
            for number in self._pairs_of[waiting.pop()]:
                a, b, above, below = pairs[number]
                order = orders[number]
                if not order:
                    is_possible = low[a] + above <= high[b]
                    if is_possible and low[b] + below <= high[a]:
                        continue
                    order = orders[number] = 1 if is_possible else -1
                under, over, gap = (a, b, above) if order > 0 else (b, a, below)
                if low[under] + gap > low[over]:
                    low[over] = low[under] + gap
                    if low[over] > high[over]:
                        return False
                    waiting.append(over)
                if high[over] - gap < high[under]:
                    high[under] = high[over] - gap
                    if low[under] > high[under]:
                        return False
                    waiting.append(under)
        return True

    def _decide(self, state: _State, pair: int, order: int) -> bool:
        state.order[pair] = order
        return self.settle(state, self.pairs[pair][:2])

    def _tightest(self, state: _State) -> tuple[int | None, int]:
        """Return the open pair with the least room, and the order in which it has more."""
        low, high = state.low, state.high
        least, found, order = 0, None, 1
        for number, decided in enumerate(state.order):
            if decided:
                continue
            a, b, above, below = self.pairs[number]
            room, reversed_room = high[b] - low[a] - above, high[a] - low[b] - below
            # Their measure is the less room over the root of its ratio to the greater: the root of
            # the product.
            measure = (room + 1) * (reversed_room + 1)
            if found is None or measure < least:
                least, found, order = measure, number, 1 if room >= reversed_room else -1
        return found, order
