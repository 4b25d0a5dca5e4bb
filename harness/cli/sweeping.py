"""A sweep with its progress on stderr: on a terminal a bar, in a pipe a line a case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars

from harness.experiment import sweep as sweeping
from harness.experiment.case import Case, device_kind
from harness.experiment.pool import processes, usable_cores
from harness.experiment.spec import SweepSpec, load_spec
from harness.experiment.sweep import Done, Progress, Sweep, run_sweep
from harness.report.case_table import case_name, outcome
from harness.report.console import stderr_console
from harness.results.record import Record


def read_spec(path: Path, device: str | None, lab: str | None = None) -> SweepSpec:
    """Return the sweep of a file, on another device or in another lab if one is named."""
    spec = load_spec(path)
    if lab is not None:
        spec = spec.model_copy(update={"lab": lab})
    if device is None:
        return spec
    device_kind(device)
    return spec.model_copy(update={"devices": (device,)})


def run_on(
    wanted: SweepSpec, store: Path, *, jobs: int | None, fresh: bool, cluster_url: str | None = None
) -> Sweep:
    """Run a sweep on this computer's cores, or on a cluster."""
    if cluster_url is None:
        at_once = jobs or usable_cores()
        workers = processes(at_once)
    else:
        from harness.experiment.cluster import cluster

        workers, at_once = cluster(cluster_url, wanted)
    with _progress() as progress:
        done = run_sweep(
            wanted, store=store, workers=workers, at_once=at_once, fresh=fresh, progress=progress
        )
    if done.is_mixed:
        stderr_console().print(
            "warning: the sources of bench changed while it ran; run it again", style="yellow"
        )
    return done


def run_cases(cases: Sequence[Case], store: Path, *, jobs: int | None) -> list[Record]:
    """Run single cases on this computer's cores, and keep their records."""
    at_once = jobs or usable_cores()
    with _progress() as progress:
        done = sweeping.run_cases(
            cases, store=store, workers=processes(at_once), at_once=at_once, progress=progress
        )
    return [case.record for case in done]


@contextmanager
def _progress() -> Iterator[Progress]:
    console = stderr_console()
    if not console.is_terminal:

        def tell(done: Done, count: int, total: int, left_s: float | None) -> None:
            console.print(_line(done, count, total, left_s), soft_wrap=True, markup=False)

        yield tell
        return
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)

        def show(done: Done, count: int, total: int, left_s: float | None) -> None:
            left = f"{duration(left_s)} left" if left_s is not None else "resumed"
            description = f"{left}; {case_name(done.record.case)}"
            bars.update(task, completed=count, total=total, description=description)
            if done.record.error is not None:
                bars.console.print(_line(done, count, total, None), markup=False)

        yield show


def _line(done: Done, count: int, total: int, left_s: float | None) -> str:
    width = len(str(total))
    left = "" if left_s is None or count == total else f" ({duration(left_s)} left)"
    what = shorten(f"{case_name(done.record.case)}: {outcome(done.record)}", 110, placeholder=" …")
    return f"[{count:{width}}/{total}] {what}{left}"


def duration(seconds: float) -> str:
    """Return a duration as a person says it: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
