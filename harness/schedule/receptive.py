"""Receptive fields of fused segments, what their halos cost, and what a redesign would save.

MCUNetV2 (arXiv:2110.15352, section 3.3) redistributes receptive field: smaller kernels where
patches run, larger ones behind, since a patch recomputes what its halo adds. This report says for
each fused segment how far one output sees, how much each op computes again, and what would remain
if one op had a smaller kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.ir import Graph, Op
from harness.ir.macs import op_macs
from harness.ir.ops import AveragePool2D, Conv2D, DepthwiseConv2D, MaxPool2D, Padding, WindowOp
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import Axis, Span, length, sums_all_rows, tile
from harness.schedule.plan import FusedSegment, Plan
from harness.schedule.work import Share, Work

_SMALLER = (1, 3)
"""Kernel sizes that the advice compares with."""

_MOST_ADVICE = 4


@dataclass(frozen=True, slots=True)
class Field:
    """What one pixel of a segment's output sees of what an op of the segment reads.

    All pairs are (rows, columns). ``halo`` is by how much the fields of neighbours overlap, and
    ``recompute`` how often the op is executed on average: 1.0 is once.
    """

    op: int
    receptive_field: tuple[int, int]
    halo: tuple[int, int]
    recompute: float


@dataclass(frozen=True, slots=True)
class Advice:
    """MACs executed over MACs of a segment now, and if one op had a smaller square kernel."""

    op: int
    kernel: int
    recompute_now: float
    recompute_then: float


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """One fused segment."""

    segment: FusedSegment
    recompute: float
    fields: tuple[Field, ...]
    advice: tuple[Advice, ...]


def receptive_fields(plan: Plan) -> tuple[SegmentReport, ...]:
    """Return a report for each fused segment of more than one op, in order of execution."""
    graph = plan.graph
    work = Work(Fusion(graph, plan.kernels))
    return tuple(
        _report(graph, work, segment)
        for segment in plan.segments
        if isinstance(segment, FusedSegment) and len(segment.ops) > 1
    )


def receptive_text(plan: Plan) -> str:
    """Return the report in lines of text, "" if no ops are fused."""
    return "\n".join(line for report in receptive_fields(plan) for line in _lines(plan, report))


def _report(graph: Graph, work: Work, segment: FusedSegment) -> SegmentReport:
    shares = work.shares(segment)
    fields = tuple(Field(i, *_field(graph, segment.ops, i), shares[i].made) for i in segment.ops)
    advice = sorted(_advice(graph, segment, shares), key=lambda a: a.recompute_then)
    return SegmentReport(segment, _recompute(graph, shares), fields, tuple(advice))


def _field(graph: Graph, ops: range, position: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the receptive field and the halo of one output pixel in an op's first operand."""
    output = graph.ops[ops[-1]].outputs[0]
    operand = next(t for t in graph.ops[position].inputs if not graph.tensor(t).is_constant)
    seen, shared = [], []
    for axis in Axis:
        size = length(graph, output, axis)
        # In the middle, where no border cuts the field.
        first = max(size // 2 - 1, 0)
        field = tile(graph, ops, axis, Span(first, first + 1))[operand]
        beside = tile(graph, ops, axis, Span(min(first + 1, size - 1), min(first + 2, size)))
        seen.append(field.length)
        shared.append(max(0, field.end - beside[operand].first) if size > 1 else 0)
    return (seen[0], seen[1]), (shared[0], shared[1])


def _advice(graph: Graph, segment: FusedSegment, shares: dict[int, Share]) -> Iterator[Advice]:
    """Yield what each smaller kernel would make of a segment that computes anything twice.

    Every op counts with its MACs of now, so that only what halos cost is compared.
    """
    now = _recompute(graph, shares)
    if now <= 1:
        return
    for i in segment.ops:
        op = graph.ops[i]
        if not isinstance(op, Conv2D | DepthwiseConv2D | MaxPool2D | AveragePool2D):
            continue
        if sums_all_rows(graph, op):
            continue
        for kernel in _SMALLER:
            if kernel < max(op.window.extent):
                ops = (*graph.ops[:i], _shrunk(op, kernel), *graph.ops[i + 1 :])
                other = replace(graph, ops=ops)
                then = _recompute(graph, Work(Fusion(other)).shares(segment))
                # Where the window gets smaller than its stride, parts are not computed at all.
                yield Advice(i, kernel, now, max(then, 1.0))


def _shrunk(op: WindowOp, kernel: int) -> Op:
    """Return an op whose window is smaller around the same centre; only its geometry is sound."""
    window = op.window
    kernel_h, kernel_w = (min(kernel, extent) for extent in window.extent)
    cut_h, cut_w = window.extent[0] - kernel_h, window.extent[1] - kernel_w
    p = window.padding
    padding = Padding(
        top=p.top - cut_h // 2,
        bottom=p.bottom - (cut_h - cut_h // 2),
        left=p.left - cut_w // 2,
        right=p.right - (cut_w - cut_w // 2),
    )
    smaller = replace(window, kernel=(kernel_h, kernel_w), dilation=(1, 1), padding=padding)
    return replace(op, window=smaller)


def _recompute(graph: Graph, shares: dict[int, Share]) -> float:
    macs = {i: op_macs(graph, graph.ops[i]) for i in shares}
    total = sum(macs.values())
    return sum(macs[i] * shares[i].made for i in shares) / total if total else 1.0


def _lines(plan: Plan, report: SegmentReport) -> Iterator[str]:
    graph, segment = plan.graph, report.segment
    first, last = _short(graph, segment.first_op), _short(graph, segment.last_op)
    yield f"{segment.kind} from {first} to {last}: {report.recompute:.3f} times the MACs"
    yield f"  {'what an output pixel':<26} {'sees':>11}   {'shares':>9}   runs"
    for field in report.fields:
        (rows, columns), (halo_rows, halo_columns) = field.receptive_field, field.halo
        sees, shares = f"{rows} x {columns}", f"{halo_rows} x {halo_columns}"
        name = f"of {_short(graph, field.op)}"
        yield f"  {name:<26} {sees:>11}   {shares:>9}   {field.recompute:.3f} times"
    helpful = [a for a in report.advice if a.recompute_then < a.recompute_now - 0.0005]
    for advice in helpful[:_MOST_ADVICE]:
        yield (
            f"  with a {advice.kernel} x {advice.kernel} kernel in {_short(graph, advice.op)}: "
            f"{advice.recompute_then:.3f} times the MACs"
        )


def _short(graph: Graph, position: int) -> str:
    return graph.label(position).split(" '")[0].replace("(", "")
