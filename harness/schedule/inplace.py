"""Which ops run in place.

TinyEngine's idea (MCUNet, arXiv:2007.10319): a depthwise convolution may overwrite its input
channel by channel, an element-wise op element by element. It saves the output's bytes and may
cost scratch, so it does not always pay.

While a segment runs, the bytes alive are those of tensors that outlast it, which no choice
changes, and those of its own op, which only its own choice changes. So choosing the least for
each op alone gives the least peak of live bytes for the whole graph.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.ir import Graph, Op
from harness.kernels.kernel_set import KernelSet
from harness.kernels.library import inplace_operands, is_alias, scratch_bytes
from harness.schedule.needs import Needs
from harness.schedule.plan import AliasSegment, InplaceSegment, LayerSegment, Segment, align


def layer_segments(graph: Graph) -> tuple[LayerSegment | AliasSegment, ...]:
    """Return one segment an op, nothing in place; ops that move nothing are aliases."""
    return tuple(
        AliasSegment(position) if is_alias(graph, op) else LayerSegment(position)
        for position, op in enumerate(graph.ops)
    )


def inplace_segments(graph: Graph, kernels: KernelSet) -> tuple[Segment, ...]:
    """Return one segment an op, each in place where that needs fewer bytes than not."""
    needs = Needs(graph)
    return tuple(
        segment if isinstance(segment, AliasSegment) else _choose(graph, kernels, needs, segment.op)
        for segment in layer_segments(graph)
    )


def _choose(graph: Graph, kernels: KernelSet, needs: Needs, position: int) -> Segment:
    """Return how one op runs: in place if that is less than its output beside its input."""
    op = graph.ops[position]
    choices: list[tuple[int, int, Segment]] = [
        (own_bytes(graph, kernels, op, operand), rank, InplaceSegment(position, operand))
        for rank, operand in enumerate(free_operands(graph, kernels, needs, position), start=1)
    ]
    choices.append((own_bytes(graph, kernels, op, None), 0, LayerSegment(position)))
    return min(choices, key=lambda choice: choice[:2])[2]


def own_bytes(graph: Graph, kernels: KernelSet, op: Op, operand: int | None) -> int:
    """Return the bytes that an op adds to its inputs while it runs."""
    own = align(scratch_bytes(kernels, graph, op, operand))
    if operand is None:
        own += sum(align(graph.tensor(t).size_bytes) for t in op.outputs)
    return own


def free_operands(graph: Graph, kernels: KernelSet, needs: Needs, position: int) -> Iterator[int]:
    """Yield the operands whose bytes the output of an op may take."""
    op = graph.ops[position]
    for operand in inplace_operands(kernels, graph, op):
        taken = op.inputs[operand]
        has_other_name = any(
            t != taken and needs.content_of(t) == needs.content_of(taken) for t in op.inputs
        )
        if needs.is_dead_after(taken, position) and not has_other_name:
            yield operand
