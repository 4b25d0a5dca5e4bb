"""Rebuilds ``reports/kernels``: what every model costs on every core, op class by op class.

    python tools/kernels_report.py DIRECTORY_OF_TFLITE_FILES [--only NAME] [--out DIRECTORY]

Each case goes through the same library call as ``bench run``, with schedule ``inplace``: planned,
generated, compiled, run on an emulated core, its outputs compared with the reference interpreter.
Networks go side by side, one a core of this computer, the largest first.
Figures of other engines come from ``reports/published/kernels.yaml``. Cycles of a Cortex-M4 are
estimated (``harness/timing``).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.board.load import board_names, load_board
from harness.board.schema import Core, Timing, TimingTable
from harness.comparison.published import load_published
from harness.errors import BenchError
from harness.experiment.case import Case, Planned, find
from harness.experiment.estimated import CORE, TIMING, estimate_image
from harness.experiment.kernel_bench import board_of
from harness.experiment.pool import usable_cores
from harness.experiment.run import Outcome, run_case
from harness.ir.macs import op_macs
from harness.kernels.cost import op_class
from harness.models.catalog import catalog
from harness.models.preprocess import load_inputs
from harness.report.kernel_report import CaseRow, OpRow, Setting, markdown
from harness.results.record import Record
from harness.schedule.plan import InplaceSegment
from harness.timing import cortex_m4
from harness.timing.estimate import Estimate
from harness.toolchain.footprint import Symbol, source_symbols

CORES = ("cortex-m4", "cortex-m7", "cortex-m55", "cortex-m3", "cortex-m0plus")
WITHOUT_REMOVAL = "-remove-constant-channels"
THOROUGH = (
    *("kws", "vww", "ic", "ad", "sww", "micronet-kws-m", "person-detect"),
    *("mcunet-vww0", "mcunet-vww1", "mcunet-in0", "mcunet-in3"),
)
"""Networks that are run with all that one can choose: MLPerf Tiny's, and those that other engines
were measured on. The rest are run on each core as they are."""

TIMEOUT_S = 900.0


def main() -> None:
    """Run all cases, then write the tables and their text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("--only", action="append", default=[], help="part of a model's name")
    parser.add_argument("--out", type=Path, default=Path("reports/kernels"))
    options = parser.parse_args()
    paths = [
        path
        for path in sorted(options.models.glob("*.tflite"))
        if not options.only or any(part in path.stem for part in options.only)
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    done: dict[Path, tuple[list[CaseRow], list[OpRow]]] = {}
    largest_first = sorted(paths, key=lambda path: -path.stat().st_size)
    with ProcessPoolExecutor(usable_cores()) as pool:
        futures = {pool.submit(rows_of, path): path for path in largest_first}
        for future in as_completed(futures):
            done[futures[future]] = found, _ = future.result()
            sys.stderr.write(f"[{len(done)}/{len(paths)}] {found[0].model}: {len(found)} cases\n")
            # After each model, so that a run that is broken off leaves what it found.
            cases = [row for path in paths if path in done for row in done[path][0]]
            ops = [row for path in paths if path in done for row in done[path][1]]
            write_csv(cases, CaseRow, options.out / "kernels.csv")
            write_csv(ops, OpRow, options.out / "ops.csv")
            text = markdown(cases, ops, load_published("kernels"))
            (options.out / "README.md").write_text(text, encoding="utf-8")


def rows_of(path: Path) -> tuple[list[CaseRow], list[OpRow]]:
    """Return all cases of one model, and their classes of ops."""
    names = {entry.file: entry.name for entry in catalog().models}
    model = names.get(path.name, path.stem)
    cases: list[CaseRow] = []
    ops: list[OpRow] = []
    for setting in settings():
        if model not in THOROUGH and setting != Setting(core=setting.core):
            continue
        try:
            with TemporaryDirectory() as folder:
                found, classes = row_of(model, path, setting, Path(folder))
        except BenchError as refused:
            reason = " ".join(refused.message.removeprefix(f"{model}: ").split())
            found, classes = CaseRow(model=model, why_not=reason, **asdict(setting)), []
        cases.append(found)
        ops += classes
    return cases, ops


def settings() -> list[Setting]:
    """Return what each model is run with: all cores, and on a Cortex-M4 all that one can choose."""
    known = {load_board(name).core for name in board_names() if load_board(name).emulation}
    cores = [core for core in CORES if core in {core.value for core in known}]
    return [
        *(Setting(core=core) for core in cores),
        Setting(core="cortex-m4", passes=WITHOUT_REMOVAL),
        Setting(core="cortex-m4", timing=TIMING.value),
        Setting(core="cortex-m4", optimize="instructions"),
        Setting(core="cortex-m4", optimize="size"),
    ]


def board_for(setting: Setting, folder: Path) -> str:
    """Return the emulated board, or its YAML in a folder, with a table of timings besides."""
    board = board_of(Core(setting.core))
    if not setting.timing:
        return board.name
    timing = Timing(table=TimingTable(setting.timing), source=cortex_m4.TABLE)
    path = folder / f"{board.name}.yaml"
    path.write_text(board.model_copy(update={"timing": timing}).model_dump_json(), encoding="utf-8")
    return str(path)


def row_of(model: str, path: Path, setting: Setting, folder: Path) -> tuple[CaseRow, list[OpRow]]:
    """Run one case.

    Raises:
        BenchError: it cannot be done.
    """
    case = Case(
        board=board_for(setting, folder),
        model=str(path),
        schedule="inplace",
        optimize=setting.optimize,
        passes=setting.passes,
        warmup=0,
        repeat=1,
        timeout_s=TIMEOUT_S,
    )
    outcome = run_case(case, store=None)
    record, planned = outcome.record, outcome.planned
    if outcome.error is not None and record.correctness is None:
        raise outcome.error
    assert planned is not None
    assert record.model is not None
    assert record.model.imported is not None
    assert record.latency is not None
    assert record.flash is not None
    assert record.sram is not None
    assert record.firmware is not None
    assert record.correctness is not None
    symbols = source_symbols(Path(record.firmware.elf), "model.c")
    cycles = estimated(case, planned, outcome) if setting.core == CORE.value else None
    found = CaseRow(
        model=model,
        **asdict(setting),
        imported_macs=record.model.imported.macs,
        imported_weights_bytes=record.model.imported.weights_bytes,
        macs=record.model.macs,
        instructions=record.latency.instructions,
        code_bytes=record.flash.code_bytes,
        model_code_bytes=sum(s.size_bytes for s in symbols),
        weights_bytes=record.flash.weights_bytes,
        flash_bytes=record.flash.total_bytes,
        measured_peak_bytes=record.sram.measured_peak_bytes,
        estimated_cycles=None if cycles is None else cycles.cycles,
        open_cycles=None if cycles is None else cycles.open_cycles,
        bit_exact=record.correctness.bit_exact,
    )
    return found, op_rows(model, setting, planned, record, symbols)


def estimated(case: Case, planned: Planned, outcome: Outcome) -> Estimate:
    """Return the estimated cycles of a case on a Cortex-M4.

    Raises:
        OutputsDifferError: it did not run as on the board.
    """
    firmware = outcome.record.firmware
    assert firmware is not None
    sample = load_inputs(case.inputs, planned.imported, find(case).model.entry).samples[0]
    return estimate_image(Path(firmware.elf), sample, outcome.outputs[0])


def op_rows(
    model: str, setting: Setting, planned: Planned, record: Record, symbols: Sequence[Symbol]
) -> list[OpRow]:
    """Return a row for each class of ops; code that ops share is a class of its own."""
    graph = planned.plan.graph
    operands = {
        segment.op: segment.operand
        for segment in planned.plan.segments
        if isinstance(segment, InplaceSegment)
    }
    classes: dict[str, list[int]] = {}
    for position, op in enumerate(graph.ops):
        if record.ops[position].instructions is not None:
            name = op_class(graph, op, operands.get(position)).removesuffix("_inplace")
            classes.setdefault(name, []).append(position)
    rows = [
        OpRow(
            model=model,
            op=name,
            count=len(positions),
            macs=sum(op_macs(graph, graph.ops[p]) for p in positions),
            outputs=sum(graph.tensor(t).elements for p in positions for t in graph.ops[p].outputs),
            instructions=sum(record.ops[p].instructions or 0 for p in positions),
            code_bytes=sum(
                s.size_bytes for p in positions for s in symbols if s.name.startswith(f"op_{p}_")
            ),
            **asdict(setting),
        )
        for name, positions in classes.items()
    ]
    code = sum(s.size_bytes for s in symbols) - sum(row.code_bytes for row in rows)
    return [*rows, OpRow(model=model, op="shared", code_bytes=code, **asdict(setting))]


def write_csv(rows: Sequence[CaseRow | OpRow], kind: type[CaseRow | OpRow], path: Path) -> None:
    """Write all rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(kind)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


if __name__ == "__main__":
    main()
