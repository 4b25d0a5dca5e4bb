"""The independent verifier: replays a plan byte by byte.

It shares no code with the planner. A shadow of the arena (``shadow``) says which byte of which
tensor each byte holds, and segments are replayed on it in order; fused ones row by row
(``replay``), with what an op reads derived anew (``witness``). A byte that is read must hold what
the reader means, after the op has done all its writing, scratch included. So an overlap, a
clobbered skip tensor, a ring that is a row too short, a too short lifetime or a lost output shows
as a byte that holds something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from harness.ir import Graph, Op, TensorId
from harness.ir.ops import (
    Add,
    Conv2D,
    DepthwiseConv2D,
    Dequantize,
    Logistic,
    Mul,
    Quantize,
    Softmax,
    Sub,
    Tanh,
)
from harness.ir.tensor import short_name
from harness.kernels.kernel_set import Isa, KernelSet
from harness.kernels.library import row_scratch_bytes, scratch_bytes
from harness.schedule.plan import (
    ALIGNMENT,
    AliasSegment,
    Allocation,
    InplaceSegment,
    LayerSegment,
    PatchSegment,
    Plan,
    Purpose,
    Segment,
    StreamSegment,
)
from harness.schedule.replay import FusedReplay
from harness.schedule.shadow import Shadow
from harness.schedule.structure import inner_tensors, structure_faults


class PlanFaultError(AssertionError):
    """A plan that would compute something wrong: always our own bug."""


def verify_plan(plan: Plan) -> None:
    """Raise PlanFaultError, with all faults found, unless the plan computes what its graph says."""
    faults = [*_order_faults(plan), *_structure_faults(plan)]
    faults = faults or [*_allocation_faults(plan)]
    if not faults:
        replay = _Replay(plan)
        replay.run()
        faults = [*_lifetime_faults(plan), *replay.faults]
    if faults:
        listed = "\n".join(f"  {fault}" for fault in dict.fromkeys(faults))
        raise PlanFaultError(f"{plan.graph.name}, schedule {plan.schedule}:\n{listed}")


def _order_faults(plan: Plan) -> Iterator[str]:
    """Yield ops that run never or twice, or before what they read is there."""
    graph = plan.graph
    executed = [op for segment in plan.segments for op in segment.ops]
    for position in range(len(graph.ops)):
        if executed.count(position) != 1:
            yield f"{graph.label(position)} runs {executed.count(position)} times"
    if any(not 0 <= position < len(graph.ops) for position in executed):
        yield f"segments name ops that do not exist: {executed}"
        return
    ready = set(graph.inputs)
    for position in executed:
        for tensor_id in _activations(graph, graph.ops[position].inputs):
            if tensor_id not in ready:
                name = short_name(graph.tensor(tensor_id).name)
                yield f"{graph.label(position)} reads '{name}' before it is written"
        ready.update(graph.ops[position].outputs)


def _structure_faults(plan: Plan) -> Iterator[str]:
    """Yield what is wrong with fused segments in themselves."""
    for position, segment in enumerate(plan.segments):
        if isinstance(segment, StreamSegment | PatchSegment):
            yield from structure_faults(plan, position, segment)


def _never_whole(plan: Plan) -> set[TensorId]:
    """Return the tensors that need no allocation."""
    return {
        tensor_id
        for segment in plan.segments
        if isinstance(segment, StreamSegment | PatchSegment)
        for tensor_id in inner_tensors(plan.graph, segment)
    }


def _allocation_faults(plan: Plan) -> Iterator[str]:
    """Yield allocations that no plan may have, and tensors that have no bytes."""
    graph = plan.graph
    offsets: dict[TensorId, set[int]] = {}
    for allocation in plan.allocations:
        if allocation.offset < 0 or allocation.offset % ALIGNMENT:
            yield f"{_named(graph, allocation)} is not at a multiple of {ALIGNMENT} bytes"
        if allocation.purpose is not Purpose.TENSOR and allocation.first != allocation.last:
            yield f"{_named(graph, allocation)} outlives its segment"
        for tensor_id in allocation.tensors:
            offsets.setdefault(tensor_id, set()).add(allocation.offset)
            tensor = graph.tensor(tensor_id)
            if tensor.size_bytes > allocation.size_bytes:
                yield (
                    f"{_named(graph, allocation)} is too small for '{short_name(tensor.name)}' of "
                    f"{tensor.size_bytes} bytes"
                )
    never_whole = _never_whole(plan)
    for tensor_id in _activations(graph, (*graph.activations(), *graph.outputs)):
        if tensor_id in never_whole:
            continue
        places = offsets.get(tensor_id, set())
        if len(places) != 1:
            name = short_name(graph.tensor(tensor_id).name)
            yield f"'{name}' lies at {sorted(places) or 'no offset'}"
    scratch = _scratch(plan)
    for position, segment in enumerate(plan.segments):
        needed = _scratch_needed(plan.kernels, graph, segment)
        given = scratch[position].size_bytes if position in scratch else 0
        if given < needed:
            label = graph.label(segment.ops.start)
            yield f"{label} has {given} bytes of scratch and needs {needed}"


def _lifetime_faults(plan: Plan) -> Iterator[str]:
    """Yield tensors that are needed in a segment in which no allocation holds them."""
    graph = plan.graph
    needed = dict.fromkeys(graph.inputs, (-1, -1))
    for position, segment in enumerate(plan.segments):
        for op in (graph.ops[i] for i in segment.ops):
            needed.update(dict.fromkeys(op.outputs, (position, position)))
            for tensor_id in _activations(graph, op.inputs):
                needed[tensor_id] = (needed[tensor_id][0], position)
    for tensor_id in _activations(graph, graph.outputs):
        needed[tensor_id] = (needed[tensor_id][0], len(plan.segments))
    held: dict[TensorId, set[int]] = {}
    for allocation in plan.allocations:
        for tensor_id in allocation.tensors:
            held.setdefault(tensor_id, set()).update(range(allocation.first, allocation.last + 1))
    for tensor_id in needed.keys() - _never_whole(plan):
        first, last = needed[tensor_id]
        missing = set(range(first, last + 1)) - held[tensor_id]
        if missing:
            name = short_name(graph.tensor(tensor_id).name)
            yield f"'{name}' is needed in segments {sorted(missing)} and holds no bytes there"


class _Replay:
    """One inference on the shadow of the arena."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._graph = plan, plan.graph
        self._offsets = {t: a.offset for a in plan.allocations for t in a.tensors}
        self._shadow = Shadow(plan.graph, plan.planned_peak_bytes)

    @property
    def faults(self) -> list[str]:
        return self._shadow.faults

    def run(self) -> None:
        """Replay the plan and collect faults."""
        graph = self._graph
        resident = [t for t in graph.inputs if t in self._offsets]
        for tensor_id in resident:
            self._write(tensor_id)
        for tensor_id in resident:
            self._expect(tensor_id, "after the inputs were filled")
        for position, segment in enumerate(self._plan.segments):
            match segment:
                case LayerSegment():
                    self._run_layer(position, segment)
                case InplaceSegment():
                    self._run_inplace(position, segment)
                case AliasSegment():
                    self._run_alias(segment)
                case StreamSegment() | PatchSegment():
                    FusedReplay(self._shadow, self._plan, position, segment).run()
        for tensor_id in _activations(graph, graph.outputs):
            self._expect(tensor_id, "at the end")

    def _run_layer(self, position: int, segment: LayerSegment) -> None:
        op, label = self._graph.ops[segment.op], self._graph.label(segment.op)
        self._spoil_scratch(position)
        for tensor_id in op.outputs:
            self._write(tensor_id)
        self._spoil_scratch(position)
        # Reads and writes of an op interleave: all operands must survive all of its writing.
        for tensor_id in (*_activations(self._graph, op.inputs), *op.outputs):
            self._expect(tensor_id, f"in {label}")

    def _run_inplace(self, position: int, segment: InplaceSegment) -> None:
        op, label = self._graph.ops[segment.op], self._graph.label(segment.op)
        taken, output = op.inputs[segment.operand], op.outputs[0]
        if not _may_overwrite(self._plan.kernels, self._graph, op, segment.operand):
            self._shadow.blame(f"{label} cannot be done in place of input {segment.operand}")
            return
        if self._offsets[taken] != self._offsets[output]:
            self._shadow.blame(f"{label} is in place, but its output lies elsewhere")
        self._spoil_scratch(position)
        for tensor_id in _activations(self._graph, op.inputs):
            self._expect(tensor_id, f"in {label}")
        self._write(output)
        self._spoil_scratch(position)
        others = (t for t in op.inputs if t != taken)
        for tensor_id in (*_activations(self._graph, others), output):
            self._expect(tensor_id, f"in {label}")

    def _run_alias(self, segment: AliasSegment) -> None:
        op, label = self._graph.ops[segment.op], self._graph.label(segment.op)
        source, output = op.inputs[0], op.outputs[0]
        if self._graph.tensor(source).size_bytes != self._graph.tensor(output).size_bytes:
            self._shadow.blame(f"{label} is an alias of another size")
        self._shadow.rename(source, output)
        self._expect(source, f"in {label}")
        self._expect(output, f"in {label}")

    def _write(self, tensor_id: TensorId) -> None:
        size = self._graph.tensor(tensor_id).size_bytes
        self._shadow.write(tensor_id, self._offsets[tensor_id], 0, size)

    def _expect(self, tensor_id: TensorId, when: str) -> None:
        size = self._graph.tensor(tensor_id).size_bytes
        self._shadow.expect(tensor_id, self._offsets[tensor_id], 0, size, when)

    def _spoil_scratch(self, position: int) -> None:
        scratch = self._plan.scratch(position)
        if scratch is not None:
            self._shadow.spoil(scratch.offset, scratch.size_bytes)


