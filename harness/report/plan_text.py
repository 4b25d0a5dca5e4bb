"""A plan for people: peak, what holds it, and a memory timeline."""

from __future__ import annotations

from harness.results.plan_point import PlanPoint, flash_estimate, plan_point
from harness.schedule.limits import FlashLimit
from harness.schedule.plan import Plan
from harness.schedule.timeline import timeline, what_holds_the_peak
from harness.units import format_bytes, format_count


def plan_text(plan: Plan, *, weights: str, width: int, flash: FlashLimit | None = None) -> str:
    """Return a plan as text, at most ``width`` columns wide; with a limit of flash that too."""
    point = plan_point(plan)
    by_rows = "" if point.input_resident else ", input by rows"
    return "\n".join(
        [
            f"{point.model}: schedule {point.schedule}{by_rows}, {format_count(point.macs)} MACs"
            f"{_recompute(point)}, weights: {weights}",
            f"peak {format_bytes(point.planned_peak_bytes)}: arena {point.arena_bytes:,} B, "
            f"scratch above it {point.scratch_bytes:,} B; {what_holds_the_peak(plan)}",
            *(() if flash is None else (_flash(plan, flash),)),
            "",
            timeline(plan, width),
        ]
    )


def _flash(plan: Plan, limit: FlashLimit) -> str:
    found = flash_estimate(plan, limit)
    return (
        f"flash about {format_bytes(found.total_bytes)} of {format_bytes(limit.limit_bytes)}: "
        f"weights {found.weights_bytes:,} B, kernels {found.kernels_bytes:,} B, "
        f"code of the ops {found.ops_bytes:,} B, runtime {found.runtime_bytes:,} B"
    )


def _recompute(point: PlanPoint) -> str:
    """Return what is executed again, if anything, and the estimate of instructions."""
    times = f", {point.recompute_ratio:.3f} times" if point.recompute_ratio > 1 else ""
    return f"{times}, about {format_count(point.estimated_instructions)} instructions"
