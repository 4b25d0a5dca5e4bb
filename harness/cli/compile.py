"""``bench compile``: the firmware of a case, or its sources, without running it."""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import (
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


def compile_command(
    model: ModelArgument,
    board: Annotated[str, typer.Option("--board", help="A name from `bench boards`, or a YAML.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    output_format: Annotated[
        Format, typer.Option("--format", help="elf: the linked image; c: the generated sources.")
    ] = Format.ELF,
    device: Annotated[str, typer.Option("--device", help="What the image is for.")] = "auto",
    schedule: ScheduleOption = Schedule.AUTO,
    sram_limit: SramLimitOption = None,
    input_by_rows: InputByRowsOption = False,
    patch_ops: PatchOpsOption = None,
    patch_grid: PatchGridOption = None,
    optimize: OptimizeOption = Optimize.CYCLES,
    passes: PassesOption = "all",
) -> None:
    """Write the firmware of a model on a board, or its generated C."""
    from harness.cli.progress import progress_on_stderr
    from harness.codegen.model_c import generate
    from harness.experiment.case import check_sram, find, plan_case
    from harness.report.tables import footprint_line
    from harness.toolchain.gcc import build
    from harness.toolchain.workspace import build_dir

    case = named_case(
        board,
        model,
        device,
        schedule,
        sram_limit,
        input_by_rows,
        (patch_ops, patch_grid),
        optimize,
        passes,
    )
    found = find(case)
    plan = plan_case(found).plan
    check_sram(plan, found.board, sram_limit)
    sources = generate(plan, target=found.target)
    _make_folder(out)
    if output_format is Format.C:
        for name, text in sources.files:
            (out / name).write_text(text, encoding="utf-8")
            typer.echo(str(out / name))
        return
    with progress_on_stderr() as report:
        report("building", 0, 0)
        out_dir = build_dir(sources, found.target, case.optimize)
        firmware = build(sources, found.target, out_dir=out_dir, optimize=case.optimize)
    image = out / f"{found.model.name}-{found.board.name}.elf"
    shutil.copyfile(firmware.elf, image)
    typer.echo(str(image))
    typer.echo(footprint_line(firmware.footprint), err=True)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {path}: {error.strerror}", hint="name a folder") from error
