"""Limits: what is said when no plan fits."""

from __future__ import annotations

from harness.errors import DoesNotFitError
from harness.schedule.plan import Plan
from harness.schedule.timeline import what_holds_the_peak
from harness.units import format_bytes


def does_not_fit(least: Plan, limit: int) -> DoesNotFitError:
    """Return the error that names the least bytes possible and what holds them."""
    return DoesNotFitError(
        f"{least.graph.name}: no plan of schedule {least.schedule} fits into "
        f"{format_bytes(limit)}; the least is {format_bytes(least.planned_peak_bytes)}: "
        f"{what_holds_the_peak(least)}",
        hint="raise the limit, or try --schedule auto"
        if least.schedule != "auto"
        else "raise the limit, or deliver the input with --input-by-rows",
    )
