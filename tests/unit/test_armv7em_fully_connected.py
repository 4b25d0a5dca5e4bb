"""In which form a fully connected op on Armv7E-M expands its input, and with how much scratch."""

from __future__ import annotations

from typing import Any

import pytest

from harness.ir import Graph
from harness.kernels import library
from harness.kernels.kernel_set import Isa, KernelSet
from tests.graphs import GraphBuilder

KERNELS = KernelSet(Isa.ARMV7EM)


def dense(depth: int, channels: int) -> Graph:
    build = GraphBuilder()
    build.fully_connected(build.input((1, depth)), channels)
    return build.graph()


@pytest.mark.parametrize(
    ("depth", "channels", "scratch"),
    [
        (256, 8, 2 * 256),
        (257, 12, 0),
        (640, 128, 2 * 640),
        (5588, 128, 2 * 256 + 4 * 128),
    ],
    ids=["short", "few channels", "pieces do not halve it", "pieces"],
)
def test_scratch_is_bounded(depth: int, channels: int, scratch: int) -> None:
    graph = dense(depth, channels)
    assert library.scratch_bytes(KERNELS, graph, graph.ops[0], None) == scratch


def test_rows_do_without_scratch_where_there_is_no_room() -> None:
    graph = dense(5588, 128)
    assert library.row_scratch_wanted(KERNELS, graph, graph.ops[0]) == (2 * 5588, 1024, 0)


def test_pieces_hold_every_weight_once() -> None:
    graph = dense(1030, 24)
    (call,) = library.calls(KERNELS, graph, graph.ops[0], None)
    parameters: Any = call.parameters
    (pieces,) = parameters["pieces"].rows
    (part,) = parameters["parts"].rows
    assert pieces["count"] * pieces["values"] == 1024
    # What is left over is padded to whole units of four; then come the numbers of the lines.
    bytes_of_weights = pieces["dot"]["stream"].data.nbytes + part["dot"]["stream"].data.nbytes
    assert 0 < bytes_of_weights - 24 * 1032 <= 16 * 24
