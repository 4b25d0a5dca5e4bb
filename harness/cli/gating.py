"""What ``bench gate`` does: baseline, today, verdict, second look, history, acceptance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.cli.sweeping import read_spec, run_cases, run_on
from harness.comparison.gate import Judged, Outcome, judge
from harness.comparison.history import Change, changes
from harness.comparison.rules import GateRules
from harness.comparison.subject import Subject, by_device, subject_of
from harness.errors import UsageError
from harness.experiment.case import Case
from harness.experiment.gating import (
    accept,
    cases_of,
    look_again,
    read_baseline,
    subjects_today,
)
from harness.results.frame import find
from harness.results.record import Record

Gated = tuple[list[Judged], list[Change], list[Path]]
"""Verdicts, steps in the history, records that the baseline took."""


def run_gate(
    baseline: str,
    store: Path,
    spec: Path | None,
    *,
    device: str | None,
    lab: str | None,
    accept_changes: bool,
    jobs: int | None,
) -> Gated:
    """Judge today against a baseline.

    Raises:
        UsageError: a baseline that is none, or that cannot move.
        InputError: a specification or a revision that cannot be measured.
    """
    if accept_changes and spec is None:
        raise UsageError("--accept needs --spec", hint="changes are confirmed by measuring again")
    past = read_baseline(baseline, store, spec, device=device, lab=lab, may_be_new=accept_changes)
    if spec is None:
        judged = judge(past.subjects, subjects_today(store, past), GateRules())
        return judged, _steps(store, judged), []
    wanted = read_spec(spec, device, lab)
    rules = wanted.gate
    done = run_on(wanted, store, jobs=jobs, fresh=False).done
    told = by_device(subject_of(case.record) for case in done)

    def subject(record: Record) -> Subject:
        return told(subject_of(record))

    judged = judge(map(told, past.subjects), [subject(case.record) for case in done], rules)

    def measure(cases: Sequence[Case]) -> list[Record]:
        return run_cases(cases, store, jobs=jobs)

    again = cases_of(done, wanted.timeout_s, subject)
    judged, records = look_again(judged, again, rules, measure, subject)
    moved = []
    if accept_changes:
        moved = accept(past, judged, [*(case.record for case in done), *records], subject)
    return judged, _steps(store, judged, told), moved


def _steps(
    store: Path, judged: Sequence[Judged], told: Callable[[Subject], Subject] = lambda it: it
) -> list[Change]:
    """Return where the figures of the cases that changed have stepped before, newest first."""
    wanted = {case.identity for case in judged if case.outcome is not Outcome.SAME}
    models = sorted({identity.model.replace("'", "''") for identity in wanted})
    if not models or not store.is_dir():
        return []
    where = " or ".join(f"model = '{model}'" for model in models)
    subjects = [told(subject_of(record)) for _, record in find(store, where)]
    return changes(subject for subject in subjects if subject.identity in wanted)
