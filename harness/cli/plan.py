"""``bench plan``: what runs in which bytes, without a toolchain or a device."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import (
    FlashLimitOption,
    InputByRowsOption,
    JsonOption,
    ModelArgument,
    Optimize,
    OptimizeOption,
    PassesOption,
    PatchGridOption,
    PatchOpsOption,
    Schedule,
    ScheduleOption,
    SramLimitOption,
    hand_set_patches,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.ir import Graph
    from harness.passes.pipeline import Stage
    from harness.schedule.limits import FlashLimit
    from harness.schedule.plan import Plan


def plan(
    model: ModelArgument,
    board: Annotated[
        str | None,
        typer.Option(
            "--board",
            help="Plan for this board's core and SRAM; without it, for a Cortex-M4 or M7.",
        ),
    ] = None,
    schedule: ScheduleOption = Schedule.AUTO,
    sram_limit: SramLimitOption = None,
    flash_limit: FlashLimitOption = None,
    input_by_rows: InputByRowsOption = False,
    patch_ops: PatchOpsOption = None,
    patch_grid: PatchGridOption = None,
    optimize: OptimizeOption = Optimize.CYCLES,
    passes: PassesOption = "all",
    pareto: Annotated[
        bool,
        typer.Option("--pareto", help="Show all plans that no other beats in memory and work."),
    ] = False,
    receptive_field: Annotated[
        bool,
        typer.Option("--receptive-field", help="Show what halos cost, and which ops cause them."),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw memory over execution (.svg, .png, .html): all schedules side by side, or "
            "the one of --schedule; with --pareto the front.",
        ),
    ] = None,
    dump_ir: Annotated[
        bool, typer.Option("--dump-ir", help="Print the graph after the passes, and stop.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Plan a model's memory and show which bytes are alive when."""
    from harness.board.load import load_board
    from harness.cli.pictures import draw, show_front, whole_schedules
    from harness.errors import UsageError
    from harness.experiment.fit import check_sram, choose_plan
    from harness.experiment.fit import flash_limit as limit_of_flash
    from harness.importer.tflite import read_tflite
    from harness.ir.text import dump
    from harness.kernels.kernel_set import kernels_of
    from harness.models.catalog import find_model
    from harness.passes.pipeline import trace_passes
    from harness.passes.selection import select_passes
    from harness.report.canvas import check_picture
    from harness.results.plan_point import flash_estimate, plan_point, receptive_parts
    from harness.results.work import pass_parts, work_part
    from harness.schedule.search import pareto as front

    facts = None if board is None else load_board(board)
    kernels = kernels_of(facts, optimize.value)
    flash = limit_of_flash(kernels, facts, flash_limit)
    patch = hand_set_patches(patch_ops, patch_grid, schedule)
    names = select_passes(passes)
    if plot is not None:
        check_picture(plot)
    file = find_model(model)
    imported = read_tflite(file.data, name=file.name)
    stages = trace_passes(imported, names)
    graph = stages[-1].graph
    if dump_ir:
        text = dump(graph)
        lines = {"model": graph.name, "ir": text.splitlines()}
        sys.stdout.write(json.dumps(lines, indent=1) + "\n" if as_json else text)
        return
    if pareto:
        if schedule is not Schedule.AUTO:
            raise UsageError(f"--pareto is over all schedules, not {schedule.value} alone")
        if receptive_field:
            raise UsageError("--receptive-field is of one plan, not of a front")
        made = front(graph, kernels, flash=flash, input_by_rows=input_by_rows)
        least = show_front(made, file.weights, sram_limit, plot, as_json)
        check_sram(least, facts, sram_limit)
        return
    chosen = choose_plan(
        graph,
        schedule.value,
        kernels=kernels,
        board=facts,
        limit=sram_limit,
        flash=flash,
        input_by_rows=input_by_rows,
        patch=patch,
    )
    if as_json:
        point = plan_point(chosen, work_part(imported), pass_parts(stages))
        if flash_limit is not None and flash is not None:
            point = point.model_copy(update={"estimated_flash": flash_estimate(chosen, flash)})
        if receptive_field:
            point = point.model_copy(update={"receptive_fields": receptive_parts(chosen)})
        sys.stdout.write(point.model_dump_json(indent=1) + "\n")
    else:
        asked = flash if flash_limit is not None else None
        _print(chosen, imported, stages, file.weights, asked, receptive_field)
    if plot is not None:
        beside = whole_schedules(graph, kernels) if schedule is Schedule.AUTO else []
        draw([*beside, chosen], plot, file.weights, sram_limit)
    check_sram(chosen, facts, sram_limit)


def _print(
    plan: Plan,
    imported: Graph,
    stages: Sequence[Stage],
    weights: str,
    flash: FlashLimit | None,
    receptive_field: bool,
) -> None:
    from harness.report.console import stdout_console
    from harness.report.pass_text import pass_text
    from harness.report.plan_text import plan_text
    from harness.results.work import pass_parts, work_part
    from harness.schedule.receptive import receptive_text

    console = stdout_console()
    text = plan_text(plan, weights=weights, width=console.width, flash=flash)
    if receptive_field:
        text += "\n\n" + (receptive_text(plan) or "no ops are fused: nothing has a halo")
    text += "\n\n" + pass_text(work_part(imported), pass_parts(stages))
    console.print(text, markup=False)
