"""Records, plans and lists as tables for a terminal.

Figures of different kinds never share a column; a spread is shown beside every median.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.results.record import LatencyPart, ModelPart, OpPart, Record, SegmentPart, SramPart
from harness.units import format_bytes, format_count, format_seconds

if TYPE_CHECKING:
    from pathlib import Path

    from harness.board.schema import Board
    from harness.experiment.health import Check
    from harness.models.schema import Entry
    from harness.toolchain.firmware import Footprint

_STATE_STYLES = {"ok": "green", "missing": "bold red", "optional": "yellow"}


def _table(*columns: str, title: str = "", right: Sequence[str] = ()) -> Table:
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    return table


def record_table(record: Record, *, per_op: bool = False) -> RenderableType:
    """Return what a person wants to know of one case, most important first."""
    parts: list[RenderableType] = [_headline(record), _figures(record)]
    if record.sram is not None:
        parts.append(_gaps(record.sram))
    if per_op and record.ops and record.schedule is not None:
        parts.append(_per_op(record.ops, record.schedule.segments))
    parts += [Text(f"warning: {warning}", style="yellow") for warning in record.warnings]
    return Group(*parts)


def _headline(record: Record) -> Text:
    assert record.model is not None
    assert record.board is not None
    assert record.device is not None
    text = Text()
    text.append(record.model.name, style="bold")
    text.append(" on ")
    text.append(record.board.name, style="bold")
    text.append(f" ({record.board.mcu}, {record.board.core})\ndevice: {record.device.kind}")
    text.append(f" ({record.device.detail})")
    text.append(", a stand-in for the board" if record.device.stand_in else "")
    text.append(f"\nweights: {record.model.weights}")
    if record.model.weights == "synthetic":
        text.append(" (seeded; figures hold for the architecture, answers mean nothing)")
    return text


def _figures(record: Record) -> Table:
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column("what", style="cyan", no_wrap=True)
    table.add_column("figure")
    if record.correctness is not None:
        right = record.correctness.bit_exact
        verdict = Text("bit-exact", "green") if right else Text("DIFFER", "bold red")
        verdict.append("" if right else f", by up to {record.correctness.max_abs_diff:g}")
        table.add_row("outputs", verdict)
    if record.answer is not None:
        table.add_row("answer", record.answer + _to_what(record))
    if record.latency is not None:
        table.add_row("latency", _latency(record.latency))
    if record.model is not None:
        table.add_row("work", _work(record, record.model))
    if record.sram is not None:
        table.add_row("SRAM planned", _planned(record.sram))
        table.add_row("SRAM linked", format_bytes(record.sram.linked_bytes))
        if record.sram.measured_peak_bytes is not None:
            table.add_row("SRAM measured", format_bytes(record.sram.measured_peak_bytes))
    if record.flash is not None:
        flash = record.flash
        table.add_row(
            "flash",
            f"{format_bytes(flash.total_bytes)}: code {format_count(flash.code_bytes)} B, "
            f"weights {format_count(flash.weights_bytes)} B",
        )
    if record.schedule is not None:
        table.add_row("schedule", _schedule(record))
    return table


def _to_what(record: Record) -> str:
    """Return what an answer is about, where that is not the one input that the user gave."""
    if record.case.inputs == "seeded":
        return ", to random numbers"
    count = len(record.latency.samples) // record.case.repeat if record.latency else 1
    return f", to the first of {count} samples" if count > 1 else ""


def _latency(latency: LatencyPart) -> str:
    n = len(latency.samples)
    width = max(latency.samples) - min(latency.samples)
    if latency.instructions is not None:
        figure, spread = f"{format_count(latency.instructions)} instructions", _rounded(width)
    elif latency.cycles is not None:
        lasts = f", {format_seconds(latency.latency_s)}" if latency.latency_s is not None else ""
        figure, spread = f"{format_count(latency.cycles)} cycles{lasts}", _rounded(width)
    else:
        figure, spread = format_seconds(latency.latency_s or 0.0), format_seconds(width)
    return f"{figure} (median, n = {n}, spread {spread}; clock: {latency.clock})"


def _rounded(count: float) -> str:
    return format_count(round(count))


def _work(record: Record, model: ModelPart) -> str:
    """Return the MACs that run, and how many the file asks for where passes took some away."""
    imported = ""
    if model.imported is not None and model.imported.macs != model.macs:
        imported = f" of {format_count(model.imported.macs)} as imported"
    return f"{format_count(model.macs)} MACs{imported}{_per_mac(record)}"


def _per_mac(record: Record) -> str:
    assert record.model is not None
    if record.latency is None or record.latency.instructions is None or not record.model.macs:
        return ""
    return f", {record.latency.instructions / record.model.macs:.2f} instructions each"


def _planned(sram: SramPart) -> str:
    return (
        f"{format_bytes(sram.planned_peak_bytes)}: arena {format_count(sram.arena_bytes)} B, "
        f"scratch above it {format_count(sram.scratch_bytes)} B"
    )


def _schedule(record: Record) -> str:
    assert record.schedule is not None
    schedule = record.schedule
    kinds = [segment.kind for segment in schedule.segments]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    chosen = schedule.chosen
    if schedule.requested != schedule.chosen:
        chosen = f"{schedule.requested}, which chose {schedule.chosen}"
    by_rows = "; input by rows" if schedule.input_by_rows else ""
    return f"{chosen} ({counts}; recompute {schedule.recompute_ratio:.2f}{by_rows})"


def _gaps(sram: SramPart) -> Table:
    table = _table("SRAM, from planned over linked to measured", "bytes", right=("bytes",))
    table.add_row("planned", format_count(sram.planned_peak_bytes))
    for gap in sram.gaps:
        table.add_row(f"  {gap.what}", f"{gap.bytes:+,}")
    if sram.measured_peak_bytes is not None:
        table.add_row("measured", format_count(sram.measured_peak_bytes))
    else:
        table.add_row("linked", format_count(sram.linked_bytes))
    return table


def _per_op(ops: Sequence[OpPart], segments: Sequence[SegmentPart]) -> Table:
    """Return a row an op; ops of a fused segment are braced, and share the figure of its last."""
    unit = next(
        (u for u in ("instructions", "cycles", "latency_s") if any(getattr(o, u) for o in ops)),
        "instructions",
    )
    title = {"latency_s": "seconds"}.get(unit, unit)
    columns = ("op", "kind", "name", "segment", "code", "MACs", title, "share", "a MAC")
    table = _table(*columns, right=("op", "code", "MACs", title, "share", "a MAC"))
    total = sum(getattr(op, unit) or 0 for op in ops) or 1
    for number, segment in enumerate(segments):
        fused = ops[segment.first_op : segment.last_op + 1]
        macs = sum(op.macs for op in fused)
        label = f"{segment.kind} {number}" if len(fused) > 1 else segment.kind
        code = f"{segment.code_bytes:,} B" if segment.code_bytes else ""
        for op, brace in zip(fused, _braces(len(fused)), strict=True):
            table.add_row(
                str(op.index),
                op.kind,
                _short(op.name),
                brace + (label if op is fused[0] else ""),
                code if op is fused[0] else "",
                format_count(op.macs) if op.macs else "",
                *_costs(getattr(op, unit), unit, total, macs),
            )
    return table


def _costs(figure: float | None, unit: str, total: float, macs: int) -> tuple[str, str, str]:
    """Return a figure, its share of the total, and how much of it is a MAC's."""
    if figure is None:
        return "", "", ""
    if unit == "latency_s":
        return f"{figure:.6f}", f"{figure / total:.1%}", ""
    return f"{figure:,}", f"{figure / total:.1%}", f"{figure / macs:.2f}" if macs else ""


