"""Offer: all choices of a graph, and the best plans that can be put together from them.

A path of choices says how many bytes are alive at each moment; whether blocks can be laid out in so
few is known only when an arena is packed. Where that fails, the choices at the moments that stick
out are set aside and the next best path is tried, a few times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from harness.schedule.assemble import assemble
from harness.schedule.choices import Choice, Choices
from harness.schedule.paths import cheapest, least_peak, smallest
from harness.schedule.plan import Plan

_ROUNDS = 8
"""How many paths are tried for one limit when their blocks cannot be laid out."""

Path = tuple[Choice, ...]
Search = Callable[[list[Choice]], Path | None]
Way = Callable[[list[Choice], int, float], Path | None]


class Offer:
    """Choices, of which fused ones are packed when they are first on a path."""

    def __init__(self, choices: Choices, offered: Iterable[Choice]) -> None:
        self._choices = choices
        self._packed = {choice: choice for choice in offered}
        self._count = len(choices.graph.ops)

    def least(self, schedule: str) -> Plan:
        """Return the plan of least peak that was found, and of those the cheapest."""
        best: Plan | None = None
        for way in (cheapest, smallest):
            for plan, alive in self._plans(schedule, self._least_path(way)):
                if best is None or plan.planned_peak_bytes < best.planned_peak_bytes:
                    best = plan
                if plan.planned_peak_bytes <= alive:
                    return best
                if way is cheapest:
                    break
        assert best is not None, "each op is a segment by itself"
        return best

    def within(self, schedule: str, limit: int) -> Plan | None:
        """Return the cheapest plan found whose peak is at most ``limit``, None if none was."""
        for way in (cheapest, smallest):
            for plan, _ in self._plans(schedule, self._path_within(way, limit), limit):
                if plan.planned_peak_bytes <= limit:
                    return plan
        return None

    def _plans(
        self, schedule: str, search: Search, limit: int | None = None
    ) -> Iterator[tuple[Plan, int]]:
        """Yield plans, the best first, each with the bytes that are alive in it at once."""
        graph, aside = self._choices.graph, set[Choice]()
        for _ in range(_ROUNDS):
            path = self._path(search, aside)
            if path is None:
                return
            segments = [choice.segment for choice in path if choice.segment is not None]
            plan = assemble(graph, schedule, segments, self._choices.streams)
            alive = max((choice.peak_bytes for choice in path), default=0)
            yield plan, alive
            aside |= _sticking_out(plan, path, limit or alive)

    def _path(self, search: Search, aside: set[Choice]) -> Path | None:
        """Return the best path whose choices are all packed and not set aside."""
        while True:
            path = search([c for key, c in self._packed.items() if c not in aside])
            if path is None or all(choice.segment is not None for choice in path):
                return path
            for choice in path:
                if choice.segment is None:
                    self._packed[choice] = self._choices.packed(choice)

    def _least_path(self, way: Way) -> Search:
        def search(offered: list[Choice]) -> Path | None:
            limit = least_peak(offered, self._count)
            return None if limit is None else way(offered, self._count, limit)

        return search

    def _path_within(self, way: Way, limit: int) -> Search:
        return lambda offered: way(offered, self._count, limit)


def _sticking_out(plan: Plan, path: Path, limit: int) -> set[Choice]:
    """Return the choices during which bytes above the limit are alive."""
    high = [a for a in plan.allocations if a.end > limit]
    return {c for i, c in enumerate(path) if any(a.first <= i <= a.last for a in high)}
