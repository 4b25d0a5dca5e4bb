"""MCUNet's networks against baselines: ``python tools/mcunet_report.py`` rebuilds the report.

It runs the sweeps in ``reports/mcunet-vs-baseline`` on an emulated Cortex-M4 with room for every
network, and writes tables (Markdown, CSV, LaTeX) and pictures beside them. What others published
has tables of its own, with sources; nothing is mixed. The papers' claims are checked with our own
figures, whatever comes out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.board.load import load_board
from harness.comparison.published import load_published
from harness.data import data_dir
from harness.experiment.pool import processes, usable_cores
from harness.experiment.spec import SweepSpec, load_spec
from harness.experiment.sweep import Done, run_sweep
from harness.report.case_plots import Mark, draw_sram, draw_work
from harness.report.formats import Cell, Format, Sheet, write
from harness.report.store_sheet import store_sheet
from harness.results.record import Record
from tools.mcunet_claims import claims, claims_sheet

FOLDER = data_dir("reports") / "mcunet-vs-baseline"
SPECS = ("sweep.yaml", "auto.yaml")
SCHEDULES = ("layer", "inplace", "patch", "stream", "auto")
PRODUCTS = ("nucleo-f446re", "nrf52840-dk", "nucleo-f746zg", "nucleo-h743zi", "nucleo-l4r5zi")
SYSTEMS = ("TFLite Micro", "CMSIS-NN", "X-CUBE-AI 7.3", "TinyEngine")
LEGEND = """\
Schedules: `layer` is one op after the other, as TensorFlow Lite Micro plans; `inplace` adds
depthwise convolutions in place, as TinyEngine; `patch` is patch-based inference, as MCUNetV2;
`stream` runs fused ops row by row and computes nothing twice; `auto` is our default, here with
124,928 bytes (128 KiB less 4 KiB for the runtime and 2 KiB of stack) as its limit. Every case
ran on QEMU's mps2-an386, a Cortex-M4 whose memories hold all of them. Instructions are counted,
exact, and neither cycles nor seconds. Bytes are bytes: the tables of others' figures say kB where
their sources do, which mean 1024 bytes.
"""


def main() -> None:
    """Run the sweeps, then write everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path("records/mcunet-vs-baseline"))
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--only", action="append", default=[], help="a network; repeatable")
    options = parser.parse_args()
    records = [
        record
        for name in SPECS
        for record in measured(load_spec(FOLDER / name), options.store, options.only)
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    write_report(records, options.out)


def measured(spec: SweepSpec, store: Path, only: Sequence[str]) -> list[Record]:
    """Return the records of a sweep, of some networks only if they are named."""
    models = tuple(model for model in spec.models if not only or model in only)
    cores = usable_cores()

    def tell(done: Done, count: int, total: int, _left_s: float | None) -> None:
        case = done.record.case
        sys.stderr.write(f"[{count}/{total}] {case.model}, {case.schedule}: {done.record.status}\n")

    done = run_sweep(
        spec.model_copy(update={"models": models}),
        store=store,
        workers=processes(cores),
        at_once=cores,
        progress=tell,
    )
    return [case.record for case in done.done]


def write_report(records: Sequence[Record], out: Path) -> None:
    """Write tables and pictures of records into a folder."""
    ran = [record for record in records if record.correctness is not None]
    sheets = ours(records)
    exact = sum(r.correctness.bit_exact for r in ran if r.correctness is not None)
    checked = claims(records)
    parts = [
        "# MCUNet against baselines\n",
        f"Rebuilt by `python tools/mcunet_report.py`. {exact} of {len(ran)} cases that ran are "
        "bit-exact to the reference interpreter.\n",
        LEGEND,
        "![SRAM per schedule](sram.svg)\n\n![SRAM against instructions](work.svg)\n",
        write(sheets, Format.MD),
        "# What others published\n",
        "Printed by their authors, on their boards, with their kernels: beside our figures, "
        "never in one column with them.\n",
        write(published(models_of(records)), Format.MD),
        write([claims_sheet(checked)], Format.MD),
    ]
    (out / "README.md").write_text("\n".join(parts), encoding="utf-8")
    every = store_sheet(records, "All cases")
    (out / "cases.csv").write_text(write([every], Format.CSV), encoding="utf-8")
    (out / "tables.tex").write_text(write(sheets, Format.LATEX), encoding="utf-8")
    marks = [mark for record in ran if (mark := mark_of(record)) is not None]
    for name, draw, title in (
        ("sram", draw_sram, "Peak SRAM per schedule, measured on an emulated Cortex-M4"),
        ("work", draw_work, "What less SRAM costs in instructions"),
    ):
        draw(marks, [out / f"{name}.svg", out / f"{name}.png"], title=title)


def models_of(records: Sequence[Record]) -> list[str]:
    """Return the networks in their order."""
    return list(dict.fromkeys(record.case.model for record in records))


def mark_of(record: Record) -> Mark | None:
    """Return a case as a mark in a picture, None if it lacks a figure."""
    sram, latency = record.sram, record.latency
    if not sram or sram.measured_peak_bytes is None or not latency or latency.instructions is None:
        return None
    case = record.case
    return Mark(case.model, case.schedule, sram.measured_peak_bytes, latency.instructions)


def ours(records: Sequence[Record]) -> list[Sheet]:
    """Return the tables of our figures."""

    def sram(field: str) -> Callable[[Record], Cell]:
        return lambda r: getattr(r.sram, field) if r.sram else None

    return [
        wide("Peak SRAM planned, bytes", records, sram("planned_peak_bytes")),
        wide("Peak SRAM measured, bytes", records, sram("measured_peak_bytes")),
        wide(
            "Instructions of one inference, millions",
            records,
            lambda r: (
                r.latency.instructions / 1e6 if r.latency and r.latency.instructions else None
            ),
            decimals=2,
        ),
        wide(
            "MACs executed over MACs of the network",
            records,
            lambda r: r.schedule.recompute_ratio if r.schedule else None,
            decimals=3,
        ),
        wide("Flash, bytes", records, lambda r: r.flash.total_bytes if r.flash else None),
        wide("Boards that it fits", records, fitting),
    ]


def wide(
    title: str,
    records: Sequence[Record],
    figure: Callable[[Record], Cell],
    decimals: int | None = None,
) -> Sheet:
    """Return a table of one figure: a row a network, a column a schedule."""
    cells = {(r.case.model, r.case.schedule): figure(r) for r in records}
    rows = tuple(
        (model, *(cells.get((model, schedule)) for schedule in SCHEDULES))
        for model in models_of(records)
    )
    return Sheet(title, ("network", *SCHEDULES), rows, decimals)


def fitting(record: Record) -> Cell:
    """Return which products have the SRAM and the flash that an image takes as it was linked."""
    if record.sram is None or record.flash is None:
        return None
    boards = map(load_board, PRODUCTS)
    names = [
        board.name.removeprefix("nucleo-").removesuffix("-dk")
        for board in boards
        if record.sram.linked_bytes <= board.memory("ram").size_bytes
        and record.flash.total_bytes <= board.memory("flash").size_bytes
    ]
    return ", ".join(names) or "none"


def published(models: Sequence[str]) -> list[Sheet]:
    """Return the tables of others' figures for these networks, as printed."""
    engines = load_published("tinyengine")
    lines = [line for line in engines.lines if line.model in models]
    sheets = []
    for title, field in (
        ("SRAM, kB, STM32H743", "sram_kb"),
        ("Flash, kB, STM32H743", "flash_kb"),
        ("Latency, ms, STM32H743 at 480 MHz", "latency_ms"),
    ):
        cells = {(line.model, line.system): getattr(line, field) for line in lines}
        named = dict.fromkeys(line.model for line in lines)
        rows = tuple((m, *(cells.get((m, s)) for s in SYSTEMS)) for m in named)
        source = engines.sources["tinyengine"].what
        sheets.append(Sheet(f"{title} ({source})", ("network", *SYSTEMS), rows))
    zoo = load_published("mcunet")
    rows = tuple(
        (e.model, e.system, e.sram_kb, e.flash_kb, e.latency_ms)
        for e in zoo.lines
        if e.model in models
    )
    columns = ("network", "system", "SRAM, kB", "flash, kB", "latency, ms")
    sheets.append(Sheet(f"STM32F746 ({zoo.sources['mcunet'].what})", columns, rows))
    tiny = load_published("mlperf-tiny")
    latest = [e for e in tiny.lines if e.model == "vww" and e.source >= "v1.1"]
    rows = tuple(
        (e.source, e.system, e.on, e.latency_ms, e.energy_uj)
        for e in latest
        if e.latency_ms is not None
    )
    columns = ("round", "who", "board", "latency, ms", "energy, uJ")
    title = "vww, closed division on Cortex-M (MLPerf Tiny v1.1 to v1.3)"
    return [
        *(s for s in sheets if s.rows),
        *([Sheet(title, columns, rows)] if "vww" in models else []),
    ]


if __name__ == "__main__":
    main()
