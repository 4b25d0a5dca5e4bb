"""``bench plan``: what runs in which bytes, without a toolchain or a device."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import JsonOption, ModelArgument, Schedule, ScheduleOption, SramLimitOption

if TYPE_CHECKING:
    from harness.schedule.plan import Plan


def plan(
    model: ModelArgument,
    board: Annotated[
        str | None, typer.Option("--board", help="Also check against this board's SRAM.")
    ] = None,
    schedule: ScheduleOption = Schedule.AUTO,
    sram_limit: SramLimitOption = None,
    passes: Annotated[
        str | None,
        typer.Option("--passes", help="Only these, comma-separated; `none` for none of them."),
    ] = None,
    dump_ir: Annotated[
        bool, typer.Option("--dump-ir", help="Print the graph after the passes, and stop.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Plan a model's memory and show which bytes are alive when."""
    from harness.board.load import load_board
    from harness.experiment.case import check_sram, choose_plan
    from harness.importer.tflite import read_tflite
    from harness.ir.text import dump
    from harness.models.catalog import find_model
    from harness.passes.pipeline import run_passes
    from harness.results.plan_point import plan_point

    facts = None if board is None else load_board(board)
    file = find_model(model)
    graph = run_passes(read_tflite(file.data, name=file.name), _names(passes))
    if dump_ir:
        sys.stdout.write(dump(graph))
        return
    chosen = choose_plan(graph, schedule.value)
    if as_json:
        sys.stdout.write(plan_point(chosen).model_dump_json(indent=1) + "\n")
    else:
        _print(chosen, file.weights)
    check_sram(chosen, facts, sram_limit)


def _names(passes: str | None) -> list[str] | None:
    """Return the names in a comma-separated list; None means all."""
    if passes is None:
        return None
    return [
        name for name in (part.strip() for part in passes.split(",")) if name not in ("", "none")
    ]


def _print(plan: Plan, weights: str) -> None:
    from harness.report.console import stdout_console
    from harness.report.plan_text import plan_text

    console = stdout_console()
    console.print(plan_text(plan, weights=weights, width=console.width))
