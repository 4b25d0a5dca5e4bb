"""Leaving out what nothing touches."""

from __future__ import annotations

from dataclasses import replace

from harness.ir.graph import Graph
from harness.ir.tensor import TensorId


def compact(graph: Graph) -> Graph:
    """Return the graph without tensors that no op, input or output names; order is kept."""
    used = {*graph.inputs, *graph.outputs}
    for op in graph.ops:
        used.update(op.inputs, op.outputs)
    kept = [TensorId(t) for t in range(len(graph.tensors)) if t in used]
    renumbered = {old: TensorId(new) for new, old in enumerate(kept)}

    def rename(ids: tuple[TensorId, ...]) -> tuple[TensorId, ...]:
        return tuple(renumbered[t] for t in ids)

    return replace(
        graph,
        tensors=tuple(graph.tensors[t] for t in kept),
        ops=tuple(
            replace(op, inputs=rename(op.inputs), outputs=rename(op.outputs)) for op in graph.ops
        ),
        inputs=rename(graph.inputs),
        outputs=rename(graph.outputs),
    )
