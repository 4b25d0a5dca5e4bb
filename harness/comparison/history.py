"""A figure over time: where it stepped, and between which commits.

One case under one set of conditions is a series, oldest first. An exact figure steps wherever it
changes; a noisy one where Pettitt's test finds a step, which also sees a drift that no comparison
with yesterday does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.comparison.statistics import exact_steps, steps
from harness.comparison.subject import FIGURES, Conditions, Identity, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A figure of a case changed its level between two measurements."""

    identity: Identity
    figure: str
    ratio: float
    before: Subject
    after: Subject


def changes(history: Iterable[Subject]) -> list[Change]:
    """Return all steps in all series, newest first; ``history`` comes oldest first."""
    series: dict[tuple[Identity, Conditions], list[Subject]] = {}
    for subject in history:
        if not subject.failed:
            # Kernels change over a history; everything else makes a series of its own.
            conditions = replace(subject.conditions, kernels=None)
            series.setdefault((subject.identity, conditions), []).append(subject)
    found = [change for subjects in series.values() for change in _changes_of(subjects)]
    return sorted(found, key=lambda change: change.after.created, reverse=True)


def _changes_of(subjects: list[Subject]) -> list[Change]:
    found = []
    for name in FIGURES:
        known = [subject for subject in subjects if name in subject.figures]
        values = [subject.figures[name].value for subject in known]
        is_noisy = bool(known) and known[0].figures[name].is_noisy
        found += [
            Change(
                identity=known[0].identity,
                figure=name,
                ratio=step.ratio,
                before=known[step.position - 1],
                after=known[step.position],
            )
            for step in (steps(values) if is_noisy else exact_steps(values))
        ]
    return found
