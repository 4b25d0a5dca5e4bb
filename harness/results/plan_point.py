"""A plan in numbers, as ``bench plan --json`` prints it and as a record carries its schedule."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from harness.ir.macs import graph_macs
from harness.results.record import Count, PassPart, SegmentPart, WorkPart
from harness.schedule.flash import estimated_flash
from harness.schedule.limits import FlashLimit
from harness.schedule.plan import Plan, Segment
from harness.schedule.receptive import receptive_fields
from harness.schedule.work import estimated_instructions, executed_macs


class FieldPart(BaseModel):
    """What one output pixel of a fused segment sees of what op ``index`` reads.

    Pairs are rows and columns. ``halo`` is shared with the pixel's neighbours, ``recompute_ratio``
    is how often the op is executed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: Count
    receptive_field: tuple[Count, Count]
    halo: tuple[Count, Count]
    recompute_ratio: float


class AdvicePart(BaseModel):
    """What the recompute of a segment would be if op ``index`` had a smaller kernel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: Count
    kernel: Count
    recompute_ratio: float


class ReceptivePart(BaseModel):
    """The receptive fields of one fused segment, and what its halos cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    segment: SegmentPart
    recompute_ratio: float
    fields: tuple[FieldPart, ...]
    advice: tuple[AdvicePart, ...]


class FlashEstimate(BaseModel):
    """What an image is estimated to take in flash before it is linked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    total_bytes: Count
    weights_bytes: Count
    kernels_bytes: Count
    ops_bytes: Count
    runtime_bytes: Count


class PlanPoint(BaseModel):
    """One plan; bytes and MACs are exact.

    ``input_resident`` says that ``planned_peak_bytes`` includes the input tensor.
    ``recompute_ratio`` is MACs executed over MACs of the network. ``estimated_instructions`` is of
    one inference, from a model of what kernels cost, never measured. ``imported`` and ``passes``,
    where they are known, are what the file asks for and what the passes left of it.
    ``receptive_fields`` are there if they were asked for, ``estimated_flash`` if there was a limit
    of it.
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
    receptive_fields: tuple[ReceptivePart, ...] | None = None
    estimated_flash: FlashEstimate | None = None


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
        segments=tuple(map(_segment_part, plan.segments)),
        imported=imported,
        passes=passes,
    )


def flash_estimate(plan: Plan, limit: FlashLimit) -> FlashEstimate:
    """Return what the image of a plan is estimated to take, with the runtime of a limit."""
    found = estimated_flash(plan)
    return FlashEstimate(
        total_bytes=found.total_bytes + limit.runtime_bytes,
        weights_bytes=found.weights_bytes,
        kernels_bytes=found.kernel_bytes,
        ops_bytes=found.code_bytes,
        runtime_bytes=limit.runtime_bytes,
    )


def receptive_parts(plan: Plan) -> tuple[ReceptivePart, ...]:
    """Return the receptive fields of all fused segments of more than one op."""
    return tuple(
        ReceptivePart(
            segment=_segment_part(report.segment),
            recompute_ratio=report.recompute,
            fields=tuple(
                FieldPart(
                    index=field.op,
                    receptive_field=field.receptive_field,
                    halo=field.halo,
                    recompute_ratio=field.recompute,
                )
                for field in report.fields
            ),
            advice=tuple(
                AdvicePart(index=a.op, kernel=a.kernel, recompute_ratio=a.recompute_then)
                for a in report.advice
            ),
        )
        for report in receptive_fields(plan)
    )


def _segment_part(segment: Segment) -> SegmentPart:
    ops = segment.ops
    return SegmentPart(kind=segment.kind, first_op=ops.start, last_op=ops.stop - 1)
