"""Offer: all choices of a graph, and the best plans that can be put together from them.

A path of choices says how many bytes are alive at each moment; whether blocks can be laid out in so
few is known only when an arena is packed. Where that fails, the path that is smallest op by op is
tried, then the choices at the moments that stick out are set aside, a few times.

The peaks of fused choices are lower bounds until their workspace is packed, which is done when they
are first on a best path; so a path that holds no open choice is best among all (as in A*).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from harness.schedule.choices import Choice, Choices
from harness.schedule.layout import lay_out
from harness.schedule.paths import Path, cheapest, least_peak, smallest
from harness.schedule.plan import Plan

_ROUNDS = 6
"""How many paths are tried for one limit when their blocks cannot be laid out."""

_FRONT_POINTS = 20
"""About how many plans a whole front has."""

Search = Callable[[list[Choice]], Path | None]
Way = Callable[[list[Choice], int, float], Path | None]


class Offer:
    """Choices, of which fused ones are packed when they are first on a path."""

    def __init__(self, choices: Choices, offered: Iterable[Choice]) -> None:
        self._choices = choices
        self._offered = sorted(offered, key=lambda c: (c.first, c.end))
        self._positions = {choice: i for i, choice in enumerate(self._offered)}
        self._count = len(choices.graph.ops)

    def least(self, schedule: str) -> Plan:
        """Return the plan of least peak that was found, and of those the cheapest."""
        paths: list[Path] = []
        best: Plan | None = None
        for way, rounds in ((cheapest, 1), (smallest, _ROUNDS)):
            for path, plan in self._tried(schedule, self._least_path(way), rounds):
                if best is not None and _peak(path) >= best.planned_peak_bytes:
                    break
                if best is None or plan.planned_peak_bytes < best.planned_peak_bytes:
                    best = plan
                if plan.planned_peak_bytes <= _peak(path):
                    break
                paths.append(path)
        assert best is not None, "each op is a segment by itself"
        for path in paths:
            if _peak(path) < best.planned_peak_bytes:
                plan = self._laid_out(schedule, path)
                best = min(best, plan, key=lambda plan: plan.planned_peak_bytes)
        return best

    def cheapest(self, schedule: str) -> Plan:
        """Return the plan of least work, and of those the one with the fewest bytes found."""
        path = self._path(self._path_within(cheapest, math.inf), set())
        assert path is not None, "each op is a segment by itself"
        return self._laid_out(schedule, path)

    def within(self, schedule: str, limit: float) -> Plan | None:
        """Return the cheapest plan found whose peak is at most ``limit``, None if none was."""
        for way, rounds in ((cheapest, 2), (smallest, 2)):
            search = self._path_within(way, limit)
            for _, plan in self._tried(schedule, search, rounds, limit):
                if plan.planned_peak_bytes <= limit:
                    return plan
        return None

    def front(self, schedule: str) -> Iterator[Plan]:
        """Yield plans of ever lower peak, each the cheapest found below the one before."""
        plan: Plan | None = self.cheapest(schedule)
        least = self.least(schedule)
        assert plan is not None
        ratio = (max(least.planned_peak_bytes, 1) / max(plan.planned_peak_bytes, 1)) ** (
            1 / _FRONT_POINTS
        )
        limit = float(plan.planned_peak_bytes)
        while limit > least.planned_peak_bytes:
            if plan is not None and plan.planned_peak_bytes > least.planned_peak_bytes:
                yield plan
                limit = min(limit, plan.planned_peak_bytes)
            limit = max(limit * ratio, least.planned_peak_bytes)
            plan = self.within(schedule, limit)
        yield plan or least

    def _tried(
        self, schedule: str, search: Search, rounds: int, limit: float | None = None
    ) -> Iterator[tuple[Path, Plan]]:
        """Yield paths, the best first, each laid out within the limit or its peak if that can be.

        Where it cannot, the next path does without one of the choices that stick out: the one
        without which the best path needs the fewest bytes.
        """
        aside: set[Choice] = set()
        for _ in range(rounds):
            path = self._path(search, aside)
            if path is None:
                return
            capacity = _peak(path)
            plan = self._laid_out(schedule, path, capacity)
            if limit is not None and plan.planned_peak_bytes > limit:
                capacity = int(limit)
                plan = self._laid_out(schedule, path, capacity)
            yield path, plan
            others = {
                choice: self._path(search, aside | {choice})
                for choice in _sticking_out(plan, path, capacity)
            }
            ranked = [(_peak(other), i, c) for i, (c, other) in enumerate(others.items()) if other]
            if not ranked:
                return
            aside.add(min(ranked)[2])

    def _laid_out(self, schedule: str, path: Path, capacity: int | None = None) -> Plan:
        segments = [choice.segment for choice in path if choice.segment is not None]
        graph, streams = self._choices.graph, self._choices.streams
        return lay_out(graph, schedule, segments, streams, capacity=capacity)

    def _path(self, search: Search, aside: set[Choice]) -> Path | None:
        """Return the best path whose choices are all packed and not set aside."""
        while True:
            path = search([c for c in self._offered if c not in aside] if aside else self._offered)
            if path is None or all(choice.segment is not None for choice in path):
                return path
            for choice in path:
                if choice.segment is None:
                    self._pack(choice)

    def _pack(self, choice: Choice) -> None:
        packed, position = self._choices.packed(choice), self._positions.pop(choice)
        self._offered[position] = packed
        self._positions[packed] = position

    def _least_path(self, way: Way) -> Search:
        def search(offered: list[Choice]) -> Path | None:
            limit = least_peak(offered, self._count)
            return None if limit is None else way(offered, self._count, limit)

        return search

    def _path_within(self, way: Way, limit: float) -> Search:
        return lambda offered: way(offered, self._count, limit)


def _peak(path: Path) -> int:
    """Return the most bytes alive in any segment of a path."""
    return max((choice.peak_bytes for choice in path), default=0)


def _sticking_out(plan: Plan, path: Path, limit: float) -> list[Choice]:
    """Return the choices during which bytes above the limit are alive, in order."""
    high = [a for a in plan.allocations if a.end > limit]
    return [c for i, c in enumerate(path) if any(a.first <= i <= a.last for a in high)]
