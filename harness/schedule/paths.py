"""Paths: the best sequence of choices from the first op to the last.

Cuts between ops are nodes, choices are edges; a plan is a path. Its peak is the largest peak of an
edge (``choices``), its work is the sum of theirs, so shortest-path algorithms are exact here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from harness.schedule.choices import Choice

Key = tuple[float, ...]


def least_peak(choices: Sequence[Choice], end: int) -> int | None:
    """Return the least peak of any path to cut ``end``, in bytes; None if there is no path."""
    path = _best(choices, end, lambda key, c: (max(key[0], c.peak_bytes),), (0.0,))
    return None if path is None else max((c.peak_bytes for c in path), default=0)


def cheapest(choices: Iterable[Choice], end: int, limit: float) -> tuple[Choice, ...] | None:
    """Return the path of least work whose peak is at most ``limit``; of equals the least bytes."""
    allowed = [choice for choice in choices if choice.peak_bytes <= limit]
    return _best(
        allowed,
        end,
        lambda key, c: (key[0] + c.instructions, key[1] + c.peak_bytes),
        (0.0, 0.0),
    )


def smallest(choices: Iterable[Choice], end: int, limit: float) -> tuple[Choice, ...] | None:
    """Return the path within ``limit`` that uses the fewest bytes op by op, whatever its work."""
    allowed = [choice for choice in choices if choice.peak_bytes <= limit]
    return _best(
        allowed,
        end,
        lambda key, c: (key[0] + c.peak_bytes * (c.end - c.first), key[1] + c.instructions),
        (0.0, 0.0),
    )


def _best(
    choices: Sequence[Choice], end: int, extend: Callable[[Key, Choice], Key], start: Key
) -> tuple[Choice, ...] | None:
    """Return the path with the least key."""
    best: dict[int, tuple[Key, tuple[Choice, ...]]] = {0: (start, ())}
    for choice in sorted(choices, key=lambda c: (c.first, c.end)):
        if choice.first not in best:
            continue
        key, path = best[choice.first]
        longer = extend(key, choice)
        if choice.end not in best or longer < best[choice.end][0]:
            best[choice.end] = (longer, (*path, choice))
    return best[end][1] if end in best else None
