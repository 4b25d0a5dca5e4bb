"""``bench doctor``: what is here, what is missing, and how to get it."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from harness.cli.options import JsonOption


def doctor(
    as_json: JsonOption = False,
    board: Annotated[
        str, typer.Option("--board", help="The board that the main job would run on.")
    ] = "nucleo-f746zg",
) -> None:
    """Say what is missing for benchmarking, and how to get it. Exit code 1 if runs cannot work."""
    from dataclasses import asdict

    from harness.experiment.health import State, check_all
    from harness.report.console import stdout_console
    from harness.report.tables import health_table

    checks = check_all(board)
    if as_json:
        json.dump({"checks": [asdict(check) for check in checks]}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        stdout_console().print(health_table(checks))
    if any(check.state is State.MISSING for check in checks):
        raise typer.Exit(1)
