"""The front of a model's plans: what less memory costs."""

from __future__ import annotations

import io
from collections.abc import Sequence

from pydantic import TypeAdapter
from rich import box
from rich.console import Console
from rich.table import Table

from harness.results.plan_point import PlanPoint
from harness.results.record import SegmentPart


def front_table(points: Sequence[PlanPoint], *, weights: str, limit: int | None = None) -> Table:
    """Return the front, least memory first, a row a plan; what is above the limit is dim."""
    by_rows = "" if points[0].input_resident else ", input by rows"
    title = f"{points[0].model}{by_rows}: {points[0].macs:,} MACs, weights: {weights}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("peak", "MACs", "instructions"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("segments")
    for point in points:
        fits = limit is None or point.planned_peak_bytes <= limit
        table.add_row(
            f"{point.planned_peak_bytes:,} B",
            f"x {point.recompute_ratio:.3f}",
            f"~{point.estimated_instructions:,}",
            summary(point.segments) + ("" if fits else " (above the limit)"),
            style="" if fits else "dim",
        )
    return table


def front_text(points: Sequence[PlanPoint], *, weights: str, limit: int | None, width: int) -> str:
    """Return the table as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(front_table(points, weights=weights, limit=limit))
    return captured.get()


def front_json(points: Sequence[PlanPoint]) -> str:
    """Return the front as a JSON array."""
    return TypeAdapter(list[PlanPoint]).dump_json(list(points), indent=1).decode()


def summary(segments: Sequence[SegmentPart]) -> str:
    """Return segments in few words: ``1 patch stage of 12 ops, 3 streams of 10 ops, 9 ops alone``.

    An op alone that goes row by row, so that its output reaches into its input, counts as alone.
    """
    told = []
    for kind, noun in (("patch", "patch stage"), ("stream", "stream")):
        counts = [count for s in segments if s.kind == kind and (count := _ops(s)) > 1]
        if counts:
            plural = "" if len(counts) == 1 else "s"
            told.append(f"{len(counts)} {noun}{plural} of {sum(counts)} ops")
    alone = sum(_ops(s) == 1 for s in segments)
    if alone:
        told.append("1 op alone" if alone == 1 else f"{alone} ops alone")
    return ", ".join(told)


def _ops(segment: SegmentPart) -> int:
    return segment.last_op + 1 - segment.first_op
