"""``bench compile``: the firmware of a case, or its sources, without running it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import (
    Builder,
    BuilderOption,
    FlashLimitOption,
    InputByRowsOption,
    ModelArgument,
    Optimize,
    OptimizeOption,
    PassesOption,
    PatchGridOption,
    PatchOpsOption,
    Schedule,
    ScheduleOption,
    SramLimitOption,
    named_case,
)
from harness.errors import InputError


class Format(StrEnum):
    """What is written: an image that can be flashed, or the C that it is built from."""

    ELF = "elf"
    C = "c"
    PLATFORMIO = "platformio"


def compile_command(
    model: ModelArgument,
    board: Annotated[str, typer.Option("--board", help="A name from `bench boards`, or a YAML.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    output_format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="elf: the linked image; c: the generated sources; platformio: a project that "
            "`pio run` builds.",
        ),
    ] = Format.ELF,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            help="What the image is for; of a PlatformIO project the board itself, if we can.",
        ),
    ] = "auto",
    schedule: ScheduleOption = Schedule.AUTO,
    sram_limit: SramLimitOption = None,
    flash_limit: FlashLimitOption = None,
    input_by_rows: InputByRowsOption = False,
    patch_ops: PatchOpsOption = None,
    patch_grid: PatchGridOption = None,
    optimize: OptimizeOption = Optimize.CYCLES,
    builder: BuilderOption = Builder.DIRECT,
    passes: PassesOption = "all",
) -> None:
    """Write the firmware of a model on a board, its generated C, or a PlatformIO project."""
    from harness.cli.progress import progress_on_stderr
    from harness.codegen.model_c import generate
    from harness.experiment.build import build_case
    from harness.experiment.case import find, plan_case
    from harness.experiment.fit import check_flash, check_sram
    from harness.report.tables import footprint_line

    is_project = output_format is Format.PLATFORMIO
    case = named_case(
        board,
        model,
        _board_itself(board) if is_project and device == "auto" else device,
        schedule,
        (sram_limit, flash_limit),
        input_by_rows,
        (patch_ops, patch_grid),
        optimize,
        passes,
    )
    found = find(replace(case, builder=builder.value))
    plan = plan_case(found).plan
    check_sram(plan, found.board, sram_limit)
    sources = generate(plan, target=found.target)
    _make_folder(out)
    if output_format is Format.C:
        _write(out, sources.files)
        return
    if is_project:
        from harness.toolchain.platformio import export

        _write(out, export(sources, found.target, found.board, optimize=case.optimize))
        return
    with progress_on_stderr() as report:
        report("building", 0, 0)
        firmware = build_case(found, sources)
    check_flash(found.model.name, firmware.footprint, flash_limit)
    image = out / f"{found.model.name}-{found.board.name}.elf"
    shutil.copyfile(firmware.elf, image)
    typer.echo(str(image))
    typer.echo(footprint_line(firmware.footprint), err=True)


def _board_itself(board: str) -> str:
    """Return the device that a project is for: the board, where there is firmware for it."""
    from harness.board.load import load_board

    return "auto" if load_board(board).port is None else "hardware"


def _write(folder: Path, files: tuple[tuple[str, str], ...]) -> None:
    for name, text in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(str(path))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {path}: {error.strerror}", hint="name a folder") from error
