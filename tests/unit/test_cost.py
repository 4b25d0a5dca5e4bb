"""The cost model: an estimate for every kind of op, from weights that were fitted."""

from __future__ import annotations

import numpy as np
import pytest

from harness.ir.ops import Add, Dequantize, MaxPool2D
from harness.kernels.cost import (
    FEATURES,
    ROW_FEATURES,
    features,
    instructions,
    op_class,
    row_features,
    row_instructions,
)
from harness.kernels.cost_data import COSTS
from harness.kernels.kernel_set import PORTABLE, Isa, KernelSet
from harness.kernels.library import row_variant, variant
from harness.schedule.fusion import Fusion
from harness.schedule.plan import StreamSegment
from harness.schedule.search import plan
from harness.schedule.work import Work, estimated_instructions
from tests.graphs import GraphBuilder, residual_graph

DSP = KernelSet(Isa.ARMV7EM)


def test_every_kind_of_op_has_a_class_with_weights() -> None:
    build = GraphBuilder()
    x = build.conv(build.conv(build.input((1, 8, 8, 8)), 8), 8, (1, 1))
    x = build.binary(Add, x, build.depthwise(x))
    x = build.logistic(build.pad(x, (0, 0), (1, 1), (1, 1), (0, 0)))
    x = build.mean(build.pool(MaxPool2D, x), (1, 2))
    build.softmax(build.fully_connected(x, 4))
    stem = build.conv(build.input((1, 8, 8, 3)), 4, (3, 3))
    build.emit(Dequantize(inputs=(stem,), outputs=build.next_ids()), build.tensors[stem])
    graph = build.graph()
    kinds = {op_class(graph, op, None) for op in graph.ops} | {"depthwise_inplace"}
    for model in COSTS.values():
        assert kinds == set(model.classes)
        for weights, _, _ in model.classes.values():
            assert len(weights) == len(FEATURES)
            assert min(weights) >= 0
        assert set(model.rows) <= kinds
        for weights, _, _ in model.rows.values():
            assert len(weights) == len(ROW_FEATURES)
            assert min(weights) >= 0


def test_features_are_counted_by_hand() -> None:
    build = GraphBuilder()
    build.conv(build.input((1, 4, 4, 8)), 6, (3, 3))
    graph = build.graph()
    expected = [4 * 4 * 6 * 9 * 8, 4 * 4 * 6, 4 * 4 * 8, 16, 4 * 6, 6, 1, 7]
    np.testing.assert_array_equal(features(graph, graph.ops[0], loops=7), expected)


def test_estimate_of_an_op_is_its_weighted_features() -> None:
    build = GraphBuilder()
    x = build.input((1, 4, 2, 8))
    build.binary(Add, x, x)
    graph = build.graph()
    weights = COSTS["portable"].classes["binary"].weights
    expected = sum(w * f for w, f in zip(weights, (0, 64, 64, 8, 32, 8, 1, 0), strict=True))
    assert instructions(PORTABLE, graph, graph.ops[0], None) == pytest.approx(expected)


def test_features_by_rows_are_counted_by_hand() -> None:
    build = GraphBuilder()
    build.depthwise(build.input((1, 8, 4, 3)), (3, 3), stride=(2, 2))
    graph = build.graph()
    two_rows = row_features(graph, graph.ops[0], 2, 2, loops=5)
    np.testing.assert_array_equal(two_rows, [4 * 3 * 9, 4 * 3, 5 * 4 * 3, 4, 1, 3, 5])
    in_parts = row_features(graph, graph.ops[0], 1, 2, at_once=1)
    np.testing.assert_array_equal(in_parts, [2 * 3 * 9, 2 * 3, 3 * 6 * 3, 2, 2, 6, 0])


def test_a_class_that_was_not_seen_by_rows_costs_its_share_of_what_it_costs_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(COSTS, "portable", COSTS["portable"]._replace(rows={}))
    build = GraphBuilder()
    build.conv(build.input((1, 8, 8, 8)), 6)
    graph = build.graph()
    call = row_features(graph, graph.ops[0], 2, 8)
    whole = instructions(PORTABLE, graph, graph.ops[0], None)
    assert row_instructions(PORTABLE, graph, graph.ops[0], call) == pytest.approx(whole / 4)


def test_a_kernel_that_is_silent_of_its_loops_costs_what_a_portable_one_does() -> None:
    build = GraphBuilder()
    build.depthwise(build.input((1, 8, 8, 3)))
    graph, op = build.graph(), build.graph().ops[0]
    assert COSTS[DSP.isa.value].classes["depthwise"].weights[-1] > 0
    assert variant(DSP, graph, op, None).loops == 0
    assert instructions(DSP, graph, op, None) == instructions(PORTABLE, graph, op, None)
    call = row_features(graph, op, 1, 8)
    assert row_instructions(DSP, graph, op, call) == row_instructions(PORTABLE, graph, op, call)


@pytest.mark.parametrize("kernel", [(3, 3), (5, 5)])
def test_narrow_rows_take_more_one_by_one_than_together(kernel: tuple[int, int]) -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 8, 5, 8)), 8, (1, 1))
    build.depthwise(build.conv(x, 8), kernel)
    graph = build.graph()
    for op in graph.ops:
        loops = row_variant(DSP, graph, op, 4096).loops
        assert loops is not None
        alone, together = loops(1, 5, in_batches=False), loops(4, 5, in_batches=True)
        assert together < 0.97 * 4 * alone


def test_short_scratch_expands_windows_more_than_once() -> None:
    build = GraphBuilder()
    build.depthwise(build.input((1, 20, 40, 8)), (7, 7))
    graph, op = build.graph(), build.graph().ops[0]
    least, most = (row_variant(DSP, graph, op, room) for room in (0, 4096))
    assert least.loops is not None
    assert most.loops is not None
    assert least.columns is not None
    assert least.loops(1, 40, in_batches=False) > 1.2 * most.loops(1, 40, in_batches=False)


def test_a_stream_counts_the_calls_that_it_makes() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 8, 5, 8)), 8, (1, 1))
    build.depthwise(x)
    shares = Work(Fusion(build.graph(), DSP)).shares(StreamSegment(0, 1, batch=4))
    assert shares[1].calls == ((4, 5, 2),)
    # Rows 0 to 4 are asked for first, as the window of row 3 sees the one below: all at once.
    assert sorted(shares[0].calls) == [(3, 5, 1), (5, 5, 1)]
    assert shares[0].in_batches


def test_plan_costs_what_its_segments_cost() -> None:
    graph = residual_graph()
    made = plan(graph, "layer")
    each = [instructions(PORTABLE, graph, op, None) for op in graph.ops]
    assert estimated_instructions(made) == pytest.approx(sum(each))
