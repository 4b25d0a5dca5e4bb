"""Remove ops that no model output needs, and tensors that no op touches."""

from __future__ import annotations

from harness.ir import Graph
from harness.ir.compact import compact
from harness.passes.rewrite import without_ops


def remove_dead(graph: Graph) -> Graph:
    """Return the graph with only what its outputs need; model inputs stay."""
    needed = set(graph.outputs)
    dead: set[int] = set()
    for position in reversed(range(len(graph.ops))):
        op = graph.ops[position]
        if needed.isdisjoint(op.outputs):
            dead.add(position)
        else:
            needed.update(op.inputs)
    return compact(without_ops(graph, dead))
