"""The generated C of a small model in each kind of schedule, as text that people read."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.codegen.model_c import generate
from harness.ir import Graph, TensorId
from harness.ir.ops import Add
from harness.schedule.plan import PatchSegment, Plan, Rows, StreamSegment
from harness.schedule.search import plan
from harness.schedule.verify import verify_plan
from tests.fused import sparse_plan
from tests.golden.compare import assert_golden
from tests.graphs import GraphBuilder, chain_graph
from tests.host_c.native import HOST

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("name", ["model.c", "model_map.h", "weights.c", "weights.h"])
def test_generated_c_is_what_was_read(name: str) -> None:
    sources = generate(plan(chain_graph(), "inplace"), target=HOST)
    assert_golden(FOLDER / "chain" / name, sources.text(name))


@pytest.mark.parametrize("kind", ["stream", "stripes", "patch"])
@pytest.mark.parametrize("name", ["model.c", "model_map.h"])
def test_the_c_of_fused_segments_is_what_was_read(kind: str, name: str) -> None:
    made = fused_block(kind)
    verify_plan(made)
    assert_golden(FOLDER / kind / name, generate(made, target=HOST).text(name))


def fused_block(kind: str) -> Plan:
    """Return a plan of an inverted residual block with a tail, or without one."""
    graph = block(has_tail=kind == "stream")
    first, *inner = (op.outputs[0] for op in graph.ops[:-1])
    match kind:
        case "stream":
            rows = kept(graph, (graph.inputs[0], 3, 12), (first, 3, 6), *((t, 1, 6) for t in inner))
            rows = tuple(
                r if r.tensor != inner[-1] else Rows(r.tensor, 1, 1, r.offset) for r in rows
            )
            stream = StreamSegment(0, len(graph.ops) - 1, rows, input_by_rows=True)
            return sparse_plan(graph, stream, workspace(graph, rows) + 4 * 8)
        case "stripes":
            rows = kept(graph, (first, 3, 4), *((t, 1, 3) for t in inner))
            stream = StreamSegment(0, len(graph.ops) - 1, rows, stripes=2)
            return sparse_plan(graph, stream, workspace(graph, rows))
        case _:
            rows = kept(graph, (first, 4, 4), *((t, 3, 3) for t in inner))
            patch = PatchSegment(0, len(graph.ops) - 1, (2, 2), rows)
            return sparse_plan(graph, patch, workspace(graph, rows))


def block(*, has_tail: bool) -> Graph:
    build = GraphBuilder("block")
    x = build.conv(build.input((1, 12, 12, 3)), 8, stride=(2, 2))
    y = build.binary(Add, x, build.conv(build.depthwise(x), 8, (1, 1)))
    if has_tail:
        build.fully_connected(build.mean(y), 3)
    return build.graph()


def kept(graph: Graph, *sizes: tuple[TensorId, int, int]) -> tuple[Rows, ...]:
    """Return (tensor, rows, columns) one after the other."""
    made, offset = [], 0
    for tensor, rows, columns in sizes:
        made.append(Rows(tensor, rows, columns, offset))
        offset += rows * columns * graph.tensor(tensor).shape[-1]
    return tuple(made)


def workspace(graph: Graph, rows: tuple[Rows, ...]) -> int:
    last = rows[-1]
    return last.offset + last.rows * last.columns * graph.tensor(last.tensor).shape[-1]
