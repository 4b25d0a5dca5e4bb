"""``bench compare``: two records, sweeps, revisions or published tables, like with like."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import JsonOption, StoreOption
from harness.data import STORE

if TYPE_CHECKING:
    from harness.comparison.compare import Comparison, Pair


class Condition(StrEnum):
    """What must be alike on both sides unless one asks to look across it."""

    MODEL = "model"
    KIND = "kind"
    CLOCK = "clock"
    CACHES = "caches"
    COMPILER = "compiler"
    KERNELS = "kernels"


_SIDE = "A record, a folder of records, published:TABLE, a sweep's id, or a git revision."


def compare(
    before: Annotated[str, typer.Argument(metavar="A", help=_SIDE)],
    after: Annotated[str, typer.Argument(metavar="B", help=_SIDE)],
    store: StoreOption = STORE,
    across: Annotated[
        list[Condition] | None,
        typer.Option("--across", help="Compare although this differs, and say so. Repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare figures of the same cases: B over A, with uncertainty. Unlike ones are refused.

    Between git revisions kernels may differ: that is what revisions are compared for.
    """
    from harness.comparison.compare import compare as compare_subjects
    from harness.comparison.operand import resolve
    from harness.errors import InputError
    from harness.report.compare_table import comparison_table, refusal_text
    from harness.report.console import stdout_console

    sides = resolve(before, store), resolve(after, store)
    allowed = {condition.value for condition in across or ()}
    if any(side.is_revision for side in sides):
        allowed.add(Condition.KERNELS.value)
    found = compare_subjects(sides[0].subjects, sides[1].subjects, across=allowed)
    if as_json:
        labels = {"before": sides[0].label, "after": sides[1].label}
        sys.stdout.write(json.dumps(labels | comparison_json(found), indent=1) + "\n")
    else:
        stdout_console().print(comparison_table(found, sides[0].label, sides[1].label))
    if not found.pairs:
        reasons = [refusal_text(refusal) for refusal in found.refused]
        unlike = {name for refusal in found.refused for name in refusal.because}
        raise InputError(
            "nothing was compared: " + (reasons[0] if reasons else "no case is on both sides"),
            hint=f"--across {' --across '.join(sorted(unlike))}" if unlike else "",
        )


def comparison_json(found: Comparison) -> dict[str, object]:
    """Return a comparison as plain values."""
    return {
        "pairs": [_pair(pair) for pair in found.pairs],
        "refused": [
            {"case": str(refusal.after.identity), "because": refusal.because}
            for refusal in found.refused
        ],
        "only_before": [str(subject.identity) for subject in found.only_before],
        "only_after": [str(subject.identity) for subject in found.only_after],
    }


def _pair(pair: Pair) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "case": str(pair.after.identity),
        "before": pair.before.source,
        "after": pair.after.source,
        "across": pair.across,
        "figures": [asdict(row) for row in pair.rows],
    }
