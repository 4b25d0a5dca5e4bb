"""``bench gate``: today against a baseline, one verdict that one can trust."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import InsteadOption, JobsOption, JsonOption, LabOption, StoreOption
from harness.data import STORE

if TYPE_CHECKING:
    from harness.comparison.gate import Judged
    from harness.comparison.history import Change


def gate(
    baseline: Annotated[
        str, typer.Option("--baseline", metavar="DIR|REF", help="Records, or a git revision.")
    ],
    store: StoreOption = STORE,
    spec: Annotated[
        Path | None,
        typer.Option("--spec", help="A sweep to measure now; without it the store is judged."),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Add what changed, confirmed, to the baseline.")
    ] = False,
    jobs: JobsOption = None,
    device: InsteadOption = None,
    lab: LabOption = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML.")] = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", help="Append Markdown; GITHUB_STEP_SUMMARY unless given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fail (exit code 4) if a figure got worse; name the op and by how much.

    Exact figures must be equal or within the specification's bands; noisy ones are tested. What
    changed is measured a second time. Exit code 5: nothing could be judged.
    """
    from harness.cli.gating import run_gate
    from harness.report.gate_text import github_annotations, github_summary, junit_xml, verdict_text

    judged, steps, moved = run_gate(
        baseline, store, spec, device=device, lab=lab, accept_changes=accept, jobs=jobs
    )
    if as_json:
        sys.stdout.write(json.dumps(_json(judged, steps, moved), indent=1) + "\n")
    else:
        typer.echo(verdict_text(judged, steps))
    for path in moved:
        typer.echo(f"accepted: {path}", err=True)
    if junit is not None:
        junit.write_text(junit_xml(judged, "bench gate"), encoding="utf-8")
    summary_file = summary or _path(os.environ.get("GITHUB_STEP_SUMMARY"))
    if summary_file is not None:
        with summary_file.open("a", encoding="utf-8") as file:
            file.write(github_summary(judged, steps))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_annotations(judged):
            typer.echo(line, err=True)
    _end(judged, accepted=accept)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _json(judged: Sequence[Judged], steps: Sequence[Change], moved: list[Path]) -> object:
    from dataclasses import asdict

    from harness.report.gate_text import headline, steps_text

    return {
        "verdict": headline(judged),
        "cases": [
            {
                "case": str(case.identity),
                "outcome": case.outcome.value,
                "because": case.because,
                "figures": [asdict(row) for row in case.rows],
                "ops": [asdict(op) | {"delta": op.delta} for op in case.ops],
            }
            for case in judged
        ],
        "steps": steps_text(steps),
        "accepted": [str(path) for path in moved],
    }


def _end(judged: Sequence[Judged], *, accepted: bool) -> None:
    """Raise what the verdict is as an exit code."""
    from harness.comparison.gate import DECIDED, FAILING, Outcome
    from harness.errors import NothingMeasuredError, RegressionError
    from harness.report.gate_text import headline

    outcomes = {case.outcome for case in judged}
    measured = any(case.after is not None and case.after.figures for case in judged)
    if not measured:
        raise NothingMeasuredError(f"the gate measured nothing: {headline(judged)}")
    pardoned = {Outcome.REGRESSED, Outcome.INCOMPARABLE} if accepted else set()
    if outcomes & (FAILING - pardoned):
        raise RegressionError(f"gate: {headline(judged)}")
    if not accepted and not outcomes & DECIDED:
        raise NothingMeasuredError(
            f"the gate could judge nothing: {headline(judged)}",
            hint="--accept makes a baseline; noisy figures need more samples (repeat)",
        )
