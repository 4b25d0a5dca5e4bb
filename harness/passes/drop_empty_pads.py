"""Drop PADs that pad nothing. Converted PyTorch models are full of them."""

from __future__ import annotations

from harness.ir import Graph
from harness.ir.ops import Pad
from harness.passes.rewrite import bypass, interchangeable


def drop_empty_pads(graph: Graph) -> Graph:
    """Return the graph without PADs whose output is their input."""
    empty = [
        position
        for position, op in enumerate(graph.ops)
        if isinstance(op, Pad)
        and interchangeable(graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]))
    ]
    return bypass(graph, empty)