def _may_overwrite(kernels: KernelSet, graph: Graph, op: Op, operand: int) -> bool:
    """Whether a kernel can write the output over this operand without losing unread elements."""
    x, y = graph.tensor(op.inputs[operand]), graph.tensor(op.outputs[0])
    if x.is_constant:
        return False
    match op:
        case Add() | Sub() | Mul():
            return x.shape == y.shape and x.size_bytes == y.size_bytes
        case Logistic() | Tanh() | Quantize() | Dequantize() | Softmax():
            # Element i is written where elements 0..i lay, which have all been read.
            return x.shape == y.shape and y.size_bytes <= x.size_bytes
        case DepthwiseConv2D():
            return operand == 0 and op.depth_multiplier == 1 and _rows_survive(graph, op)
        case Conv2D(window=w):
            # Each pixel is read once, before it is written: there the kernels of Armv7E-M differ.
            is_alone = w.kernel == w.stride == (1, 1) and x.shape[:3] == y.shape[:3]
            return kernels.isa is Isa.ARMV7EM and is_alone and y.size_bytes <= x.size_bytes
        case _:
            return False


def _rows_survive(graph: Graph, op: DepthwiseConv2D) -> bool:
    """Replay one channel: is every input row intact when it is copied out?"""
    _, in_h, in_w, _ = graph.tensor(op.inputs[0]).shape
    _, out_h, out_w, _ = graph.tensor(op.outputs[0]).shape
    if out_h * out_w > in_h * in_w:
        return False
    is_intact = np.ones(in_h * in_w, dtype=np.bool_)
    copied = 0
    for row in range(out_h):
        seen = row * op.window.stride[0] - op.window.padding.top + op.window.extent[0]
        while copied < min(seen, in_h):
            if not is_intact[copied * in_w : (copied + 1) * in_w].all():
                return False
            copied += 1
        is_intact[row * out_w : (row + 1) * out_w] = False
    return True


def _scratch(plan: Plan) -> dict[int, Allocation]:
    """Return the scratch of each segment that has any."""
    return {a.first: a for a in plan.allocations if a.purpose is Purpose.SCRATCH}


def _scratch_needed(kernels: KernelSet, graph: Graph, segment: Segment) -> int:
    match segment:
        case LayerSegment(op):
            return scratch_bytes(kernels, graph, graph.ops[op], None)
        case InplaceSegment(op, operand):
            return scratch_bytes(kernels, graph, graph.ops[op], operand)
        case AliasSegment():
            return 0
        case StreamSegment() | PatchSegment():
            return max(row_scratch_bytes(kernels, graph, graph.ops[op]) for op in segment.ops)


def _activations(graph: Graph, tensor_ids: Iterable[TensorId]) -> list[TensorId]:
    """Return the tensors that lie in the arena, each once."""
    return [t for t in dict.fromkeys(tensor_ids) if not graph.tensor(t).is_constant]


def _named(graph: Graph, allocation: Allocation) -> str:
    names = ", ".join(short_name(graph.tensor(t).name) for t in allocation.tensors) or "scratch"
    return f"the allocation of {names} (segments {allocation.first} to {allocation.last})"
