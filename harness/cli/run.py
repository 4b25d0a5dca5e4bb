"""``bench run``: the main job, one case from a model to a checked record."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import (
    BoardOption,
    Builder,
    BuilderOption,
    DeviceOption,
    FlashLimitOption,
    FlashOption,
    InputByRowsOption,
    JsonOption,
    LabOption,
    ModelOption,
    Optimize,
    OptimizeOption,
    PassesOption,
    PatchGridOption,
    PatchOpsOption,
    Schedule,
    ScheduleOption,
    SramLimitOption,
    StoreOption,
    named_case,
)
from harness.data import STORE

if TYPE_CHECKING:
    from harness.experiment.run import Outcome


def run(
    board: BoardOption,
    model: ModelOption,
    device: DeviceOption = "auto",
    lab: LabOption = None,
    flash: FlashOption = "pyocd",
    schedule: ScheduleOption = Schedule.AUTO,
    sram_limit: SramLimitOption = None,
    flash_limit: FlashLimitOption = None,
    input_by_rows: InputByRowsOption = False,
    patch_ops: PatchOpsOption = None,
    patch_grid: PatchGridOption = None,
    optimize: OptimizeOption = Optimize.CYCLES,
    builder: BuilderOption = Builder.DIRECT,
    passes: PassesOption = "all",
    inputs: Annotated[
        Path | None,
        typer.Option("--inputs", help="An .npz with input0…, or a file the catalog can prepare."),
    ] = None,
    save_outputs: Annotated[
        Path | None, typer.Option("--save-outputs", help="Write output0… to this .npz.")
    ] = None,
    warmup: Annotated[
        int, typer.Option("--warmup", min=0, max=10_000, help="Inferences before the first sample.")
    ] = 1,
    repeat: Annotated[
        int, typer.Option("--repeat", min=1, max=10_000, help="Measured inferences.")
    ] = 3,
    per_op: Annotated[bool, typer.Option("--per-op", help="Show what each op took.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Tell what each inference took as soon as it is known.")
    ] = False,
    as_json: JsonOption = False,
    store: StoreOption = STORE,
    no_store: Annotated[bool, typer.Option("--no-store", help="Write no record.")] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", min=1.0, max=86_400.0, help="Seconds that the device may take in all."
        ),
    ] = 600.0,
) -> None:
    """Run a model on a board and measure latency, SRAM, flash and correctness."""
    from harness.cli.progress import progress_on_stderr
    from harness.experiment.outputs import check_outputs_path, write_outputs
    from harness.experiment.run import run_case

    check_outputs_path(save_outputs)
    case = replace(
        named_case(
            board,
            model,
            device,
            schedule,
            (sram_limit, flash_limit),
            input_by_rows,
            (patch_ops, patch_grid),
            optimize,
            passes,
        ),
        lab=lab,
        flash=flash,
        builder=builder.value,
        inputs=inputs,
        warmup=warmup,
        repeat=repeat,
        timeout_s=timeout,
    )
    with progress_on_stderr() as display:
        outcome = run_case(
            case,
            store=None if no_store else store,
            report=display,
            live=display.say if live else lambda _: None,
        )
    _print(outcome, as_json=as_json, per_op=per_op)
    if save_outputs is not None and outcome.outputs:
        write_outputs(save_outputs, outcome.outputs, stacked=outcome.stacked)
    if outcome.error is not None:
        raise outcome.error


def _print(outcome: Outcome, *, as_json: bool, per_op: bool) -> None:
    if as_json:
        sys.stdout.write(outcome.record.model_dump_json(indent=1) + "\n")
        return
    if outcome.outputs:
        from harness.report.console import stdout_console
        from harness.report.tables import record_table

        stdout_console().print(record_table(outcome.record, per_op=per_op))
    if outcome.path is not None:
        typer.echo(f"record: {outcome.path}", err=True)
