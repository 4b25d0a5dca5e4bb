"""How the kernels for MVE choose the lines of depthwise convolutions."""

from __future__ import annotations

import pytest

from harness.ir import Graph
from harness.ir.ops import DepthwiseConv2D, Window
from harness.kernels.mve.depthwise import depthwise_row
from harness.kernels.mve.lines import Lines, batch_lines, whole_lines
from harness.kernels.mve.planes import planes_of
from tests.graphs import GraphBuilder, pad_same


def depthwise(size: int, kernel: int, *, stride: int = 1, channels: int = 16) -> Graph:
    window = Window(kernel=(kernel, kernel), stride=(stride, stride))
    build = GraphBuilder("depthwise")
    x = build.input((1, size, size, channels), quantized=(0.05, -128))
    padding = pad_same((size, size), window)
    build.depthwise(x, window.kernel, stride=window.stride, padding=padding)
    return build.graph()


def lines_of(graph: Graph, *, is_inplace: bool = False, may_go_by_channel: bool = True) -> Lines:
    (op,) = graph.ops
    assert isinstance(op, DepthwiseConv2D)
    planes = planes_of(graph, op, may_turn=True)
    return whole_lines(planes, is_inplace=is_inplace, may_go_by_channel=may_go_by_channel)


@pytest.mark.parametrize(
    ("size", "kernel", "left"), [(3, 7, (1, 6)), (3, 5, (0, 5)), (5, 7, (0, 7))]
)
def test_taps_that_only_see_padding_are_dropped(
    size: int, kernel: int, left: tuple[int, int]
) -> None:
    graph = depthwise(size, kernel)
    (op,) = graph.ops
    assert isinstance(op, DepthwiseConv2D)
    planes = planes_of(graph, op, may_turn=True)
    first, end = left
    assert planes.taps == (slice(first, end), slice(first, end))
    assert planes.window.kernel == (end - first, end - first)
    assert planes.window.padding.top == kernel // 2 - first


def test_small_planes_go_by_channel_if_they_may() -> None:
    assert lines_of(depthwise(5, 7)).by_channel
    assert not lines_of(depthwise(5, 7), may_go_by_channel=False).by_channel
    assert not lines_of(depthwise(5, 7, channels=7)).by_channel
    assert not lines_of(depthwise(24, 3)).by_channel


def test_long_rows_take_more_scratch_over_their_input() -> None:
    graph = depthwise(112, 3, stride=2, channels=48)
    assert lines_of(graph).scratch_bytes <= 2048
    assert 2048 < lines_of(graph, is_inplace=True).scratch_bytes <= 112 * 112 * 48 // 64


def test_blocks_are_full_where_rows_and_columns_fit() -> None:
    assert lines_of(depthwise(24, 3)).fills(24)
    assert not lines_of(depthwise(24, 3)).fills(23)
    assert not lines_of(depthwise(24, 3)).fills(24, in_batches=True)


def test_batches_are_offered_with_less_and_less_scratch() -> None:
    graph = depthwise(32, 3)
    (op,) = graph.ops
    assert isinstance(op, DepthwiseConv2D)
    planes = planes_of(graph, op, may_turn=False)
    offered = list(batch_lines(planes, may_go_by_channel=True))
    assert [found.rows for found in offered] == [4, 1, 2]
    scratch = [found.scratch_bytes for found in offered]
    assert scratch == sorted(set(scratch), reverse=True)


def test_rows_cost_less_together() -> None:
    graph = depthwise(5, 3, channels=64)
    (op,) = graph.ops
    assert isinstance(op, DepthwiseConv2D)
    (found,) = depthwise_row(graph, op)
    assert found.loops is not None
    alone, together = found.loops(1, 5, in_batches=False), found.loops(4, 5, in_batches=True)
    assert alone < together < 2 * alone
