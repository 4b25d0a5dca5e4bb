"""The cost model: an estimate for every kind of op, from weights that were fitted."""

from __future__ import annotations

import numpy as np
import pytest

from harness.ir.ops import Add, Dequantize
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
from harness.schedule.search import plan
from harness.schedule.work import estimated_instructions
from tests.graphs import GraphBuilder, residual_graph


def test_every_kind_of_op_has_a_class_with_weights() -> None:
    build = GraphBuilder()
    x = build.conv(build.conv(build.input((1, 8, 8, 8)), 8), 8, (1, 1))
    x = build.binary(Add, x, build.depthwise(x))
    x = build.logistic(build.pad(x, (0, 0), (1, 1), (1, 1), (0, 0)))
    x = build.mean(x, (1, 2))
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
    expected = [4 * 4 * 6 * 9 * 8, 4 * 4 * 6, 4 * 4 * 8, 16, 4 * 6, 6, 1]
    np.testing.assert_array_equal(features(graph, graph.ops[0]), expected)


def test_estimate_of_an_op_is_its_weighted_features() -> None:
    build = GraphBuilder()
    x = build.input((1, 4, 2, 8))
    build.binary(Add, x, x)
    graph = build.graph()
    weights = COSTS["portable"].classes["binary"].weights
    expected = sum(w * f for w, f in zip(weights, (0, 64, 64, 8, 32, 8, 1), strict=True))
    assert instructions(PORTABLE, graph, graph.ops[0], None) == pytest.approx(expected)


def test_features_by_rows_are_counted_by_hand() -> None:
    build = GraphBuilder()
    build.depthwise(build.input((1, 8, 4, 3)), (3, 3), stride=(2, 2))
    graph = build.graph()
    made, call = row_features(graph, graph.ops[0])
    np.testing.assert_array_equal(made, [4 * 2 * 3 * 9, 4 * 2 * 3, 4 * 3 * 4 * 3, 4 * 2, 0, 0])
    np.testing.assert_array_equal(call, [0, 0, 0, 0, 1, 3])


def test_a_class_that_was_not_seen_by_rows_costs_what_it_costs_whole() -> None:
    graph = residual_graph()
    unseen = KernelSet(Isa.PORTABLE)
    for op in graph.ops:
        made, call = row_instructions(unseen, graph, op)
        assert made > 0
        assert call >= 0
        if op_class(graph, op, None) not in COSTS["portable"].rows:
            assert (made, call) == (instructions(unseen, graph, op, None), 0.0)


def test_plan_costs_what_its_segments_cost() -> None:
    graph = residual_graph()
    made = plan(graph, "layer")
    each = [instructions(PORTABLE, graph, op, None) for op in graph.ops]
    assert estimated_instructions(made) == pytest.approx(sum(each))
