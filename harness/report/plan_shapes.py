"""A plan as flat shapes over (ops executed, bytes alive), for whoever draws them.

While a segment runs, what is alive is stacked: tensors kept for later ops at the bottom, working
memory at the top. Where the output of a stream reaches into its input, the one grows while the
other is used up: they are one box with two wedges. ::

    bytes ^       ____________
          |      | workspace  |
          |      |____________|____
          |      |\\   input    |    |
          |      |  \\   used   |    |
          |      |    \\    up  |    |
          |      | output \\    |    |
          |______|___grows__\\_|____|___>  ops
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from harness.ir import Graph, TensorId
from harness.ir.tensor import short_name
from harness.schedule.plan import Allocation, Plan, Purpose, Segment


class Role(StrEnum):
    """What bytes are for, in the order of a legend."""

    INPUT = "model input"
    ACTIVATION = "activation in use"
    KEPT = "kept for a later op"
    OUTPUT = "model output"
    WORKSPACE = "rows or tiles of fused ops"
    SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Shape:
    """A polygon; corners are (ops, bytes)."""

    role: Role
    name: str
    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A segment on the axis of ops: from ``first`` to ``end``."""

    kind: str
    first: int
    end: int


_ORDER = (Role.KEPT, Role.INPUT, Role.ACTIVATION, Role.OUTPUT, Role.WORKSPACE, Role.SCRATCH)
"""From the bottom of a stack to its top."""


def stretches(plan: Plan) -> tuple[Stretch, ...]:
    """Return where each segment lies on the axis of ops."""
    ends = accumulate(len(segment.ops) for segment in plan.segments)
    return tuple(
        Stretch(segment.kind, end - len(segment.ops), end)
        for segment, end in zip(plan.segments, ends, strict=True)
    )


def shapes(plan: Plan) -> tuple[Shape, ...]:
    """Return what to draw of a plan, segment by segment, each stack from the bottom up."""
    drawn: list[Shape] = []
    for position, place in enumerate(stretches(plan)):
        live = [a for a in plan.allocations if a.first <= position <= a.last]
        bottom = 0
        for box in sorted(_boxes(live), key=lambda box: _rank(plan, box, position)):
            floor = min(allocation.offset for allocation in box)
            for allocation in box:
                lift = bottom - floor
                drawn.append(_shape(plan, allocation, position, place, lift, box))
            bottom += max(allocation.end for allocation in box) - floor
    return tuple(drawn)


def _boxes(live: Sequence[Allocation]) -> list[list[Allocation]]:
    """Return allocations grouped by bytes that they share; most have none to share."""
    boxes: list[list[Allocation]] = []
    reached = 0
    for allocation in sorted(live, key=lambda a: (a.offset, a.end)):
        if boxes and allocation.offset < reached:
            boxes[-1].append(allocation)
        else:
            boxes.append([allocation])
        reached = max(reached, allocation.end)
    return boxes


def _rank(plan: Plan, box: Sequence[Allocation], position: int) -> tuple[int, int, int]:
    """Return what orders a stack: by role, then the older first."""
    role = min(_ORDER.index(_role(plan, allocation, position)) for allocation in box)
    return role, min(a.first for a in box), min(a.offset for a in box)


def _shape(
    plan: Plan,
    allocation: Allocation,
    position: int,
    place: Stretch,
    lift: int,
    box: Sequence[Allocation],
) -> Shape:
    left, right = place.first, place.end
    low, high = allocation.offset + lift, allocation.end + lift
    corners: tuple[tuple[float, float], ...]
    match _wedge(plan, allocation, position, box):
        case "grows":
            corners = ((left, low), (right, low), (right, high))
        case "shrinks":
            corners = ((left, low), (left, high), (right, high))
        case _:
            corners = ((left, low), (left, high), (right, high), (right, low))
    name = ", ".join(short_name(plan.graph.tensor(t).name) for t in allocation.tensors)
    return Shape(_role(plan, allocation, position), name, corners)


def _role(plan: Plan, allocation: Allocation, position: int) -> Role:
    graph, segment = plan.graph, plan.segments[position]
    held = set(allocation.tensors)
    if allocation.purpose is Purpose.WORKSPACE:
        return Role.WORKSPACE
    if allocation.purpose is Purpose.SCRATCH:
        return Role.SCRATCH
    if not held & (_read(graph, segment) | _written(graph, segment)):
        return Role.KEPT
    if held & set(graph.inputs) and allocation.first < 0:
        return Role.INPUT
    return Role.OUTPUT if held & set(graph.outputs) else Role.ACTIVATION


def _wedge(plan: Plan, allocation: Allocation, position: int, box: Sequence[Allocation]) -> str:
    """Return whether a tensor ``grows`` or ``shrinks`` while a segment runs, or nothing."""
    tensors = [a for a in box if a.purpose is Purpose.TENSOR]
    if allocation not in tensors or len(tensors) == 1:
        return ""
    written = _written(plan.graph, plan.segments[position])
    return "grows" if set(allocation.tensors) & written else "shrinks"


def _read(graph: Graph, segment: Segment) -> set[TensorId]:
    return {t for position in segment.ops for t in graph.ops[position].inputs}


def _written(graph: Graph, segment: Segment) -> set[TensorId]:
    return {t for position in segment.ops for t in graph.ops[position].outputs}
