"""``bench flash``: program a board with an image that was built before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import BoardOption, FlashOption, LabOption


def flash(
    elf: Annotated[Path, typer.Argument(metavar="ELF", help="An image of `bench compile`.")],
    board: BoardOption,
    lab: LabOption = None,
    place: Annotated[
        str | None, typer.Option("--place", help="Where several places have the board.")
    ] = None,
    flash: FlashOption = "pyocd",
) -> None:
    """Program a board with an image that was built before, and start it."""
    from harness.cli.progress import progress_on_stderr
    from harness.experiment.program import program

    with progress_on_stderr() as report:
        report("programming", 0, 0)
        name, firmware = program(elf, board, lab=lab, flash=flash, place=place)
    typer.echo(f"{name}: programmed with image {firmware.build_id}, and started")
