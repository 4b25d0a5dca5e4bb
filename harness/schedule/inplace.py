"""Which ops run in place.

TinyEngine's idea (MCUNet, arXiv:2007.10319): a depthwise convolution may overwrite its input
channel by channel, an element-wise op element by element. It saves the output's bytes and may
cost scratch, so it does not always pay.

While a segment runs, the bytes alive are those of tensors that outlast it, which no choice
changes, and those of its own op, which only its own choice changes. So choosing the least for
each op alone gives the least peak of live bytes for the whole graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.ir import Graph, Op, TensorId
from harness.kernels.library import inplace_operands, is_alias, scratch_bytes
from harness.schedule.plan import AliasSegment, InplaceSegment, LayerSegment, Segment, align


def layer_segments(graph: Graph) -> tuple[LayerSegment | AliasSegment, ...]:
    """Return one segment an op, nothing in place; ops that move nothing are aliases."""
    return tuple(
        AliasSegment(position) if is_alias(graph, op) else LayerSegment(position)
        for position, op in enumerate(graph.ops)
    )


def inplace_segments(graph: Graph) -> tuple[Segment, ...]:
    """Return one segment an op, each in place where that needs fewer bytes than not."""
    segments = layer_segments(graph)
    needs = _Needs(graph, segments)
    return tuple(
        segment if isinstance(segment, AliasSegment) else _choose(graph, needs, segment.op)
        for segment in segments
    )


class _Needs:
    """Until when the content of each tensor is needed, under whichever name (aliases)."""

    def __init__(self, graph: Graph, segments: Sequence[LayerSegment | AliasSegment]) -> None:
        self._content: dict[TensorId, TensorId] = {}
        for segment in segments:
            if isinstance(segment, AliasSegment):
                op = graph.ops[segment.op]
                self._content[op.outputs[0]] = self.content_of(op.inputs[0])
        self._last_read: dict[TensorId, int] = {}
        for position, op in enumerate(graph.ops):
            for tensor_id in op.inputs:
                self._last_read[self.content_of(tensor_id)] = position
        for tensor_id in graph.outputs:
            self._last_read[self.content_of(tensor_id)] = len(graph.ops)

    def content_of(self, tensor_id: TensorId) -> TensorId:
        """Return the tensor that first held the same content in the same bytes."""
        return self._content.get(tensor_id, tensor_id)

    def is_dead_after(self, tensor_id: TensorId, position: int) -> bool:
        """Whether no later op and no caller reads the content of a tensor."""
        return self._last_read[self.content_of(tensor_id)] <= position


def _choose(graph: Graph, needs: _Needs, position: int) -> Segment:
    """Return how one op runs: in place if that is less than its output beside its input."""
    op = graph.ops[position]
    choices: list[tuple[int, int, Segment]] = [
        (_own_bytes(graph, op, operand), rank, InplaceSegment(position, operand))
        for rank, operand in enumerate(_free_operands(graph, needs, position), start=1)
    ]
    choices.append((_own_bytes(graph, op, None), 0, LayerSegment(position)))
    return min(choices, key=lambda choice: choice[:2])[2]


def _own_bytes(graph: Graph, op: Op, operand: int | None) -> int:
    """Return the bytes that an op adds to its inputs while it runs."""
    own = align(scratch_bytes(graph, op, operand))
    if operand is None:
        own += sum(align(graph.tensor(t).size_bytes) for t in op.outputs)
    return own


def _free_operands(graph: Graph, needs: _Needs, position: int) -> Iterator[int]:
    """Yield the operands whose bytes the output of an op may take."""
    op = graph.ops[position]
    for operand in inplace_operands(graph, op):
        taken = op.inputs[operand]
        has_other_name = any(
            t != taken and needs.content_of(t) == needs.content_of(taken) for t in op.inputs
        )
        if needs.is_dead_after(taken, position) and not has_other_name:
            yield operand
