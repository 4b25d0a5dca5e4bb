"""Limits: what is said when no plan fits."""

from __future__ import annotations

from harness.errors import DoesNotFitError
from harness.ir import Graph
from harness.passes.reshape_input import reshape_input
from harness.schedule.fusion import Fusion
from harness.schedule.plan import Plan
from harness.schedule.timeline import what_holds_the_peak
from harness.units import format_bytes


def does_not_fit(least: Plan, limit: int) -> DoesNotFitError:
    """Return the error that names the least bytes possible and what holds them."""
    return DoesNotFitError(
        f"{least.graph.name}: no plan of schedule {least.schedule} fits into "
        f"{format_bytes(limit)}; the least is {format_bytes(least.planned_peak_bytes)}: "
        f"{what_holds_the_peak(least)}",
        hint=f"raise the limit to {format_bytes(least.planned_peak_bytes)} or more",
    )


def can_come_by_rows(graph: Graph) -> bool:
    """Whether the model's input could be delivered row by row."""
    return not Fusion(reshape_input(graph)).why_not_by_rows
