"""The application, and the only place where an error becomes an exit code.

Exit codes: 0 good; 1 the input cannot be done; 2 usage; 3 device; 4 outputs differ or a figure
regressed; 5 nothing was measured.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, TextIO, cast

import typer
from typer.main import get_command

from harness import __version__
from harness.cli import (
    boards,
    compare,
    compile,
    doctor,
    flash,
    gate,
    kernels,
    lab,
    models,
    plan,
    report,
    run,
    sweep,
)
from harness.errors import BenchError

DEBUG_FLAG, JSON_FLAG = "--debug", "--json"

app = typer.Typer(
    name="bench",
    help="Measure what a quantized neural network costs on a microcontroller.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("compile")(compile.compile_command)
app.command("flash")(flash.flash)
app.command("sweep")(sweep.sweep)
app.command("compare")(compare.compare)
app.command("gate")(gate.gate)
app.command("kernels")(kernels.kernels)
app.add_typer(lab.lab, name="lab")
app.command("report")(report.report)
app.command("boards")(boards.boards)
app.command("models")(models.models)
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    _debug: Annotated[
        bool, typer.Option(DEBUG_FLAG, help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Measure what a quantized neural network costs on a microcontroller."""


@dataclass(frozen=True, slots=True)
class End:
    """How a command ended: its exit code, and of a failure what is told of it."""

    exit_code: int
    kind: str = ""
    message: str = ""
    hint: str = ""

    def json(self) -> str:
        """Return a failure as the JSON object that is printed in place of a result."""
        told = {"type": self.kind, "message": self.message, "hint": self.hint}
        return json.dumps({"error": {**told, "exit_code": self.exit_code}}, indent=1) + "\n"


def main() -> None:
    """Run the command line and exit with its code."""
    from harness.cli.said import Said

    debug = DEBUG_FLAG in sys.argv[1:]
    if not debug:
        sys.excepthook = _say_shortly
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG_FLAG]
    if JSON_FLAG not in arguments:
        sys.exit(_end_of(arguments, debug).exit_code)
    said = Said(sys.stdout)
    with redirect_stdout(cast("TextIO", said)):
        end = _end_of(arguments, debug)
    if end.kind and not said.is_used:
        sys.stdout.write(end.json())
    sys.exit(end.exit_code)


def _end_of(arguments: list[str], debug: bool) -> End:
    """Run one command, and tell on stderr if it fails."""
    try:
        # Calling the app itself would put a hook of typer's own in place of ours.
        code = get_command(app)(
            args=arguments or ["--help"], prog_name="bench", standalone_mode=False
        )
        return End(code if isinstance(code, int) else 0)
    except BenchError as error:
        if debug:
            raise
        end = End(error.exit_code, type(error).__name__, error.message, error.hint)
    except typer.TyperException as error:
        end = End(error.exit_code, "UsageError", error.format_message(), "try --help")
    except typer.Abort:
        end = End(BenchError.exit_code, "Abort", "interrupted")
    except BrokenPipeError:
        # The reader of our output has gone (`bench models | head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return End(0)
    except OSError as error:
        if debug:
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        message = f"{where}{error.strerror or error}"
        end = End(BenchError.exit_code, type(error).__name__, message)
    typer.echo(f"error: {end.message}", err=True)
    if end.hint:
        typer.echo(f"hint: {end.hint}", err=True)
    return end


def _say_shortly(
    kind: type[BaseException], error: BaseException, _where: TracebackType | None
) -> None:
    """Say what no one foresaw in two lines: the traceback is for whoever asks for it."""
    typer.echo(f"error: {kind.__name__}: {error}", err=True)
    typer.echo(f"hint: this is a fault of bench; {DEBUG_FLAG} shows where", err=True)
