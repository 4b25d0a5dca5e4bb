"""``bench lab``: which boards hang on the desk, who uses them, and what is wrong there."""

from __future__ import annotations

import json
import sys

import typer

from harness.cli.options import FlashOption, JsonOption, LabOption
from harness.errors import DeviceError

lab = typer.Typer(add_completion=False, rich_markup_mode=None)


@lab.callback(invoke_without_command=True)
def show(context: typer.Context, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """List the boards of your lab, who uses them, and what is wrong. Exit code 3 if anything is."""
    if context.invoked_subcommand is not None:
        return
    from dataclasses import asdict

    from harness.experiment.lab_report import stand
    from harness.experiment.labs import open_lab

    with open_lab(lab) as opened:
        standings = stand(opened)
    if as_json:
        body = {"lab": opened.name, "places": [asdict(each) for each in standings]}
        json.dump(body, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        from harness.report.console import stdout_console
        from harness.report.lab_table import lab_table

        stdout_console().print(lab_table(opened.name, standings))
    if any(each.faults for each in standings):
        raise typer.Exit(DeviceError.exit_code)


@lab.command("reset")
def reset(
    board: str = typer.Argument(metavar="BOARD", help="A board of the lab, or one of its places."),
    lab: LabOption = None,
    flash: FlashOption = "pyocd",
) -> None:
    """Start a board from the beginning, with what is in its flash."""
    from harness.board.load import load_board
    from harness.devices.flash import find_flasher
    from harness.experiment.labs import open_lab
    from harness.lab.lock import locked
    from harness.lab.open import find_place

    flasher = find_flasher(flash)
    with open_lab(lab, board=board, flash=flash) as opened:
        name, place = (
            (board, opened.places[board]) if board in opened.places else find_place(opened, board)
        )
        with locked(name, place):
            flasher.reset(load_board(place.board), place)
    typer.echo(f"{name}: the {place.board} was reset")
