"""What a graph asks for, before the passes and after each, as records and plans tell it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.ir import Graph
from harness.ir.macs import graph_macs, graph_weights_bytes
from harness.passes.pipeline import Stage
from harness.results.record import PassPart, WorkPart


def work_part(graph: Graph) -> WorkPart:
    """Return the work of one inference of a graph."""
    return WorkPart(
        ops=len(graph.ops), macs=graph_macs(graph), weights_bytes=graph_weights_bytes(graph)
    )


def pass_parts(stages: Sequence[Stage]) -> tuple[PassPart, ...]:
    """Return what each pass left."""
    return tuple(PassPart(name=stage.name, left=work_part(stage.graph)) for stage in stages)
