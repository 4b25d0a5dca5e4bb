"""One verdict a case: better, worse, the same, or why it cannot be said.

The gate measures nothing: it takes a baseline's subjects and today's. A kernel or the tool may
differ, for that is what is gated; another network, kind, clock, cache setting or compiler makes a
case incomparable, which is not a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.comparison.compare import Row, compare_figures
from harness.comparison.rules import GateRules
from harness.comparison.statistics import ALPHA
from harness.comparison.subject import FIGURES, Identity, Subject, difference, newest

MAY_DIFFER = frozenset({"kernels"})


class Outcome(StrEnum):
    """What is said of a case, worst first."""

    BROKEN = "broken"
    MISSING = "missing"
    REGRESSED = "regressed"
    INCOMPARABLE = "incomparable"
    UNDECIDED = "undecided"
    IMPROVED = "improved"
    NEW = "new"
    SAME = "same"


FAILING = frozenset({Outcome.BROKEN, Outcome.MISSING, Outcome.REGRESSED, Outcome.INCOMPARABLE})
DECIDED = frozenset({Outcome.REGRESSED, Outcome.IMPROVED, Outcome.SAME})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpChange:
    """One op whose count changed: by how many, and which share of what it took before."""

    index: int
    kind: str
    name: str
    unit: str
    before: int
    after: int

    @property
    def delta(self) -> int:
        """How many more it takes."""
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The verdict on one case. ``rows`` are the figures that changed; ``ops`` which ops did it."""

    identity: Identity
    outcome: Outcome
    because: str = ""
    rows: tuple[Row, ...] = ()
    ops: tuple[OpChange, ...] = ()
    before: Subject | None = None
    after: Subject | None = None


def judge(baseline: Iterable[Subject], today: Iterable[Subject], rules: GateRules) -> list[Judged]:
    """Return the verdict on every case of either side, worst first."""
    old = {subject.identity: subject for subject in newest(baseline)}
    new = {subject.identity: subject for subject in newest(today)}
    judged = [
        _judge(identity, old.get(identity), new.get(identity), rules)
        for identity in dict.fromkeys((*old, *new))
    ]
    order = list(Outcome)
    return sorted(judged, key=lambda case: order.index(case.outcome))


_Verdict = Callable[..., Judged]


def _judge(
    identity: Identity, before: Subject | None, after: Subject | None, rules: GateRules
) -> Judged:
    def verdict(outcome: Outcome, because: str = "", rows: Sequence[Row] = ()) -> Judged:
        return Judged(
            identity=identity,
            outcome=outcome,
            because=because,
            rows=tuple(rows),
            ops=op_changes(before, after) if before and after and rows else (),
            before=before,
            after=after,
        )

    if after is None:
        return verdict(Outcome.MISSING, "is in the baseline and was not measured")
    if before is None:
        return verdict(Outcome.NEW, after.failed)
    if after.failed:
        if before.failed:
            return verdict(Outcome.SAME, f"fails as it did: {after.failed}")
        return verdict(Outcome.BROKEN, after.failed)
    if before.failed:
        return verdict(Outcome.IMPROVED, f"failed before: {before.failed}")
    unlike = difference(before.conditions, after.conditions)
    differing = {name: sides for name, sides in unlike.items() if name not in MAY_DIFFER}
    if differing:
        told = "; ".join(f"{name}: {old} -> {new}" for name, (old, new) in differing.items())
        return verdict(Outcome.INCOMPARABLE, told)
    return _weigh(before, after, rules, verdict)


def _weigh(before: Subject, after: Subject, rules: GateRules, verdict: _Verdict) -> Judged:
    """Judge two subjects that are alike by their figures."""
    names = [n for n in FIGURES if n in before.figures and n in after.figures]
    gone = [n for n in FIGURES if n in before.figures and n not in after.figures]
    if gone or not names:
        return verdict(Outcome.BROKEN, f"no longer measured: {', '.join(gone) or 'anything'}")
    rows = {n: compare_figures(n, before.figures[n], after.figures[n]) for n in names}
    worse = [row for n, row in rows.items() if _moved(row, n, rules, before, after) > 0]
    better = [row for n, row in rows.items() if _moved(row, n, rules, before, after) < 0]
    if worse:
        return verdict(Outcome.REGRESSED, rows=[*worse, *better])
    few = [n for n in names if _too_few(n, rules, before, after)]
    if few:
        have = min(len(side.figures[few[0]].samples) for side in (before, after))
        because = f"{few[0]} has {have} samples, {rules.least_samples} are needed"
        return verdict(Outcome.UNDECIDED, because)
    return verdict(Outcome.IMPROVED if better else Outcome.SAME, rows=better)


def _too_few(name: str, rules: GateRules, before: Subject, after: Subject) -> bool:
    sides = before.figures[name], after.figures[name]
    return any(f.is_noisy and len(f.samples) < rules.least_samples for f in sides)


def _moved(row: Row, name: str, rules: GateRules, before: Subject, after: Subject) -> int:
    """Return 1 if a figure really grew, -1 if it really shrank, 0 if nothing can be said."""
    if row.p_value is None:
        band = rules.bands.get(name, 0.0)
        has_moved = row.before != row.after and abs(row.ratio - 1) > band
    else:
        has_moved = (
            not _too_few(name, rules, before, after)
            and row.p_value < ALPHA
            and not row.low <= 1 <= row.high
            and abs(row.ratio - 1) >= rules.least_effect
        )
    return (1 if row.ratio > 1 else -1) if has_moved else 0


def op_changes(before: Subject, after: Subject) -> tuple[OpChange, ...]:
    """Return the ops whose count differs, the largest difference first.

    Ops are the same if position, kind and name are; where a plan fuses other ops than before,
    only those that carry a figure on both sides are told.
    """
    old = {(op.index, op.kind, op.name): op for op in before.ops}
    changes = []
    for op in after.ops:
        earlier = old.get((op.index, op.kind, op.name))
        for unit in ("instructions", "cycles"):
            was = getattr(earlier, unit, None)
            now = getattr(op, unit)
            if was is not None and now is not None and was != now:
                changes.append(
                    OpChange(
                        index=op.index, kind=op.kind, name=op.name, unit=unit, before=was, after=now
                    )
                )
    return tuple(sorted(changes, key=lambda change: -abs(change.delta)))


def confirmed(first: Judged, again: Judged) -> Judged:
    """Return the verdict after a second measurement: a change that does not repeat is none.

    A failure that does not repeat is told as undecided, since it is no pass either.
    """
    if first.outcome is again.outcome:
        return again
    if Outcome.BROKEN in (first.outcome, again.outcome):
        broken = first if first.outcome is Outcome.BROKEN else again
        return Judged(
            identity=first.identity,
            outcome=Outcome.UNDECIDED,
            because=f"failed once of twice: {broken.because}",
            before=first.before,
            after=broken.after,
        )
    exact = [row for row in first.rows if row.p_value is None]
    if exact:
        return Judged(
            identity=first.identity,
            outcome=Outcome.BROKEN,
            because=f"{exact[0].figure} is exact and does not repeat: first "
            f"{exact[0].after:,.0f}, then {again.after.figures[exact[0].figure].value:,.0f}"
            if again.after
            else "does not repeat",
            before=first.before,
            after=again.after,
        )
    return again
