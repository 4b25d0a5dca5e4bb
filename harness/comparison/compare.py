"""Two sets of subjects: like with like, ratios with their uncertainty, and what was refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from harness.comparison.statistics import shift
from harness.comparison.subject import FIGURES, Figure, Identity, Subject, difference, latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure on both sides; ``low`` and ``high`` are the ends of the ratio's interval.

    Exact figures have a ratio without an interval (``low == ratio == high``), unless a source has
    rounded them. ``p_value`` is None but for noisy figures.
    """

    figure: str
    unit: str
    before: float
    after: float
    ratio: float
    low: float
    high: float
    p_value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two subjects that may be compared; ``across`` are the differences that were asked for."""

    before: Subject
    after: Subject
    across: dict[str, tuple[str, str]]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Two subjects of one case that are not alike, and in what."""

    before: Subject
    after: Subject
    because: dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What could be compared, what was refused, and which cases one side alone has."""

    pairs: tuple[Pair, ...]
    refused: tuple[Refusal, ...]
    only_before: tuple[Subject, ...]
    only_after: tuple[Subject, ...]


def compare(
    before: Sequence[Subject], after: Sequence[Subject], *, across: Iterable[str] = ()
) -> Comparison:
    """Compare the cases that two sides share; a side of one case is compared with any other's.

    Cases under unlike conditions are refused but for those named in ``across``.
    """
    allowed = frozenset(across)
    old, new = latest(before), latest(after)
    alone = len(old) == 1 and len(new) == 1
    pairs: list[Pair] = []
    refused: list[Refusal] = []
    met: set[int] = set()
    for later in new:
        for earlier in old:
            if not alone and not _is_same_case(earlier.identity, later.identity):
                continue
            met |= {id(earlier), id(later)}
            unlike = difference(earlier.conditions, later.conditions)
            if unlike.keys() <= allowed:
                across_what = unlike | (_asked(earlier.identity, later.identity) if alone else {})
                rows = _rows(earlier, later)
                pairs.append(Pair(before=earlier, after=later, across=across_what, rows=rows))
            else:
                because = {name: unlike[name] for name in unlike if name not in allowed}
                refused.append(Refusal(before=earlier, after=later, because=because))
    return Comparison(
        pairs=tuple(pairs),
        refused=tuple(refused),
        only_before=tuple(s for s in old if id(s) not in met),
        only_after=tuple(s for s in new if id(s) not in met),
    )


def _is_same_case(before: Identity, after: Identity) -> bool:
    """Return whether all that both sides say is the same; a limit of None is none."""
    if before.schedule is not None and after.schedule is not None:
        return before == after
    return before.model == after.model


def _asked(before: Identity, after: Identity) -> dict[str, tuple[str, str]]:
    """Return in what two cases differ."""
    sides = ((f.name, getattr(before, f.name), getattr(after, f.name)) for f in fields(Identity))
    return {name: (str(old), str(new)) for name, old, new in sides if old != new}


def _rows(before: Subject, after: Subject) -> tuple[Row, ...]:
    return tuple(
        compare_figures(name, before.figures[name], after.figures[name])
        for name in FIGURES
        if name in before.figures and name in after.figures
    )


def compare_figures(name: str, before: Figure, after: Figure) -> Row:
    """Return one figure's ratio: after over before."""
    ratio = after.value / before.value if before.value else float("inf")
    low = high = ratio
    p_value = None
    if before.is_noisy and after.is_noisy:
        found = shift(before.samples, after.samples)
        ratio, low, high, p_value = found.ratio, found.low, found.high, found.p_value
    elif before.rounded_by or after.rounded_by:
        low = (after.value - after.rounded_by) / (before.value + before.rounded_by)
        high = (after.value + after.rounded_by) / (before.value - before.rounded_by)
    return Row(
        figure=name,
        unit=before.unit,
        before=before.value,
        after=after.value,
        ratio=ratio,
        low=low,
        high=high,
        p_value=p_value,
    )
