"""A gate's two sides: what the baseline was, what is so today, and a second look at what changed.

A baseline is a folder of records, which moves only when it is told to, or a git revision of this
project. A revision that the store has no records of is checked out beside the project and measured
with its own code.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.comparison.gate import FAILING, Judged, Outcome, confirmed, judge
from harness.comparison.operand import of_commit, revision
from harness.comparison.rules import GateRules
from harness.comparison.subject import Identity, Subject, subject_of
from harness.data import data_dir
from harness.errors import InputError, UsageError
from harness.experiment.case import Case
from harness.experiment.sweep import Done
from harness.lab.open import LAB_VARIABLE, default_file
from harness.results.frame import find
from harness.results.record import CasePart, Record
from harness.results.store import append

CHANGED = (FAILING | {Outcome.IMPROVED}) - {Outcome.MISSING}
ACCEPTED = frozenset({Outcome.REGRESSED, Outcome.IMPROVED, Outcome.INCOMPARABLE, Outcome.NEW})

Measure = Callable[[Sequence[Case]], list[Record]]
AsSubject = Callable[[Record], Subject]
"""How a record is seen: its device is part of what it is, or one of its conditions."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What today is held against; ``folder`` is None for a revision, which cannot move."""

    label: str
    subjects: list[Subject]
    folder: Path | None


def read_baseline(
    text: str,
    store: Path,
    spec: Path | None,
    *,
    device: str | None = None,
    lab: str | None = None,
    may_be_new: bool,
) -> Baseline:
    """Return the baseline of a folder or a revision; ``may_be_new`` allows a folder to be missing.

    A revision without records is measured on ``device`` in ``lab``, those of ``spec`` if None.

    Raises:
        UsageError: it names neither.
        InputError: the revision has no records and there is no specification to measure it by, or
            it cannot be measured.
    """
    folder = Path(text)
    if folder.is_dir() or (may_be_new and not revision(text)):
        if folder.resolve() == store.resolve():
            raise UsageError(f"the baseline {text} is the store itself", hint="keep them apart")
        records = find(folder) if folder.is_dir() else []
        return Baseline(text, [subject_of(record) for _, record in records], folder)
    commit = revision(text)
    if not commit:
        raise UsageError(
            f"there is no baseline {text!r}",
            hint="name a folder of records or a git revision; --accept makes a new folder",
        )
    subjects = of_commit(store, commit)
    if not subjects:
        if spec is None:
            raise InputError(
                f"{store} has no records of {text} ({commit[:9]})",
                hint="with --spec it is checked out and measured",
            )
        _measure_revision(commit, spec, store, device=device, lab=lab)
        subjects = of_commit(store, commit)
    return Baseline(f"{text} ({commit[:9]})", subjects, None)


def _measure_revision(
    commit: str, spec: Path, store: Path, *, device: str | None, lab: str | None
) -> None:
    """Sweep a revision with its own code, into the store."""
    root = data_dir("firmware").parent
    with tempfile.TemporaryDirectory() as spare:
        tree = Path(spare) / "revision"
        _run(["git", "-C", str(root), "worktree", "add", "--detach", str(tree), commit], root)
        try:
            command = [sys.executable, "-m", "harness", "sweep", str(spec.resolve())]
            instead = [] if device is None else ["--device", device]
            if lab is not None:
                instead += ["--lab", str(Path(lab).resolve()) if Path(lab).is_file() else lab]
            _run([*command, "--store", str(store.resolve()), "--json", *instead], tree)
        finally:
            _run(["git", "-C", str(root), "worktree", "remove", "--force", str(tree)], root)


def _run(command: Sequence[str], folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    if (ours := default_file()) is not None:
        environment[LAB_VARIABLE] = str(ours.resolve())  # it may lie in the folder that we are in
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-3:]
        raise InputError(f"{' '.join(command[:4])} failed: {' / '.join(said)}")


def subjects_today(store: Path, baseline: Baseline) -> list[Subject]:
    """Return what the store has measured, when nothing is measured now.

    Against a revision, that is what the checked-out commit measured; against a folder, the newest
    of each case.
    """
    if not store.is_dir():
        return []
    commit = revision("HEAD") if baseline.folder is None else ""
    where = f"git_commit = '{commit}'" if commit else ""
    return [subject_of(record) for _, record in find(store, where)]


def look_again(
    judged: Sequence[Judged],
    cases: dict[Identity, Case],
    rules: GateRules,
    measure: Measure,
    subject: AsSubject = subject_of,
) -> tuple[list[Judged], list[Record]]:
    """Measure every case that changed once more; return the verdicts, and what was measured."""
    doubtful = [c for c in judged if c.outcome in CHANGED and c.identity in cases and c.before]
    if not doubtful:
        return list(judged), []
    records = measure([cases[case.identity] for case in doubtful])
    again = {record.identity: record for record in map(subject, records)}
    final = {}
    for case in doubtful:
        assert case.before is not None
        second = [again[case.identity]] if case.identity in again else []
        final[case.identity] = confirmed(case, judge([case.before], second, rules)[0])
    return [final.get(case.identity, case) for case in judged], records


def accept(
    baseline: Baseline,
    judged: Sequence[Judged],
    records: Sequence[Record],
    subject: AsSubject = subject_of,
) -> list[Path]:
    """Move a baseline: add the newest record of every case that changed or is new.

    Raises:
        UsageError: the baseline is a revision.
        StoreError: the folder cannot be written.
    """
    if baseline.folder is None:
        raise UsageError("a revision cannot move", hint="--accept needs a folder as --baseline")
    newest = {subject(record).identity: record for record in records}
    return [
        append(baseline.folder, newest[case.identity])[1]
        for case in judged
        if case.outcome in ACCEPTED and case.identity in newest
    ]


def case_of(part: CasePart, timeout_s: float) -> Case:
    """Return the case that a record was of, to run it again."""
    return Case(
        board=part.board,
        model=part.model,
        device=part.device,
        lab=part.lab,
        flash=part.flash,
        schedule=part.schedule,
        sram_limit=part.sram_limit,
        flash_limit=part.flash_limit,
        input_by_rows=part.input_by_rows,
        patch=part.patch,
        optimize=part.optimize,
        builder=part.builder,
        passes=part.passes,
        inputs=None if part.inputs == "seeded" else Path(part.inputs),
        warmup=part.warmup,
        repeat=part.repeat,
        timeout_s=timeout_s,
    )


def cases_of(
    done: Sequence[Done], timeout_s: float, subject: AsSubject = subject_of
) -> dict[Identity, Case]:
    """Return the case behind each subject of a sweep."""
    return {subject(case.record).identity: case_of(case.record.case, timeout_s) for case in done}
