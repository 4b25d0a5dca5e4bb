"""The library in five functions; ``from harness import plan, run, sweep, load, compare``.

Each does what the command of its name does and returns values in place of text. Errors are those
of :mod:`harness.errors`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from harness.board.load import load_board
from harness.comparison.compare import Comparison
from harness.comparison.compare import compare as compare_subjects
from harness.comparison.operand import Operand, resolve
from harness.comparison.subject import subject_of
from harness.data import STORE
from harness.errors import InputError
from harness.experiment.case import Case
from harness.experiment.fit import check_sram, choose_plan
from harness.experiment.fit import flash_limit as limit_of_flash
from harness.experiment.pool import processes, usable_cores
from harness.experiment.run import run_case
from harness.experiment.spec import SweepSpec, load_spec
from harness.experiment.sweep import run_sweep
from harness.facts import read_facts
from harness.importer.tflite import read_tflite
from harness.kernels.kernel_set import kernels_of
from harness.models.catalog import find_model
from harness.passes.pipeline import run_passes
from harness.results.frame import frame_of, load
from harness.results.plan_point import PlanPoint, plan_point
from harness.results.record import Record
from harness.toolchain.firmware import Builder

__all__ = ["compare", "load", "plan", "run", "sweep"]

Side = Record | str | Path


def plan(
    model: str,
    *,
    board: str | None = None,
    schedule: str = "auto",
    sram_limit: int | None = None,
    flash_limit: int | None = None,
    input_by_rows: bool = False,
    optimize: str = "cycles",
) -> PlanPoint:
    """Return how a model's memory is planned, in bytes and MACs; nothing is built.

    Raises:
        BenchError: a name that does not exist, a model that cannot be read, or one that does not
            fit.
    """
    facts = None if board is None else load_board(board)
    file = find_model(model)
    imported = read_tflite(file.data, name=file.name)
    kernels = kernels_of(facts, optimize)
    made = choose_plan(
        run_passes(imported),
        schedule,
        kernels=kernels,
        board=facts,
        limit=sram_limit,
        flash=limit_of_flash(kernels, facts, flash_limit),
        input_by_rows=input_by_rows,
        patch=None,
    )
    check_sram(made, facts, sram_limit)
    return plan_point(made)


def run(
    model: str,
    board: str,
    *,
    device: str = "auto",
    lab: str | None = None,
    flash: str = "pyocd",
    builder: Builder = "direct",
    schedule: str = "auto",
    sram_limit: int | None = None,
    flash_limit: int | None = None,
    input_by_rows: bool = False,
    optimize: str = "cycles",
    repeat: int = 3,
    store: Path | str | None = None,
) -> Record:
    """Run a model on a board and return the record, which is kept only if there is a ``store``.

    Raises:
        BenchError: whatever ``bench run`` would end with, outputs that differ too.
    """
    case = Case(
        board=board,
        model=model,
        device=device,
        lab=lab,
        flash=flash,
        builder=builder,
        schedule=schedule,
        sram_limit=sram_limit,
        flash_limit=flash_limit,
        input_by_rows=input_by_rows,
        optimize=optimize,
        repeat=repeat,
    )
    outcome = run_case(case, store=None if store is None else Path(store))
    if outcome.error is not None:
        raise outcome.error
    return outcome.record


def sweep(
    spec: SweepSpec | Mapping[str, Any] | Path | str,
    *,
    store: Path | str = STORE,
    jobs: int | None = None,
    fresh: bool = False,
) -> pd.DataFrame:
    """Run every combination of a specification and return its records, a row each.

    ``spec`` is a YAML file, or its fields. An interrupted sweep is taken up again unless ``fresh``.
    Call it under ``if __name__ == "__main__":`` in a script, since its processes import that.

    Raises:
        BenchError: a wrong specification, or a store that cannot be written.
    """
    match spec:
        case SweepSpec():
            wanted = spec
        case Path() | str():
            wanted = load_spec(Path(spec))
        case _:
            wanted = read_facts(json.dumps(dict(spec)).encode(), SweepSpec, where="spec")
    at_once = jobs or usable_cores()
    workers = processes(at_once)
    done = run_sweep(wanted, store=Path(store), workers=workers, at_once=at_once, fresh=fresh)
    return frame_of(case.record for case in done.done)


def compare(
    before: Side, after: Side, *, store: Path | str = STORE, across: Iterable[str] = ()
) -> Comparison:
    """Return ``after`` over ``before``, case by case: records, or whatever ``bench compare`` names.

    Raises:
        BenchError: a side that names nothing, or conditions that differ and are not ``across``.
    """
    sides = [_side(side, Path(store)) for side in (before, after)]
    allowed = set(across) | ({"kernels"} if any(side.is_revision for side in sides) else set())
    found = compare_subjects(sides[0].subjects, sides[1].subjects, across=allowed)
    if not found.pairs:
        unlike = sorted({name for refusal in found.refused for name in refusal.because})
        raise InputError(
            "nothing was compared: no case is on both sides alike",
            hint=f"across={unlike}" if unlike else "",
        )
    return found


def _side(side: Side, store: Path) -> Operand:
    if isinstance(side, Record):
        return Operand(side.id, [subject_of(side)])
    return resolve(str(side), store)
