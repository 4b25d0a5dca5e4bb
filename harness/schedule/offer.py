"""Offer: all choices of a graph, and the best plans that can be put together from them.

What a path of choices needs is known from below at first, and exactly only where that matters:

- a fused choice has a lower bound until its workspace is packed, which is done when it is first on
  a best path;
- the blocks of a path may need more bytes than are alive at any moment, which is known when they
  are laid out. If that is too much, the shortest run of its choices that cannot be laid out in the
  limit is noted as a clash (``paths``), whose peak is then known, and the search is repeated.

A best path of which nothing is left to be found out is best among all (as in A*).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from harness.schedule.choices import Choice, Choices, as_segment
from harness.schedule.flash import FlashOf
from harness.schedule.labels import FlashSearch
from harness.schedule.layout import clash_within, lay_out
from harness.schedule.paths import Clashes, Path, cheapest, least_peak, work_of
from harness.schedule.plan import Plan, Segment

_MOST_CLASHES = 200
"""How many clashes a search may find before its limit counts as one that cannot be met."""

_MOST_LIMITS = 50
"""How many limits are tried for the least peak before the least that was found is taken."""

Found = tuple[Path, Plan]


class Offer:
    """Choices of which plans of one schedule are made."""

    def __init__(
        self,
        schedule: str,
        choices: Choices,
        offered: Iterable[Choice],
        *,
        most_clashes: int = _MOST_CLASHES,
        most_limits: int = _MOST_LIMITS,
    ) -> None:
        self._schedule, self._choices = schedule, choices
        self._most_clashes, self._most_limits = most_clashes, most_limits
        self._offered = sorted(offered, key=lambda c: (c.first, c.end))
        self._positions = {choice: i for i, choice in enumerate(self._offered)}
        self._count = len(choices.graph.ops)
        self._clashes = Clashes()
        self._plans: dict[Path, Plan] = {}
        self._flash = FlashOf(choices.graph, choices.kernels)

    def least(self) -> Plan:
        """Return the plan of least peak, and of those the cheapest."""
        for _ in range(self._most_limits):
            limit = least_peak(self._offered, self._count, self._clashes)
            assert limit is not None, "each op is a segment by itself"
            found = self._within(limit, math.inf)
            if found is not None:
                return found[1]
        return min(self._plans.values(), key=lambda plan: plan.planned_peak_bytes)

    def least_flash(self, limit: float = math.inf) -> Plan | None:
        """Return the plan that takes the least flash of those whose peak is at most ``limit``."""
        found = self._settled(limit, lambda: self._search(limit).least())
        return None if found is None else found[1]

    def within(self, limit: float = math.inf, flash: float = math.inf) -> Plan | None:
        """Return the plan of least work whose peak is at most ``limit``, None if there is none.

        Of several it is that of least peak. The model takes at most ``flash`` bytes of flash.
        """
        found = best = self._within(limit, flash)
        while found is not None:
            best = found
            path, plan = found
            found = self._within(plan.planned_peak_bytes - 1, flash, work_of(path))
        return None if best is None else best[1]

    def front(self, limit: float = math.inf, flash: float = math.inf) -> Iterator[Plan]:
        """Yield the plans of which no other has less work and no more bytes, by falling peak.

        The first has at most ``limit`` bytes, and all models at most ``flash`` bytes of flash.
        """
        found = self._within(limit, flash)
        while found is not None:
            path, plan = found
            found = self._within(plan.planned_peak_bytes - 1, flash)
            if found is None or work_of(found[0]) > work_of(path):
                yield plan

    def _within(self, limit: float, flash: float, most_work: float = math.inf) -> Found | None:
        """Return the best path within the limits and its plan, None if it has more work."""

        def best() -> Path | None:
            path = cheapest(self._offered, self._count, self._clashes, limit)
            if path is None or work_of(path) > most_work:
                return None
            if flash < math.inf and self._flash.of(map(as_segment, path)).total_bytes > flash:
                path = self._search(limit).cheapest(flash)
            return None if path is None or work_of(path) > most_work else path

        return self._settled(limit, best)

    def _search(self, limit: float) -> FlashSearch:
        return FlashSearch(self._flash, self._offered, self._count, self._clashes, limit)

    def _settled(self, limit: float, best: Callable[[], Path | None]) -> Found | None:
        """Return the path that is best and its plan, None if there is none within ``limit``.

        Each round finds out one thing about the best path that is known by then.
        """
        clashes = 0
        while clashes < self._most_clashes:
            path = best()
            if path is None:
                return None
            unpacked = [choice for choice in path if choice.segment is None]
            for choice in unpacked:
                self._pack(choice)
            if not unpacked:
                plan = self._laid_out(path)
                if plan.planned_peak_bytes <= limit:
                    return path, plan
                if not path:
                    return None  # no ops: there is no other way to hold what goes in and out
                self._note_clash(path, int(limit))
                clashes += 1
        return None

    def _pack(self, choice: Choice) -> None:
        packed, position = self._choices.packed(choice), self._positions.pop(choice)
        self._offered[position] = packed
        self._positions[packed] = position

    def _laid_out(self, path: Path) -> Plan:
        if path not in self._plans:
            self._plans[path] = lay_out(self._schedule, _segments(path), self._choices.streams)
        return self._plans[path]

    def _note_clash(self, path: Path, limit: int) -> None:
        run, peak_bytes = clash_within(_segments(path), self._choices.streams, limit)
        self._clashes.add(path[run.start : run.stop], peak_bytes)


def _segments(path: Path) -> list[Segment]:
    return [choice.segment for choice in path if choice.segment is not None]
