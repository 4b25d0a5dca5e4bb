"""Paths: the best sequence of choices from the first op to the last.

Cuts between ops are nodes, choices are edges; a plan is a path. Its peak is the largest peak of an
edge (``choices``), its work is the sum of theirs, so shortest-path algorithms are exact here.
Choices are given in order of their first op.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.schedule.choices import Choice

Path = tuple[Choice, ...]
Key = tuple[float, ...]


def least_peak(choices: Sequence[Choice], end: int) -> int | None:
    """Return the least peak of any path to cut ``end``, in bytes; None if there is no path."""
    path = _best(choices, end, lambda key, c: (max(key[0], c.peak_bytes),), (0.0,))
    return None if path is None else max((c.peak_bytes for c in path), default=0)


def cheapest(choices: Sequence[Choice], end: int, limit: float) -> Path | None:
    """Return the path of least work whose peak is at most ``limit``; of equals the least bytes."""
    allowed = [choice for choice in choices if choice.peak_bytes <= limit]
    return _best(
        allowed,
        end,
        lambda key, c: (key[0] + c.instructions, key[1] + c.peak_bytes),
        (0.0, 0.0),
    )


def smallest(choices: Sequence[Choice], end: int, limit: float) -> Path | None:
    """Return a path within ``limit`` that trades a little work for fewer bytes op by op.

    Halving the bytes everywhere is worth 5 % of the work: blocks that are smaller than they need to
    be leave room to lay out the others.
    """
    plain = cheapest(choices, end, limit)
    if not plain:
        return plain
    work = sum(c.instructions for c in plain)
    price = 0.1 * work / max(sum(c.peak_bytes * (c.end - c.first) for c in plain), 1)
    return _best(
        [choice for choice in choices if choice.peak_bytes <= limit],
        end,
        lambda key, c: (key[0] + c.instructions + price * c.peak_bytes * (c.end - c.first),),
        (0.0,),
    )


def _best(
    choices: Sequence[Choice], end: int, extend: Callable[[Key, Choice], Key], start: Key
) -> Path | None:
    """Return the path with the least key."""
    best: list[Key | None] = [None] * (end + 1)
    came_by: list[Choice | None] = [None] * (end + 1)
    best[0] = start
    for choice in choices:
        key = best[choice.first]
        if key is None:
            continue
        longer, known = extend(key, choice), best[choice.end]
        if known is None or longer < known:
            best[choice.end], came_by[choice.end] = longer, choice
    if best[end] is None:
        return None
    path: list[Choice] = []
    while end:
        choice_there = came_by[end]
        assert choice_there is not None, "a cut that is reached was come to by a choice"
        path.append(choice_there)
        end = choice_there.first
    return tuple(reversed(path))
