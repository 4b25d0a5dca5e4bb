"""The front of a model's plans: what less memory costs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.table import Table

from harness.results.plan_point import PlanPoint
from harness.results.record import SegmentPart


def front_table(points: Sequence[PlanPoint]) -> Table:
    """Return the front, least memory first, a row a plan."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("peak", "MACs", "instructions"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("segments")
    for point in points:
        estimate = point.estimated_instructions
        table.add_row(
            f"{point.planned_peak_bytes:,} B",
            f"x {point.recompute_ratio:.3f}",
            "" if estimate is None else f"~{estimate:,}",
            summary(point.segments),
        )
    return table


def summary(segments: Sequence[SegmentPart]) -> str:
    """Return segments in few words: ``stream 0-12, 9 ops, patch 13-20``."""
    told = []
    for is_fused, run in groupby(segments, key=lambda s: s.kind in ("stream", "patch")):
        members = list(run)
        if is_fused:
            told += [f"{s.kind} {_range(s)}" for s in members]
        else:
            count = sum(s.last_op + 1 - s.first_op for s in members)
            told.append("1 op" if count == 1 else f"{count} ops")
    return ", ".join(told)


def _range(segment: SegmentPart) -> str:
    if segment.first_op == segment.last_op:
        return str(segment.first_op)
    return f"{segment.first_op}-{segment.last_op}"
