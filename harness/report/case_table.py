"""Cases side by side: a row a record, a column a figure, and only columns that say something."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from harness.results.record import CasePart, Record
from harness.units import format_count, format_seconds


def case_name(case: CasePart) -> str:
    """Return what was asked for in one line: model, board, device, and what is not usual."""
    parts = [f"{case.model} on {case.board}", case.schedule]
    if case.device != "auto":
        parts.insert(1, case.device)
    if case.sram_limit is not None:
        parts.append(f"limit {case.sram_limit:,} B")
    if case.flash_limit is not None:
        parts.append(f"{case.flash_limit:,} B of flash")
    if case.input_by_rows:
        parts.append("input by rows")
    if case.optimize != "cycles":
        parts.append(f"for {case.optimize}")
    if case.patch is not None:
        ops, (down, across) = case.patch
        parts.append(f"first {ops} ops in {down}x{across} patches")
    return ", ".join(parts)


def outcome(record: Record) -> str:
    """Return in few words what came out: the figure, or the error."""
    if record.error is not None:
        return record.error.message.splitlines()[0]
    latency = record.latency
    if latency is None:
        return "nothing measured"
    if latency.instructions is not None:
        return f"{latency.instructions:,} instructions"
    if latency.cycles is not None:
        return f"{latency.cycles:,} cycles"
    return format_seconds(latency.latency_s or 0.0)


_Cell = Callable[[Record], str]


def _count(part: str, field: str) -> _Cell:
    def cell(record: Record) -> str:
        value = getattr(getattr(record, part), field, None)
        return "" if value is None else format_count(value)

    return cell


def _seconds(record: Record) -> str:
    latency = record.latency
    return format_seconds(latency.latency_s) if latency and latency.latency_s is not None else ""


_ASKED: tuple[tuple[str, _Cell], ...] = (
    ("model", lambda r: r.case.model),
    ("board", lambda r: r.case.board),
    ("device", lambda r: r.case.device),
    ("schedule", lambda r: r.case.schedule),
    ("limit, B", _count("case", "sram_limit")),
    ("input", lambda r: "by rows" if r.case.input_by_rows else "whole"),
    ("for", lambda r: r.case.optimize),
)
_FIGURES: tuple[tuple[str, _Cell], ...] = (
    ("planned, B", _count("sram", "planned_peak_bytes")),
    ("measured, B", _count("sram", "measured_peak_bytes")),
    ("flash, B", _count("flash", "total_bytes")),
    ("instructions", _count("latency", "instructions")),
    ("cycles", _count("latency", "cycles")),
    ("latency", _seconds),
)


def case_table(records: Sequence[Record], title: str) -> Table:
    """Return a row a record: what was asked for, where it differs, and the figures there are."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    asked = [(name, cell) for name, cell in _ASKED if len({cell(r) for r in records}) > 1]
    asked = asked or [*_ASKED[:2]]
    figures = [(name, cell) for name, cell in _FIGURES if any(map(cell, records))]
    for name, _ in asked:
        table.add_column(name)
    for name, _ in figures:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("outputs", no_wrap=True)
    for record in records:
        cells = [cell(record) for _, cell in (*asked, *figures)]
        table.add_row(*cells, _outputs(record))
    return table


def _outputs(record: Record) -> Text:
    if record.correctness is None:
        return Text("failed", "red")
    exact = record.correctness.bit_exact
    return Text("bit-exact", "green") if exact else Text("DIFFER", "bold red")
