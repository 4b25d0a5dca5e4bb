"""Progress of one run on stderr: a line a stage, with a spinner or a bar while it lasts.

On a terminal the line is alive; in a pipe each stage is one line when it ends, so logs stay short.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from harness.report.console import stderr_console

Report = Callable[[str, int, int], None]
"""``report(stage, done, total)``; total 0 means that nobody knows."""


@dataclass(frozen=True, slots=True)
class Display:
    """What shows progress: called with stages, and told lines that stay."""

    report: Report
    say: Callable[[str], None]

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show a stage."""
        self.report(stage, done, total)


@contextmanager
def progress_on_stderr() -> Iterator[Display]:
    """Yield what shows progress until the block ends."""
    console = stderr_console()

    def say(line: str) -> None:
        console.print(Text(line, style="dim"))

    with (_live if console.is_terminal else _lines)(console) as report:
        yield Display(report, say)


@contextmanager
def _live(console: Console) -> Iterator[Report]:
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bars:
        task = bars.add_task("", total=None)
        current = ""

        def report(stage: str, done: int, total: int) -> None:
            nonlocal current
            if stage != current:
                bars.reset(task, description=stage, total=total or None)
                current = stage
            bars.update(task, completed=done, total=total or None)

        yield report


@contextmanager
def _lines(console: Console) -> Iterator[Report]:
    current, began = "", time.monotonic()

    def finish() -> None:
        if current:
            console.print(f"{current} ({time.monotonic() - began:.1f} s)", style="dim")

    def report(stage: str, _done: int, _total: int) -> None:
        nonlocal current, began
        if stage != current:
            finish()
            current, began = stage, time.monotonic()

    yield report
    finish()
