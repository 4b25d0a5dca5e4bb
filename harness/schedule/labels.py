"""Labels: the path of least work within a limit of flash, by label setting.

With two sums, work and flash, one path to a cut is not enough: all must be kept of which none is
better in both (Irnich and Desaulniers, "Shortest path problems with resource constraints", 2005).
Nor is flash quite a sum: what several segments use, a kernel above all, is there once. So a label
has, besides its bytes, the pieces that later segments may use too. It is *dominated* by one of no
more work and no more bytes, if the pieces that the other alone has count as bytes of that: whatever
follows, the other stays at least as good.

Bounds keep labels few: the least that the rest of a path adds, and what Lagrange's relaxation of
the limit says that it costs (Handler and Zang, "A dual algorithm for the constrained shortest path
problem", 1980).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.schedule.choices import Choice, as_segment
from harness.schedule.flash import FlashOf
from harness.schedule.paths import Clashes, Path

_ROUNDS = 40
"""How many multipliers the relaxation tries."""

_MOST_LABELS = 2_000
"""How many labels a cut keeps; of more, which no model of the field has, those of least work."""

_ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class _Edge:
    """A choice: its work, the bytes that no other op uses, a bit for each piece that one may."""

    choice: Choice
    work: float
    own: int
    pieces: int


@dataclass(frozen=True, slots=True, eq=False)
class _Label:
    """A path to a cut: its sums, the pieces that it has, and where it came from."""

    work: float
    own: int
    pieces: int
    bytes: int
    last: _Edge | None = None
    before: _Label | None = None


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What the rest of a path costs at least, from each cut on.

    ``relaxed`` is work plus bytes times ``multiplier``. No path of more than ``most`` work is
    wanted.
    """

    work: Sequence[float]
    own: Sequence[float]
    relaxed: Sequence[float]
    multiplier: float
    most: float

    def allow(self, label: _Label, cut: int, limit: float) -> bool:
        """Return whether a label at a cut may still become a path that is wanted."""
        if label.bytes + self.own[cut] > limit or label.work + self.work[cut] > self.most:
            return False
        price = self.multiplier * (label.bytes - limit) if self.multiplier else 0.0
        return label.work + price + self.relaxed[cut] <= self.most


