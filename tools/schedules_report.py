"""Rebuilds ``reports/schedules``: every model under every schedule, on emulated cores.

    python tools/schedules_report.py DIRECTORY_OF_TFLITE_FILES [--only NAME] [--out DIRECTORY]

Each case goes through the same library call as ``bench run``: planned, generated, compiled, run on
an emulated Cortex-M4, its outputs compared with the reference interpreter; smaller models run on a
Cortex-M7 too. What cannot be done has a row that says why. A schedule whose plan is another's to
the byte is not run twice.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from harness.board.schema import Core
from harness.errors import BenchError
from harness.experiment.case import Case
from harness.experiment.run import run_case
from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.ir.macs import graph_macs
from harness.kernels.kernel_set import kernels_for
from harness.passes.pipeline import run_passes
from harness.report.front import front_text, summary
from harness.report.front_plot import draw_front
from harness.report.plan_plot import draw_plans
from harness.results.plan_point import plan_point
from harness.results.record import Record, SegmentPart
from harness.schedule.search import pareto, plan

SCHEDULES = ("layer", "inplace", "patch", "stream", "stream, rows", "auto", "least")
LEGEND = """\
`patch` is the split of least peak at up to 1.25 times the MACs of the network;
`stream, rows` has its input delivered row by row; `auto` takes the least work that fits into
124,928 bytes (128 KiB less 4 KiB for the runtime and 2 KiB of stack) if anything does; `least` is
`auto` with as few bytes as any plan takes.
"""
AUTO_LIMIT = 124_928
BOARDS = {"mps2-an386": "Cortex-M4", "mps2-an500": "Cortex-M7"}
KERNELS = kernels_for(Core.CORTEX_M4, "cycles")
MOST_MACS_ON_M7 = 15_000_000
ON_M7 = ("patch", "stream")
PICTURES = ("mcunet_vww1_5fps", "mcunet_in3_320kb_1mb")
CORES = 2
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Row:
    """One case; figures are empty where ``why_not`` says why there are none."""

    model: str
    core: str
    schedule: str
    input_bytes: int
    planned_peak_bytes: int | None = None
    measured_peak_bytes: int | None = None
    static_bytes: int | None = None
    stack_bytes: int | None = None
    recompute: float | None = None
    instructions: int | None = None
    code_bytes: int | None = None
    fused_code_bytes: int | None = None
    bit_exact: bool | None = None
    segments: str = ""
    why_not: str = ""


def main() -> None:
    """Run all cases, then write the table, its text and the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("--only", action="append", default=[], help="part of a model's name")
    parser.add_argument("--out", type=Path, default=Path("reports/schedules"))
    options = parser.parse_args()
    paths = [
        path
        for path in sorted(options.models.glob("*.tflite"))
        if not options.only or any(part in path.stem for part in options.only)
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with ProcessPoolExecutor(CORES) as pool:
        for done in pool.map(rows_of, paths):
            rows += done
            sys.stderr.write(f"{done[0].model}: {len(done)} cases\n")
            # After each model, so that a run that is broken off leaves what it found.
            write_csv(rows, options.out / "schedules.csv")
            (options.out / "README.md").write_text(markdown(rows), encoding="utf-8")
    for path in paths:
        if path.stem in PICTURES:
            draw_pictures(path, options.out)


def rows_of(path: Path) -> list[Row]:
    """Return all cases of one model."""
    try:
        graph = read(path)
    except BenchError as refused:
        return [Row(path.stem, "", "", 0, why_not=_reason(path.stem, refused.message))]
    least = min(made.planned_peak_bytes for made in pareto(graph, KERNELS))
    boards = [b for b in BOARDS if b == "mps2-an386" or graph_macs(graph) <= MOST_MACS_ON_M7]
    rows: list[Row] = []
    for board in boards:
        ran: dict[object, Row] = {}
        for schedule in SCHEDULES if board == "mps2-an386" else ON_M7:
            rows.append(row_of(path, graph, board, schedule, least, ran))
    return rows


def read(path: Path) -> Graph:
    """Return a model as it is planned."""
    return run_passes(read_tflite(path.read_bytes(), name=path.stem))


def row_of(
    path: Path, graph: Graph, board: str, schedule: str, least: int, ran: dict[object, Row]
) -> Row:
    """Run one case, unless its plan is among those that ``ran``."""
    core, input_bytes = BOARDS[board], sum(graph.tensor(t).size_bytes for t in graph.inputs)
    try:
        name, limit, by_rows = asked(schedule, least)
        made = plan(graph, name, kernels=KERNELS, limit=limit, input_by_rows=by_rows)
        same = (made.segments, made.allocations)
        if same not in ran:
            case = Case(
                board=board,
                model=str(path),
                schedule=name,
                sram_limit=limit,
                input_by_rows=by_rows,
                warmup=0,
                repeat=1,
                timeout_s=TIMEOUT_S,
            )
            ran[same] = _row(run_case(case, store=None).record, core, schedule, input_bytes)
        return replace(ran[same], schedule=schedule)
    except BenchError as refused:
        return Row(
            path.stem, core, schedule, input_bytes, why_not=_reason(path.stem, refused.message)
        )


def asked(schedule: str, least: int) -> tuple[str, int | None, bool]:
    """Return the schedule, the limit and whether the input comes by rows, for a column.

    ``least`` are the bytes of the plan of least peak.
    """
    match schedule:
        case "stream, rows":
            return "stream", None, True
        case "auto":
            return "auto", max(least, AUTO_LIMIT), False
        case "least":
            return "auto", least, False
        case _:
            return schedule, None, False


def _row(record: Record, core: str, schedule: str, input_bytes: int) -> Row:
    sram, chosen, model = record.sram, record.schedule, Path(record.case.model).stem
    return Row(
        model=model,
        core=core,
        schedule=schedule,
        input_bytes=input_bytes,
        planned_peak_bytes=sram.planned_peak_bytes if sram else None,
        measured_peak_bytes=sram.measured_peak_bytes if sram else None,
        static_bytes=sram.static_bytes if sram else None,
        stack_bytes=sram.stack_bytes if sram else None,
        recompute=chosen.recompute_ratio if chosen else None,
        instructions=record.latency.instructions if record.latency else None,
        code_bytes=record.flash.code_bytes if record.flash else None,
        fused_code_bytes=fused_code(chosen.segments) if chosen else None,
        bit_exact=record.correctness.bit_exact if record.correctness else None,
        segments=summary(chosen.segments) if chosen else "",
        why_not=_reason(model, record.error.message) if record.error else "",
    )


def fused_code(segments: Sequence[SegmentPart]) -> int:
    """Return the bytes of the functions of segments of more than one op."""
    return sum(s.code_bytes or 0 for s in segments if s.last_op > s.first_op)


def _reason(model: str, message: str) -> str:
    """Return an error's message as one line that does not name the model again."""
    return " ".join(message.removeprefix(f"{model}: ").split())


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write all rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def markdown(rows: Sequence[Row]) -> str:
    """Return the report as text: planned bytes, what they cost, and every case."""
    on_m4 = [row for row in rows if row.core == "Cortex-M4"]
    ran = [row for row in rows if row.bit_exact is not None]
    exact = sum(bool(row.bit_exact) for row in ran)
    lines = [
        "# Schedules",
        "",
        "Every model under every schedule, as `tools/schedules_report.py` last ran them on QEMU.",
        f"{exact} of {len(ran)} cases that ran are bit-exact to the reference interpreter.",
        "All figures are in `schedules.csv`.",
        "",
        *LEGEND.splitlines(),
        "",
        "## Planned peak, bytes",
        "",
        *_wide(on_m4, "planned_peak_bytes"),
        "",
        "## Measured peak on the emulated Cortex-M4, bytes (stack and static data included)",
        "",
        *_wide(on_m4, "measured_peak_bytes"),
        "",
        "## Instructions of one inference on the emulated Cortex-M4, millions",
        "",
        *_wide(on_m4, "instructions", scale=1e-6),
        "",
        "## Code of the functions of fused ops on the emulated Cortex-M4, bytes",
        "",
        "Kernels that several ops share are not in it; all code is in `schedules.csv`.",
        "",
        *_wide(on_m4, "fused_code_bytes"),
        "",
        "## MACs executed over MACs of the network",
        "",
        *_wide(on_m4, "recompute"),
        "",
        "## What did not run",
        "",
        *_refused(rows),
    ]
    for name in PICTURES:
        if any(row.model == name for row in rows):
            lines += ["", f"## {name}", "", f"![plans]({name}.svg)", f"![front]({name}_front.svg)"]
    return "\n".join(lines) + "\n"


def _wide(rows: Sequence[Row], figure: str, scale: float = 1) -> Iterator[str]:
    """Yield a table of one figure: a row a model, a column a schedule."""
    yield f"| model | {' | '.join(SCHEDULES)} |"
    yield f"|-|{'-:|' * len(SCHEDULES)}"
    for model in dict.fromkeys(row.model for row in rows):
        cells = {r.schedule: _cell(getattr(r, figure), scale) for r in rows if r.model == model}
        yield f"| {model} | {' | '.join(cells.get(s, '') for s in SCHEDULES)} |"


def _cell(value: float | None, scale: float) -> str:
    if value is None:
        return ""
    scaled = value * scale
    return f"{scaled:,}" if isinstance(value, int) and scale == 1 else f"{scaled:,.3f}"


def _refused(rows: Sequence[Row]) -> Iterator[str]:
    refused = [row for row in rows if row.why_not]
    for row in refused:
        case = ", ".join(part for part in (row.core, row.schedule) if part)
        yield f"- {row.model}{f' ({case})' if case else ''}: {row.why_not}"
    if not refused:
        yield "Nothing: all cases ran."


def draw_pictures(path: Path, out: Path) -> None:
    """Draw a model's schedules side by side, and its front."""
    graph = read(path)
    plans = [
        plan(graph, schedule, kernels=KERNELS)
        for schedule in ("layer", "inplace", "patch", "stream")
    ]
    draw_plans(plans, out / f"{path.stem}.svg", text="")
    points = sorted(
        map(plan_point, pareto(graph, KERNELS)), key=lambda point: point.planned_peak_bytes
    )
    text = front_text(points, weights="", limit=None, width=120)
    draw_front(points, [*map(plan_point, plans)], out / f"{path.stem}_front.svg", text=text)


if __name__ == "__main__":
    main()
