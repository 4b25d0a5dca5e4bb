"""Generated C of fused segments equals the reference bit for bit, with sanitizers on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.ir import DType, Graph
from harness.ir.ops import Add, Padding
from harness.ir.types import REQUANTIZATIONS
from harness.reference.interpreter import run
from harness.schedule.fusion import Fusion
from harness.schedule.inplace import layer_segments
from harness.schedule.plan import Plan, StreamSegment
from harness.schedule.rings import chunks
from harness.schedule.search import assemble
from harness.schedule.search import plan as make_plan
from harness.schedule.stream import Cut, Streams
from harness.schedule.verify import verify_plan
from tests.fused import fused_plan
from tests.graphs import (
    GraphBuilder,
    chain_graph,
    quantized_graph,
    random_inputs,
    residual_graph,
    with_flat_input,
)
from tests.host_c import native, plans

pytestmark = pytest.mark.host_c

NETWORKS = 8
"""In one program."""

FUSIONS = {
    "stream": plans.stream,
    "batches": plans.batches,
    "stripes": plans.stripes,
    "patches": plans.patches,
}


class Drawn:
    """A plan; hypothesis would print all weights."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __repr__(self) -> str:
        return repr(self.plan.segments)


@st.composite
def drawn_plans(draw: st.DrawFn, fusion: str) -> Drawn:
    """Draw a plan of several networks, so that they are compiled at once."""
    graphs = draw(st.lists(plans.networks(), min_size=NETWORKS, max_size=NETWORKS))
    return Drawn(draw(plans.plans(native.union(graphs), FUSIONS[fusion])))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_segments_equal_the_reference(fusion: str) -> None:
    @given(drawn_plans(fusion))
    @settings(
        max_examples=3,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def check(drawn: Drawn) -> None:
        verify_plan(drawn.plan)
        assert_equals_reference(drawn.plan)

    check()


@given(st.lists(plans.networks(), min_size=4, max_size=4))
@settings(
    max_examples=2,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_the_least_plan_equals_the_reference(graphs: list[Graph]) -> None:
    assert_equals_reference(make_plan(native.union(graphs), "stream"))


ARRIVING = {
    "chain": chain_graph(),
    "residual": residual_graph(),
    "vector": with_flat_input(chain_graph()),
}


@pytest.mark.parametrize("graph", ARRIVING.values(), ids=ARRIVING)
def test_an_input_that_arrives_by_rows(graph: Graph) -> None:
    assert_equals_reference(make_plan(graph, "stream", input_by_rows=True))


@pytest.mark.parametrize("dtype", REQUANTIZATIONS)
def test_an_input_of_any_width_that_arrives_by_rows(dtype: DType) -> None:
    graph = quantized_graph(dtype)
    made = make_plan(graph, "stream", input_by_rows=True)
    assert made.fetches_input
    assert_equals_reference(made)


def test_branches_are_pulled_in_the_order_for_which_their_rows_share_bytes() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 6, 6, 4)), 4, (1, 1))
    first, second = (build.conv(build.conv(x, 16, (1, 1)), 4, (1, 1)) for _ in range(2))
    build.binary(Add, second, first)
    graph = build.graph()
    segment = Streams(Fusion(graph)).segment(0, len(graph.ops))
    size = plans.workspace_bytes(graph, segment)
    assert size < 24 * (4 + 16 + 4 + 16 + 4), "rows share bytes"
    assert_equals_reference(plans.spread_plan(graph, [segment], {segment: size}))


@pytest.mark.parametrize("cut", [Cut(1, 4), Cut(1, 2), Cut(2, 2)], ids=str)
def test_rows_in_chunks(cut: Cut) -> None:
    """Chains of two and three ops, at the end and in the middle, over odd widths, with branches."""
    build = GraphBuilder()
    x = build.conv(build.input((1, 9, 11, 3)), 4, (1, 1))
    y = build.binary(Add, x, build.conv(build.depthwise(build.conv(x, 6, (1, 1))), 4, (1, 1)))
    y = build.conv(build.depthwise(y, (1, 3), stride=(1, 2)), 5, (1, 1))
    build.logistic(build.conv(build.depthwise(y, dilation=(2, 1)), 3, (1, 1)))
    graph = build.graph()
    segment = Streams(Fusion(graph)).segment(0, len(graph.ops), cut=cut)
    assert len(chunks(graph, segment)) == 5
    made = plans.spread_plan(graph, [segment], {segment: plans.workspace_bytes(graph, segment)})
    verify_plan(made)
    assert_equals_reference(made)


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_rows_in_batches(batch: int) -> None:
    """With windows of both strides, a sum, a sum over all rows, and a height that they divide."""
    build = GraphBuilder()
    x = build.conv(build.input((1, 25, 6, 3)), 4, (3, 3), stride=(2, 2))
    y = build.binary(Add, x, build.conv(build.depthwise(build.depthwise(x)), 4, (1, 1)))
    build.mean(build.depthwise(y, (3, 3), stride=(2, 1)))
    graph = build.graph()
    for end in (len(graph.ops) - 1, len(graph.ops)):
        segment = Streams(Fusion(graph)).segment(0, end, cut=Cut(batch=batch))
        assert segment.batch == batch
        alone = layer_segments(graph)[end:]
        made = assemble(graph, "stream", [segment, *alone])
        assert_equals_reference(made)


def test_rows_at_the_end_that_no_op_reads_are_not_fetched() -> None:
    build = GraphBuilder()
    build.conv(build.input((1, 8, 5, 2)), 3, (2, 3), stride=(3, 1), padding=Padding())
    assert_equals_reference(make_plan(build.graph(), "stream", input_by_rows=True))


def test_a_kernel_with_more_rows_than_are_looked_up_at_once() -> None:
    build = GraphBuilder()
    x = build.depthwise(build.input((1, 23, 4, 3)), (19, 3))
    build.depthwise(x, (17, 1), stride=(2, 1))
    graph = build.graph()
    assert_equals_reference(make_plan(graph, "layer"))
    assert_equals_reference(fused_plan(graph, StreamSegment(0, 1)))


def assert_equals_reference(plan: Plan) -> None:
    graph = plan.graph
    samples = [random_inputs(graph, seed) for seed in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        program = native.build_plan(plan, Path(folder))
        results = native.run(program, graph, *samples)
    producers = graph.producers()
    for inputs, outputs in zip(samples, results, strict=True):
        expected = run(graph, inputs)
        for tensor_id, got, wanted in zip(graph.outputs, outputs, expected, strict=True):
            made_by = next(s for s in plan.segments if producers[tensor_id] in s.ops)
            ops = [graph.ops[i] for i in made_by.ops]
            np.testing.assert_array_equal(got, wanted, err_msg=f"{made_by}\n{ops}")
