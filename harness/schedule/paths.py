"""Paths: the best sequence of choices from the first op to the last.

Cuts between ops are nodes, choices are edges; a plan is a path. Its peak is the largest peak of an
edge (``choices``), its work is the sum of theirs, so shortest-path algorithms are exact here.

Some runs of choices need more bytes together than each alone, since their blocks cannot be laid out
in fewer. Such a run is a *clash*, with a peak of its own that every path through it has. A search
that knows of clashes remembers at each cut the choices before it that may begin one (as Aho and
Corasick do with words), so it stays exact.

Choices are given in order of their first op.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.schedule.choices import Choice

Path = tuple[Choice, ...]
Key = tuple[float, ...]
_Came = tuple[Path, Choice] | None


class Clashes:
    """Runs of choices that need more bytes together than each of them."""

    def __init__(self) -> None:
        self._peaks: dict[Path, int] = {}
        self._beginnings: set[Path] = {()}

    def add(self, run: Path, peak_bytes: int) -> None:
        """Note that a run needs so many bytes."""
        self._peaks[run] = max(peak_bytes, self._peaks.get(run, 0))
        self._beginnings.update(run[:i] for i in range(len(run)))

    def after(self, begun: Path, choice: Choice) -> tuple[Path, int]:
        """Return what is begun after one more choice, and the bytes of the clashes it ends."""
        run, peak = (*begun, choice), 0
        while True:
            peak = max(peak, self._peaks.get(run, 0))
            run = run[1:]
            if not run:
                break
        run = (*begun, choice)
        while run not in self._beginnings:
            run = run[1:]
        return run, peak


def work_of(path: Path) -> float:
    """Return the instructions of a path."""
    return sum(choice.instructions for choice in path)


def least_peak(choices: Sequence[Choice], end: int, clashes: Clashes) -> int | None:
    """Return the least peak of any path to cut ``end``, in bytes; None if there is no path."""

    def extend(key: Key, choice: Choice, together: int) -> Key:
        return (max(key[0], choice.peak_bytes, together),)

    found = _best(choices, end, clashes, extend, (0.0,))
    return None if found is None else int(found[1][0])


def cheapest(choices: Sequence[Choice], end: int, clashes: Clashes, limit: float) -> Path | None:
    """Return the path of least work whose peak is at most ``limit``; of equals the least bytes."""

    def extend(key: Key, choice: Choice, together: int) -> Key | None:
        if together > limit:
            return None
        return key[0] + choice.instructions, key[1] + choice.peak_bytes

    allowed = [choice for choice in choices if choice.peak_bytes <= limit]
    found = _best(allowed, end, clashes, extend, (0.0, 0.0))
    return None if found is None else found[0]


def _best(
    choices: Sequence[Choice],
    end: int,
    clashes: Clashes,
    extend: Callable[[Key, Choice, int], Key | None],
    start: Key,
) -> tuple[Path, Key] | None:
    """Return the path with the least key; ``extend`` returns None where there is no way."""
    # At each cut, for each beginning of a clash: the least key, and where it came from.
    reached: list[dict[Path, tuple[Key, _Came]]] = [{} for _ in range(end + 1)]
    reached[0][()] = start, None
    for choice in choices:
        there = reached[choice.end]
        for begun, (key, _) in reached[choice.first].items():
            after, together = clashes.after(begun, choice)
            longer = extend(key, choice, together)
            if longer is not None and (after not in there or longer < there[after][0]):
                there[after] = longer, (begun, choice)
    if not reached[end]:
        return None
    begun = min(reached[end], key=lambda state: reached[end][state][0])
    least = reached[end][begun][0]
    path: list[Choice] = []
    while came := reached[end][begun][1]:
        begun, choice = came
        path.append(choice)
        end = choice.first
    return tuple(reversed(path)), least
