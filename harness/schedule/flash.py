"""The flash of segments and plans, estimated before anything is compiled.

Constants are known to the byte. Code is what was measured of the kernels and of the functions that
call them, and on average of the loops around those (``kernels.flash``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from harness.ir import Graph
from harness.kernels.flash import AnyCall, Flash, code_of, flash_of_calls
from harness.kernels.flash_data import Code
from harness.kernels.kernel_set import KernelSet
from harness.kernels.library import calls, row_calls, sums_call
from harness.schedule.geometry import sums_all_rows
from harness.schedule.plan import (
    AliasSegment,
    FusedSegment,
    InplaceSegment,
    LayerSegment,
    PatchSegment,
    Plan,
    Segment,
    StreamSegment,
)

_SPAN_BYTES = 8
"""Of the first and the last row or column that a stripe or patch wants of an op."""

STEP_BYTES = 8
"""Of an entry in the table of steps, and of the call of a step."""


class FlashOf:
    """What the segments of a graph take in flash.

    ``users`` are the ops that were seen to use a piece, ``sizes`` the bytes of each.
    """

    def __init__(self, graph: Graph, kernels: KernelSet) -> None:
        self._graph, self._kernels = graph, kernels
        self._code = code_of(kernels)
        self._ops: dict[tuple[object, ...], Flash] = {}
        self.users: dict[str, set[int]] = defaultdict(set)
        self.sizes: dict[str, int] = {}

    @property
    def is_known(self) -> bool:
        """Whether the kernels were measured: those of the host were not."""
        return self._code is not None

    def segment(self, segment: Segment, room: int = 0) -> Flash:
        """Return what a segment takes, whose kernels have ``room`` bytes of scratch if fused."""
        code = self._code
        assert code is not None, "the kernels were measured"
        match segment:
            case AliasSegment():
                return Flash()
            case LayerSegment() | InplaceSegment():
                return Flash.of([Flash(STEP_BYTES), self._op(code, segment.op, segment, 0)])
            case StreamSegment() | PatchSegment():
                ops = [self._op(code, i, segment, room) for i in segment.ops]
                return Flash.of([Flash(STEP_BYTES + _loop_bytes(code, segment)), *ops])

    def of(self, segments: Iterable[Segment]) -> Flash:
        """Return what segments take together, fused ones with the least scratch."""
        return Flash.of(map(self.segment, segments))

    def plan(self, plan: Plan) -> Flash:
        """Return what the model of a plan takes, without the runtime around it."""
        found = []
        for number, segment in enumerate(plan.segments):
            scratch = plan.scratch(number)
            found.append(self.segment(segment, scratch.size_bytes if scratch else 0))
        return Flash.of(found)

    def _op(self, code: Code, position: int, segment: Segment, room: int) -> Flash:
        key = position, *_way(segment, room)
        if key not in self._ops:
            made = calls_of(self._graph, self._kernels, position, segment, room)
            found = flash_of_calls(code, self._graph, self._graph.ops[position], made)
            self._ops[key] = found
            self.sizes |= found.shared
            for name in found.shared:
                self.users[name].add(position)
        return self._ops[key]


def estimated_flash(plan: Plan) -> Flash:
    """Return what the model of a plan takes, without the runtime around it."""
    return FlashOf(plan.graph, plan.kernels).plan(plan)


def calls_of(
    graph: Graph, kernels: KernelSet, position: int, segment: Segment, room: int
) -> Sequence[AnyCall]:
    """Return the calls by which a segment executes an op."""
    op = graph.ops[position]
    match segment:
        case AliasSegment():
            return ()
        case LayerSegment():
            return calls(kernels, graph, op, None)
        case InplaceSegment():
            return calls(kernels, graph, op, segment.operand)
        case StreamSegment() | PatchSegment():
            if sums_all_rows(graph, op):
                return (sums_call(graph, op),)
            return row_calls(kernels, graph, op, room, in_batches=_is_batched(segment))


def loops(segment: FusedSegment) -> Iterator[tuple[str, int]]:
    """Yield the kinds of functions around those that make rows, and how many there are."""
    inner = len(segment.ops) - 1
    match segment:
        case PatchSegment():
            yield "patches", 1
            yield "tile", len(segment.ops)
        case StreamSegment(stripes=stripes) if stripes > 1:
            yield "stripes", 1
            yield "rows of stripes", inner
        case StreamSegment():
            in_batches = " in batches" if _is_batched(segment) else ""
            yield f"stream{in_batches}", 1
            yield f"rows{in_batches}", inner + segment.input_by_rows


def table_bytes(segment: FusedSegment) -> int:
    """Return the bytes of the tables that say what each stripe or patch wants."""
    match segment:
        case PatchSegment(grid=(down, across)):
            return _SPAN_BYTES * len(segment.ops) * (down + across)
        case StreamSegment(stripes=stripes):
            return _SPAN_BYTES * len(segment.ops) * stripes if stripes > 1 else 0


def _loop_bytes(code: Code, segment: FusedSegment) -> int:
    around = sum(code.loops.get(kind, 0) * count for kind, count in loops(segment))
    return around + table_bytes(segment)


def _is_batched(segment: FusedSegment) -> bool:
    return isinstance(segment, StreamSegment) and segment.batch > 1


def _way(segment: Segment, room: int) -> tuple[object, ...]:
    """Return what of a segment the calls of an op depend on."""
    match segment:
        case StreamSegment() | PatchSegment():
            return "rows", _is_batched(segment), room
        case InplaceSegment(operand=operand):
            return "whole", operand
        case _:
            return "whole", None
