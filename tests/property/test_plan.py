"""Plans of random graphs compute the right thing in the bytes that they say.

The oracles know nothing of the planner: a graph is executed by the reference with all its tensors
in one array of bytes, laid out as the plan says, and compared with the same graph executed with
tensors of their own. Lifetimes are counted here anew.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.ir import Graph, TensorId
from harness.ir.tensor import Array
from harness.reference.interpreter import evaluate, run
from harness.schedule.choices import Choices
from harness.schedule.plan import Allocation, Plan, Purpose
from harness.schedule.search import assemble, plan
from harness.schedule.verify import PlanFaultError, verify_plan
from tests.graphs import GraphBuilder, random_inputs
from tests.strategies import op_graphs, random_graphs

schedules = st.sampled_from(("layer", "inplace"))
"""Those in which tensors are whole; the others have a test module of their own."""


@st.composite
def chains(draw: st.DrawFn) -> Graph:
    """Draw a graph in which each op reads the output of the one before, and nothing shrinks."""
    build = GraphBuilder("chain", draw(st.integers(0, 1000)))
    x = build.input((1, *draw(st.tuples(*[st.integers(2, 9)] * 3))))
    for kind in draw(st.lists(st.integers(0, 4), min_size=1, max_size=10)):
        match kind:
            case 0:
                x = build.conv(x, draw(st.integers(1, 12)), (1, 1))
            case 1:
                x = build.depthwise(x, draw(st.sampled_from([(3, 3), (1, 5), (7, 7)])))
            case 2:
                x = build.logistic(x)
            case 3:
                x = build.pad(x, (0, 0), (0, 1), (1, 0), (0, 0))
            case _:
                _, height, width, channels = build.shape(x)
                x = build.reshape(x, 1, width, height, channels)
    return build.graph()


def lives(graph: Graph) -> dict[TensorId, range]:
    """Return the positions of ops during which each activation must keep its bytes."""
    spans = {t: [-1, -1] for t in graph.inputs}
    for position, op in enumerate(graph.ops):
        for t in op.inputs:
            if t in spans:
                spans[t][1] = position
        for t in op.outputs:
            spans[t] = [position, position]
    for t in graph.outputs:
        spans[t][1] = len(graph.ops)
    return {t: range(first, last + 1) for t, (first, last) in spans.items()}


def together(made: Plan) -> list[tuple[Allocation, Allocation]]:
    """Return pairs of allocations that are alive in the same segment."""
    pairs = itertools.combinations(made.allocations, 2)
    return [(a, b) for a, b in pairs if a.first <= b.last and b.first <= a.last]


def most_alive(made: Plan) -> int:
    """Return the most bytes alive at once, before the first and after the last segment too."""
    return max(
        sum(a.size_bytes for a in made.allocations if a.first <= moment <= a.last)
        for moment in range(-1, len(made.segments) + 1)
    )


def execute(made: Plan, inputs: list[Array]) -> list[Array]:
    """Return the outputs of a plan whose tensors share one array of bytes."""
    graph, rng = made.graph, np.random.default_rng(0)
    arena = rng.integers(0, 255, made.planned_peak_bytes, np.uint8)

    def store(t: TensorId, value: Array) -> None:
        raw = np.frombuffer(value.tobytes(), np.uint8)
        offset = made.allocation(t).offset
        arena[offset : offset + raw.size] = raw

    def load(t: TensorId) -> Array:
        tensor = graph.tensor(t)
        if tensor.data is not None:
            return tensor.data
        offset = made.allocation(t).offset
        raw = arena[offset : offset + tensor.size_bytes].tobytes()
        return np.frombuffer(raw, tensor.dtype.numpy).reshape(tensor.shape)

    for t, value in zip(graph.inputs, inputs, strict=True):
        store(t, value)
    for position, segment in enumerate(made.segments):
        for op in (graph.ops[i] for i in segment.ops):
            scratch = made.scratch(position)
            if scratch is not None:
                arena[scratch.offset : scratch.end] = rng.integers(0, 255, scratch.size_bytes)
            results = evaluate(graph, op, [load(t) for t in op.inputs])
            for t, value in zip(op.outputs, results, strict=True):
                store(t, value)
    return [load(t) for t in graph.outputs]


@given(random_graphs(), schedules)
def test_plan_computes_what_the_graph_computes(graph: Graph, schedule: str) -> None:
    inputs = random_inputs(graph)
    found = execute(plan(graph, schedule), inputs)
    for y, expected in zip(found, run(graph, inputs), strict=True):
        np.testing.assert_array_equal(y, expected)


@given(random_graphs() | op_graphs(), schedules)
def test_bytes_alive_together_do_not_overlap(graph: Graph, schedule: str) -> None:
    made = plan(graph, schedule)
    for a, b in together(made):
        assert a.end <= b.offset or b.end <= a.offset
    for a in made.allocations:
        assert 0 <= a.offset <= a.end <= made.planned_peak_bytes


@given(random_graphs() | op_graphs(), schedules)
def test_tensors_have_their_bytes_as_long_as_they_are_needed(graph: Graph, schedule: str) -> None:
    made = plan(graph, schedule)
    for t, span in lives(graph).items():
        holding = [a for a in made.allocations if t in a.tensors]
        assert len({a.offset for a in holding}) == 1
        assert all(a.size_bytes >= graph.tensor(t).size_bytes for a in holding)
        assert set(span) <= {moment for a in holding for moment in range(a.first, a.last + 1)}


@given(chains(), schedules)
def test_chain_needs_no_more_than_is_alive_at_once(graph: Graph, schedule: str) -> None:
    made = plan(graph, schedule)
    assert made.planned_peak_bytes == most_alive(made)


@given(random_graphs())
def test_in_place_never_has_more_alive_than_layer(graph: Graph) -> None:
    assert most_alive(plan(graph, "inplace")) <= most_alive(plan(graph, "layer"))


@given(random_graphs(), schedules, st.data())
def test_two_tensors_in_one_place_are_caught(
    graph: Graph, schedule: str, data: st.DataObject
) -> None:
    made = plan(graph, schedule)
    pairs = together(made)
    assume(pairs)
    a, b = data.draw(st.sampled_from(pairs))
    # As much of an overlap as one word, from above or from below, or all of it.
    offset = data.draw(st.sampled_from([b.offset, b.end - 4, max(0, b.offset - a.size_bytes + 4)]))
    moved = {piece: replace(piece, offset=offset) for piece in whole_block(made, a)}
    wrong = tuple(moved.get(each, each) for each in made.allocations)
    with pytest.raises(PlanFaultError):
        verify_plan(replace(made, allocations=wrong))


@given(random_graphs(), schedules, st.data())
def test_lifetime_shorter_by_one_is_caught(
    graph: Graph, schedule: str, data: st.DataObject
) -> None:
    made = plan(graph, schedule)
    tensors = [a for a in made.allocations if a.purpose is Purpose.TENSOR]
    a = data.draw(st.sampled_from(tensors))
    shorter = data.draw(
        st.sampled_from([replace(a, first=a.first + 1), replace(a, last=a.last - 1)])
    )
    wrong = tuple(shorter if each is a else each for each in made.allocations)
    with pytest.raises(PlanFaultError, match="is needed in segments"):
        verify_plan(replace(made, allocations=wrong))


def whole_block(made: Plan, a: Allocation) -> list[Allocation]:
    """Return the allocations that must move together with one: those that share a tensor."""
    block = [a]
    for each in made.allocations:
        if each is not a and any(set(each.tensors) & set(piece.tensors) for piece in block):
            block.append(each)
    return block


@given(chains())
def test_in_place_takes_the_fewest_bytes_of_all_ways(graph: Graph) -> None:
    choices = Choices(graph)
    ways = [
        [segment for c in choices.singles(i) if (segment := c.segment) is not None]
        for i in range(len(graph.ops))
    ]
    assume(math.prod(map(len, ways)) <= 64)
    plans = (assemble(graph, "by hand", segments) for segments in itertools.product(*ways))
    least = min(made.planned_peak_bytes for made in plans)
    assert plan(graph, "inplace").planned_peak_bytes == least