def _braces(count: int) -> list[str]:
    """Return what stands beside each of several rows to join them."""
    return [""] if count == 1 else ["┌ ", *["│"] * (count - 2), "└"]


def _short(name: str, width: int = 32) -> str:
    """Return the end of a long tensor name, which is where such names differ."""
    return name if len(name) <= width else "…" + name[-(width - 1) :]


def boards_table(boards: Sequence[Board]) -> Table:
    """Return the boards with what decides whether a model fits, and what emulates them."""
    table = _table(
        "board", "mcu", "core", "clock", "SRAM", "flash", "QEMU", right=("clock", "SRAM", "flash")
    )
    for board in boards:
        machine = "none"
        if board.emulation is not None:
            machine = board.emulation.machine + (" (stand-in)" if board.emulation.stand_in else "")
        table.add_row(
            board.name,
            board.mcu,
            board.core.value,
            f"{board.clock_hz / 1e6:g} MHz",
            f"{board.memory('ram').size_bytes:,} B",
            f"{board.memory('flash').size_bytes:,} B",
            machine,
        )
    if timed := [board.name for board in boards if board.timing is not None]:
        table.caption_justify = "left"
        table.caption = f"--optimize cycles counts cycles for {', '.join(timed)}, by the table of "
        table.caption += "timings in their YAML; for the others instructions"
    return table


def models_table(models: Sequence[tuple[Entry, Path | None]]) -> Table:
    """Return the catalog with where each file would come from."""
    table = _table("model", "task", "file", "licence", "at hand", right=("file",))
    for entry, path in models:
        here = "yes" if path else "recipe" if entry.recipe else "download"
        table.add_row(entry.name, entry.task, f"{entry.size_bytes:,} B", entry.licence, Text(here))
    return table


def footprint_line(footprint: Footprint) -> str:
    """Return in one line what an image takes."""
    return (
        f"flash {footprint.flash_bytes:,} B (code {footprint.code_bytes:,}, weights "
        f"{footprint.weights_bytes:,}); SRAM {footprint.linked_sram_bytes:,} B (arena "
        f"{footprint.arena_bytes:,}, static {footprint.static_bytes:,}, stack reserved "
        f"{footprint.stack_reserved_bytes:,})"
    )


def health_table(checks: Sequence[Check]) -> Table:
    """Return what ``bench doctor`` found, a row a check."""
    table = _table("what", "state", "found", "how to get it")
    for check in checks:
        state = Text(check.state.value, style=_STATE_STYLES[check.state.value])
        table.add_row(check.what, state, check.found, check.remedy)
    return table
