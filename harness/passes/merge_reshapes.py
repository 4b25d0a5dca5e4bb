"""Leave at most one RESHAPE between two ops that compute.

A RESHAPE of a RESHAPE reads the first one's input; one that changes nothing goes. The rest stay:
the scheduler lets their output be their input's bytes.
"""

from __future__ import annotations

from dataclasses import replace

from harness.ir import Graph, Op, TensorId
from harness.ir.ops import Reshape
from harness.passes.rewrite import bypass, interchangeable


def merge_reshapes(graph: Graph) -> Graph:
    """Return the graph with chains of RESHAPE merged and idle ones gone."""
    source: dict[TensorId, TensorId] = {}
    ops: list[Op] = []
    for op in graph.ops:
        if not isinstance(op, Reshape):
            ops.append(op)
            continue
        x = source.get(op.inputs[0], op.inputs[0])
        source[op.outputs[0]] = x
        ops.append(replace(op, inputs=(x, *op.inputs[1:])))
    merged = replace(graph, ops=tuple(ops))
    idle = [
        position
        for position, op in enumerate(merged.ops)
        if isinstance(op, Reshape)
        and interchangeable(merged.tensor(op.inputs[0]), merged.tensor(op.outputs[0]))
    ]
    return bypass(merged, idle)