class FlashSearch:
    """Choices in order of their first op, and what they take in flash."""

    def __init__(
        self, flash: FlashOf, choices: Sequence[Choice], end: int, clashes: Clashes, peak: float
    ) -> None:
        fitting = [choice for choice in choices if choice.peak_bytes <= peak]
        taken = [flash.segment(as_segment(choice)) for choice in fitting]
        users, self._sizes = flash.users, flash.sizes
        shared = [name for name, ops in users.items() if len(ops) > 1]
        bits = {name: 1 << i for i, name in enumerate(shared)}
        self._end, self._clashes, self._peak = end, clashes, peak
        self._names = shared
        self._known: dict[int, int] = {0: 0}
        self._edges: list[list[_Edge]] = [[] for _ in range(end)]
        for choice, found in zip(fitting, taken, strict=True):
            own = found.own_bytes + sum(s for n, s in found.shared.items() if n not in bits)
            pieces = sum(bits[name] for name in found.shared if name in bits)
            self._edges[choice.first].append(_Edge(choice, choice.instructions, own, pieces))
        # For each cut, the pieces that an op behind it may use.
        self._open = [
            sum(bit for name, bit in bits.items() if max(users[name]) >= cut)
            for cut in range(end + 1)
        ]

    def cheapest(self, limit: float) -> Path | None:
        """Return the path of least work that takes at most ``limit`` bytes, None if none does."""
        bounds = self._relaxed(limit)
        labels = self._labels(limit, bounds)
        best = min(labels, key=lambda label: label.work, default=None)
        return None if best is None else _path(best)

    def least(self) -> Path | None:
        """Return the path that takes the fewest bytes."""
        own, greedy = self._shortest(0.0, 1.0)
        if greedy is None:
            return None
        most = self._bytes(greedy) if self._is_laid_out(greedy) else math.inf
        none = [0.0] * (self._end + 1)
        labels = self._labels(most, _Bounds(none, own, none, 0.0, math.inf), 0.0)
        best = min(labels, key=lambda label: label.bytes, default=None)
        return None if best is None else _path(best)

    def _relaxed(self, limit: float) -> _Bounds:
        """Return the bounds with the multiplier that bounds best, and the work of a path found."""
        (work, _), (own, _) = self._shortest(1.0, 0.0), self._shortest(0.0, 1.0)
        best, most, relaxed = 0.0, math.inf, work
        low, high = 0.0, math.inf
        multiplier, bound = 1.0, work[0]
        for _ in range(_ROUNDS):
            costs, path = self._shortest(1.0, multiplier)
            if costs[0] - multiplier * limit > bound:
                best, bound, relaxed = multiplier, costs[0] - multiplier * limit, costs
            if path is not None and self._bytes(path) <= limit:
                high = multiplier
                if self._is_laid_out(path):
                    most = min(most, sum(edge.work for edge in path))
            else:
                low = multiplier
            multiplier = 2 * low if high == math.inf else (low + high) / 2
        return _Bounds(work, own, relaxed, best, most * _ROUNDING)

    def _labels(self, limit: float, bounds: _Bounds, work: float = 1.0) -> list[_Label]:
        """Return the paths within ``limit`` of which none is better in work and in flash."""
        reached: list[dict[Path, list[_Label]]] = [{} for _ in range(self._end + 1)]
        reached[0][()] = [_Label(0.0, 0, 0, 0)]
        for cut, edges in enumerate(self._edges):
            states = {begun: self._undominated(found) for begun, found in reached[cut].items()}
            for edge in edges:
                end = edge.choice.end
                for begun, labels in states.items():
                    after, together = self._clashes.after(begun, edge.choice)
                    if together > self._peak:
                        continue
                    longer = (self._longer(label, edge, work) for label in labels)
                    there = reached[end].setdefault(after, [])
                    there += [label for label in longer if bounds.allow(label, end, limit)]
            reached[cut].clear()
        return [label for labels in reached[-1].values() for label in labels]

    def _longer(self, label: _Label, edge: _Edge, work: float) -> _Label:
        pieces, still_open = label.pieces | edge.pieces, self._open[edge.choice.end]
        own = label.own + edge.own + self._size(pieces & ~still_open)
        pieces &= still_open
        total = own + self._size(pieces)
        return _Label(label.work + work * edge.work, own, pieces, total, edge, label)

    def _undominated(self, labels: list[_Label]) -> list[_Label]:
        kept: list[_Label] = []
        for label in sorted(labels, key=lambda label: (label.work, label.bytes)):
            if not any(
                other.bytes <= label.bytes
                and other.own + self._size(other.pieces & ~label.pieces) <= label.own
                for other in kept
            ):
                kept.append(label)
                if len(kept) == _MOST_LABELS:
                    break
        return kept

    def _shortest(self, work: float, own: float) -> tuple[list[float], list[_Edge] | None]:
        """Return the least sum of weighted work and bytes from each cut on, and a path of it."""
        costs = [math.inf] * self._end + [0.0]
        best: list[_Edge | None] = [None] * self._end
        for cut in reversed(range(self._end)):
            for edge in self._edges[cut]:
                cost = work * edge.work + own * edge.own + costs[edge.choice.end]
                if cost < costs[cut]:
                    costs[cut], best[cut] = cost, edge
        if math.isinf(costs[0]):
            return costs, None
        path, way = [], best[0] if self._end else None
        while way is not None:
            path.append(way)
            way = best[way.choice.end] if way.choice.end < self._end else None
        return costs, path

    def _bytes(self, path: Sequence[_Edge]) -> int:
        pieces = 0
        for edge in path:
            pieces |= edge.pieces
        return sum(edge.own for edge in path) + self._size(pieces)

    def _is_laid_out(self, path: Sequence[_Edge]) -> bool:
        """Return whether no clash that is known needs more bytes than the limit."""
        begun: Path = ()
        for edge in path:
            begun, together = self._clashes.after(begun, edge.choice)
            if together > self._peak:
                return False
        return True

    def _size(self, pieces: int) -> int:
        """Return the bytes of a set of pieces."""
        if pieces not in self._known:
            names = (name for i, name in enumerate(self._names) if pieces >> i & 1)
            self._known[pieces] = sum(self._sizes[name] for name in names)
        return self._known[pieces]


def _path(label: _Label) -> Path:
    found: list[Choice] = []
    while label.last is not None and label.before is not None:
        found.append(label.last.choice)
        label = label.before
    return tuple(reversed(found))
