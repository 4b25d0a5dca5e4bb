"""Streams, stripes and patches of random graphs: sound, never worse, and never done twice.

The verifier replays every plan that is made here, and it shares no code with what made it.
"""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from harness.errors import DoesNotFitError, InputError
from harness.ir import Graph
from harness.ir.macs import graph_macs
from harness.schedule.choices import Choices
from harness.schedule.limits import can_come_by_rows
from harness.schedule.patching import first_op
from harness.schedule.plan import FusedSegment, Plan
from harness.schedule.search import SCHEDULES, assemble, pareto, plan
from harness.schedule.stream import Cut
from harness.schedule.work import estimated_instructions, executed_macs
from tests.graphs import GraphBuilder, residual_graph, with_flat_input
from tests.strategies import op_graphs, random_graphs

graphs = random_graphs() | op_graphs()


def live_bytes(made: Plan) -> int:
    return max(made.live_bytes(), default=0)


@given(graphs, st.sampled_from(SCHEDULES))
def test_every_schedule_has_a_sound_plan(graph: Graph, schedule: str) -> None:
    assert plan(graph, schedule).schedule == schedule


@given(graphs)
def test_stream_needs_no_more_than_in_place_and_computes_nothing_twice(graph: Graph) -> None:
    # Without a limit it may spend some bytes more than the least on less work.
    limit = plan(graph, "inplace").planned_peak_bytes
    made = plan(graph, "stream", limit=limit)
    assert made.planned_peak_bytes <= limit
    assert executed_macs(made) <= graph_macs(graph)


@given(graphs | graphs.map(with_flat_input))
def test_input_by_rows_is_done_or_refused(graph: Graph) -> None:
    if not can_come_by_rows(graph):
        with pytest.raises(InputError, match="cannot be delivered by rows"):
            plan(graph, "stream", input_by_rows=True)
        return
    for made in (plan(graph, "stream", input_by_rows=True), *pareto(graph, input_by_rows=True)):
        held = {t for a in made.allocations for t in a.tensors}
        assert not held & set(made.graph.inputs)


@given(graphs, st.data())
def test_any_run_that_may_be_fused_is_sound(graph: Graph, data: st.DataObject) -> None:
    choices = Choices(graph)
    ends = [e for e in range(1, len(graph.ops) + 1) if choices.fusion.starts[e] < e]
    assume(ends)
    end = data.draw(st.sampled_from(ends))
    stripes, chunk = data.draw(st.integers(1, 3)), data.draw(st.sampled_from([None, 1, 2, 3]))
    batch = data.draw(st.integers(1, 4)) if chunk is None else 1
    first = data.draw(st.integers(choices.fusion.starts[end], end - 1))
    cuts = Cut(stripes, chunk, batch), Cut(stripes)  # no chunks are offered where none are shorter
    offered = [c for cut in cuts for c in choices.streams_to(end, cut) if c.first == first]
    width = choices.fusion.graph.tensor(graph.ops[end - 1].outputs[0]).shape
    assume(len(width) == 4 and stripes <= width[2])
    fused = choices.packed(offered[0])
    assert fused.segment is not None
    alone = [next(iter(choices.singles(i))).segment for i in range(len(graph.ops))]
    segments = [s for s in (*alone[:first], fused.segment, *alone[end:]) if s is not None]
    made = assemble(graph, "by hand", segments)
    assert offered[0].peak_bytes <= fused.peak_bytes
    assert isinstance(made.segments[first], FusedSegment)


@given(graphs, st.data())
def test_patches_set_by_hand_are_sound_or_refused(graph: Graph, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(graph.ops) + 1))
    grid = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    try:
        made = plan(graph, "patch", patch=(count, grid))
    except InputError:
        return
    stage = next(s for s in made.segments if s.kind == "patch")
    assert stage.ops == range(first_op(Choices(graph)), count)


@given(graphs)
def test_no_plan_of_a_front_beats_another(graph: Graph) -> None:
    front = pareto(graph)
    assert front
    for a, b in combinations(front, 2):
        assert b.planned_peak_bytes < a.planned_peak_bytes
        assert estimated_instructions(b) >= estimated_instructions(a) * (1 - 1e-9)


@given(graphs, st.data())
def test_front_and_auto_agree_at_every_limit(graph: Graph, data: st.DataObject) -> None:
    front = pareto(graph)
    work = [estimated_instructions(made) for made in front]
    assert work == sorted(set(work))
    least, most = front[-1].planned_peak_bytes, front[0].planned_peak_bytes
    limit = data.draw(st.integers(least, most))
    made = plan(graph, "auto", limit=limit)
    best = min(estimated_instructions(p) for p in front if p.planned_peak_bytes <= limit)
    assert estimated_instructions(made) == pytest.approx(best)
    with pytest.raises(DoesNotFitError):
        plan(graph, "auto", limit=least - 1)


@given(graphs, st.integers(0, 100))
def test_auto_fits_the_limit_or_says_what_is_least(graph: Graph, percent: int) -> None:
    limit = plan(graph, "inplace").planned_peak_bytes * percent // 100
    try:
        made = plan(graph, "auto", limit=limit)
    except DoesNotFitError:
        assert plan(graph, "stream").planned_peak_bytes > limit
    else:
        assert made.planned_peak_bytes <= limit


def test_limit_that_no_plan_meets_is_told_with_the_least_possible() -> None:
    with pytest.raises(DoesNotFitError, match=r"no plan of schedule auto fits into .*; the least"):
        plan(residual_graph(), "auto", limit=16)


def dequantized() -> Graph:
    """Rows no longer than chunks of them, and an output as large as the input."""
    build = GraphBuilder()
    build.dequantize(build.conv(build.input((1, 4, 4, 1)), 1, (1, 1), stride=(2, 2)))
    return build.graph()


def one_pixel_mean() -> Graph:
    """An output of one byte, all of whose word the workspace shares."""
    build = GraphBuilder()
    build.mean(build.input((1, 1, 1, 1)))
    return build.graph()


@given(graphs, st.booleans())
@example(one_pixel_mean(), True)
@example(dequantized(), False)
def test_no_choice_needs_fewer_bytes_than_its_lower_bound(graph: Graph, by_rows: bool) -> None:
    choices = Choices(graph, input_by_rows=by_rows)
    assume(not by_rows or choices.fusion.input_by_rows is not None)
    for end in range(1, len(graph.ops) + 1):
        if choices.fusion.starts[end] < end:
            for cut in (Cut(), Cut(stripes=2), Cut(chunk=2), Cut(batch=2)):
                for choice in choices.streams_to(end, cut):
                    assert choices.packed(choice).peak_bytes >= choice.peak_bytes
