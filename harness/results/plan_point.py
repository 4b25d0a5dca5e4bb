"""A plan in numbers, as ``bench plan --json`` prints it and as a record carries its schedule."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from harness.ir.macs import graph_macs
from harness.results.record import Count, PassPart, SegmentPart, WorkPart
from harness.schedule.plan import Plan
from harness.schedule.work import estimated_instructions, executed_macs


class PlanPoint(BaseModel):
    """One plan; bytes and MACs are exact.

    ``input_resident`` says that ``planned_peak_bytes`` includes the input tensor.
    ``recompute_ratio`` is MACs executed over MACs of the network. ``estimated_instructions`` is of
    one inference, from a model of what kernels cost, never measured. ``imported`` and ``passes``,
    where they are known, are what the file asks for and what the passes left of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    schedule: str
    planned_peak_bytes: Count
    arena_bytes: Count
    scratch_bytes: Count
    input_resident: bool
    macs: Count
    recompute_ratio: float
    estimated_instructions: Count
    segments: tuple[SegmentPart, ...]
    imported: WorkPart | None = None
    passes: tuple[PassPart, ...] = ()


def plan_point(
    plan: Plan, imported: WorkPart | None = None, passes: tuple[PassPart, ...] = ()
) -> PlanPoint:
    """Return a plan in numbers."""
    graph = plan.graph
    macs = graph_macs(graph)
    return PlanPoint(
        model=graph.name,
        schedule=plan.schedule,
        planned_peak_bytes=plan.planned_peak_bytes,
        arena_bytes=plan.arena_bytes,
        scratch_bytes=plan.scratch_bytes,
        input_resident=all(any(t in a.tensors for a in plan.allocations) for t in graph.inputs),
        macs=macs,
        recompute_ratio=executed_macs(plan) / macs if macs else 1.0,
        estimated_instructions=round(estimated_instructions(plan)),
        segments=tuple(
            SegmentPart(kind=s.kind, first_op=s.ops.start, last_op=s.ops.stop - 1)
            for s in plan.segments
        ),
        imported=imported,
        passes=passes,
    )
