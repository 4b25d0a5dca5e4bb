"""What is advised where nothing fits: only what was tried and fits."""

from __future__ import annotations

import pytest

from harness.errors import DoesNotFitError
from harness.ir import Graph
from harness.kernels.kernel_set import PORTABLE
from harness.schedule.advice import what_fits
from harness.schedule.search import plan
from tests.graphs import GraphBuilder


def graph_with_a_large_input() -> Graph:
    build = GraphBuilder()
    x = build.conv(build.input((1, 32, 32, 4)), 8, (3, 3), stride=(2, 2))
    build.conv(build.depthwise(x), 4, (1, 1))
    return build.graph()


def least(graph: Graph, schedule: str, *, by_rows: bool = False) -> int:
    return plan(graph, schedule, input_by_rows=by_rows).planned_peak_bytes


def advised(graph: Graph, limit: int, schedule: str) -> list[str]:
    return list(what_fits(graph, PORTABLE, limit, schedule=schedule, input_by_rows=False))


def test_what_is_advised_fits_and_what_does_not_is_not() -> None:
    graph = graph_with_a_large_input()
    whole, resident = least(graph, "layer"), least(graph, "stream")
    by_rows = least(graph, "stream", by_rows=True)
    assert by_rows < resident < whole
    assert advised(graph, resident, "layer") == ["--schedule auto"]
    assert advised(graph, by_rows, "layer") == ["--schedule auto --input-by-rows"]
    assert advised(graph, by_rows, "auto") == ["--input-by-rows"]
    assert advised(graph, by_rows // 2, "layer") == []


def test_rows_are_not_advised_where_the_peak_is_elsewhere() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 4, 4, 1)), 64, (3, 3))
    build.softmax(build.fully_connected(x, 4000))
    assert advised(build.graph(), 7000, "auto") == []


def test_refusal_names_the_limit_that_could_be_met() -> None:
    graph = graph_with_a_large_input()
    with pytest.raises(DoesNotFitError) as caught:
        plan(graph, "auto", limit=100)
    said = caught.value.hint.replace(",", "")
    assert str(plan(graph, "auto", limit=int(said.split()[4])).planned_peak_bytes) in said
