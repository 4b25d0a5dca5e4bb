"""Needs: until when the content of each tensor is needed, under whichever name.

An op that moves nothing (RESHAPE) gives a tensor's content a second name in the same bytes. The
bytes needed at a *cut*, between two ops, depend only on the cut: whatever runs before and after it,
what was made before and is read after must be whole there.
"""

from __future__ import annotations

from functools import cached_property

from harness.ir import Graph, TensorId
from harness.kernels.library import is_alias
from harness.schedule.plan import align


class Needs:
    """Contents of a graph and their lives."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._content: dict[TensorId, TensorId] = {}
        for op in graph.ops:
            if is_alias(graph, op):
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
        return self._last_read.get(self.content_of(tensor_id), -1) <= position

    @cached_property
    def at_cuts(self) -> tuple[int, ...]:
        """The bytes needed at each cut, from before the first op to after the last."""
        graph, made = self._graph, dict.fromkeys(self._graph.inputs, -1)
        for position, op in enumerate(graph.ops):
            made.update(dict.fromkeys(op.outputs, position))
        changes = [0] * (len(graph.ops) + 2)
        for tensor_id, position in made.items():
            last = self._last_read.get(tensor_id, position)
            if self.content_of(tensor_id) == tensor_id and not graph.tensor(tensor_id).is_constant:
                size = align(graph.tensor(tensor_id).size_bytes)
                changes[position + 1] += size
                changes[last + 1] -= size
        at_cuts, alive = [], 0
        for change in changes[:-1]:
            alive += change
            at_cuts.append(alive)
        return tuple(at_cuts)
