"""Progress of one run on stderr: a line a stage, with a spinner or a bar while it lasts.

On a terminal the line is alive; in a pipe each stage is one line when it ends, so logs stay short.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from harness.report.console import stderr_console

Report = Callable[[str, int, int], None]
"""``report(stage, done, total)``; total 0 means that nobody knows."""


@contextmanager
def progress_on_stderr() -> Iterator[Report]:
    """Yield a function that shows progress until the block ends."""
    console = stderr_console()
    if console.is_terminal:
        with _live(console) as report:
            yield report
    else:
        with _lines(console) as report:
            yield report


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
