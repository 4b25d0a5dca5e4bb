"""Work: what executing an op costs."""

from __future__ import annotations

from harness.ir import Graph, Op
from harness.ir.macs import op_macs
from harness.schedule.geometry import Axis, cut, length, tile


class Work:
    """The work of the ops of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._ratios: dict[tuple[int, int], dict[int, float]] = {}

    def whole(self, op: Op, operand: int | None) -> float:
        """Return the work of an op on whole tensors."""
        return float(op_macs(self._graph, op) + self._graph.tensor(op.outputs[0]).elements)

    def stream(self, ops: range, stripes: int) -> float:
        """Return the work of ops executed row by row."""
        graph = self._graph
        ratios = _recompute(graph, ops, stripes) if stripes > 1 else {}
        return sum(ratios.get(i, 1.0) * self.whole(graph.ops[i], None) * 1.01 + 100 for i in ops)


def _recompute(graph: Graph, ops: range, stripes: int) -> dict[int, float]:
    """Return, for each op, the columns that are made over the columns that there are."""
    output = graph.ops[ops[-1]].outputs[0]
    made = dict.fromkeys(ops, 0)
    for stripe in cut(length(graph, output, Axis.COLUMNS), stripes):
        touched = tile(graph, ops, Axis.COLUMNS, stripe)
        for i in ops:
            made[i] += touched[graph.ops[i].outputs[0]].length
    return {i: made[i] / length(graph, graph.ops[i].outputs[0], Axis.COLUMNS) for i in ops}
