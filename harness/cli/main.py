"""The application, and the only place where an error becomes an exit code.

Exit codes: 0 good; 1 the input cannot be done; 2 usage; 3 device; 4 outputs differ or a figure
regressed; 5 nothing was measured.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Annotated

import typer
from typer.main import get_command

from harness import __version__
from harness.cli import boards, compare, compile, doctor, gate, kernels, models, plan, run, sweep
from harness.errors import BenchError

DEBUG_FLAG = "--debug"

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
app.command("sweep")(sweep.sweep)
app.command("compare")(compare.compare)
app.command("gate")(gate.gate)
app.command("kernels")(kernels.kernels)
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


def main() -> None:
    """Run the command line and exit with its code."""
    debug = DEBUG_FLAG in sys.argv[1:]
    if not debug:
        sys.excepthook = _say_shortly
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG_FLAG]
    try:
        # Calling the app itself would put a hook of typer's own in place of ours.
        get_command(app)(args=arguments, prog_name="bench")
    except BenchError as error:
        if debug:
            raise
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone (`bench models | head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if debug:
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        typer.echo(f"error: {where}{error.strerror or error}", err=True)
        sys.exit(BenchError.exit_code)


def _say_shortly(
    kind: type[BaseException], error: BaseException, _where: TracebackType | None
) -> None:
    """Say what no one foresaw in two lines: the traceback is for whoever asks for it."""
    typer.echo(f"error: {kind.__name__}: {error}", err=True)
    typer.echo(f"hint: this is a fault of bench; {DEBUG_FLAG} shows where", err=True)
