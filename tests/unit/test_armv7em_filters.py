"""Which way of rounding each channel takes on Armv7E-M, and how the stream is laid out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.ir import Graph
from harness.ir.ops import Conv2D, Padding
from harness.kernels.armv7em import block_2x4, convolution, fully_connected
from harness.kernels.armv7em.blocks import Runs
from harness.kernels.armv7em.filters import MAX_PARTS, UNROLLED, dot, halfwords, parts_of, starts
from harness.kernels.armv7em.rounding import Lines, Rounding, Way
from harness.kernels.call import Constant
from harness.kernels.kernel_set import Isa, KernelSet
from tests.graphs import GraphBuilder
from tests.roundings import alternating, forbid_brief_numbers, ways_of_rounding

NO_LINES = Lines(1, np.zeros((2, 0)), np.zeros(0), np.zeros(0, np.bool_))
UNCLAMPED = Rounding((), (), NO_LINES, np.zeros((2, 0)), point=1, clamp=(0, 0), packed=True)


def ways(graph: Graph) -> str:
    """Return how each part of a convolution is rounded: the name of its C function, in short."""
    (op,) = graph.ops
    assert isinstance(op, Conv2D)
    (variant,) = convolution.conv(graph, op, None, KernelSet(Isa.ARMV7EM))
    (call,) = variant.calls()
    fields: Any = call.parameters["filters"]
    parts = fields["parts"].rows
    names = [part["block"].text if "block" in part else f"{fields['sums'].text}" for part in parts]
    return ", ".join(re.sub(r"block_|_\d+$", "", name) for name in names).replace("sums", "exact")


@pytest.mark.parametrize(("way", "graph"), ways_of_rounding().items())
def test_a_layer_takes_the_cheapest_way_that_is_exact(way: str, graph: Graph) -> None:
    assert ways(graph) == re.sub("packed_(?!exact)", "packed_brief_", way)


@pytest.mark.parametrize(("way", "graph"), ways_of_rounding().items())
def test_without_brief_numbers_it_takes_the_same_way(
    way: str, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_brief_numbers(monkeypatch)
    assert ways(graph) == way


@pytest.mark.parametrize(
    ("columns", "compact", "has_two"), [(5, False, True), (6, False, False), (5, True, False)]
)
def test_two_lanes_are_for_pixels_that_are_left_over(
    columns: int, compact: bool, has_two: bool
) -> None:
    build = GraphBuilder()
    build.conv(build.input((1, 1, columns, 8)), 8, (1, 1), padding=Padding())
    graph = build.graph()
    (op,) = graph.ops
    assert isinstance(op, Conv2D)
    (variant,) = convolution.conv(
        graph, op, None, KernelSet(Isa.ARMV7EM, "size" if compact else "cycles")
    )
    parameters: Any = variant.calls()[0].parameters
    assert all(("two_lanes" in row) == has_two for row in parameters["filters"]["parts"].rows)


def test_weights_are_packed_in_halfwords() -> None:
    weights = np.array([[1, -128], [-127, 127]], np.int8)
    assert halfwords(weights, packed=True).tolist() == [[-127 * 256 + 1, 127 * 256 - 128]]
    assert halfwords(weights, packed=False).tolist() == [[-127 * 256 + 1, 127 * 256 + 128]]


def test_a_second_sum_begins_with_both_biases() -> None:
    assert starts(np.array([3, -5]), np.array([10, 20]), packed=True).tolist() == [
        13,
        -5 * 256 + 20 + 13,
    ]


@pytest.mark.parametrize(
    ("way", "packed", "words"),
    [
        (Way.LINE, True, [10, 1, 20]),
        (Way.LINE, False, [10, 1, 20, 1]),
        (Way.ROUND, True, [30, 40, 6 + 256 * 8]),
        (Way.EXACT, True, []),
    ],
)
def test_a_pair_keeps_what_it_shares_only_once(way: Way, packed: bool, words: list[int]) -> None:
    lines = Lines(3, np.array([[10, 20], [1, 1]]), np.zeros(2), np.ones(2, np.bool_))
    rounds = np.array([[30, 40], [7, 9]])
    rounding = Rounding((way,), (True,), lines, rounds, point=1, clamp=(0, 0), packed=packed)
    assert rounding.ends(way).tolist() == [words]
    brief = replace(rounding, brief=frozenset({Way.LINE, Way.ROUND}))
    assert brief.ends(way).tolist() == [
        [*rounding.lines.numbers[0]] if way is Way.LINE else words[:2]
    ]


def test_runs_are_rounded_up_where_that_is_free_else_the_rest_comes_last() -> None:
    assert Runs(1, 1, 5).order == [0, 2, 1, 3, 4, -1, -1, -1]
    assert Runs(2, 1, 3).order == [0, 2, 1, -1, 3, 5, 4, -1]
    assert Runs(2, 1, 5).order == [0, 2, 1, 3, 5, 7, 6, 8, 4, 9]


def rounded_by(*ways: Way, only_lines: Sequence[int] = ()) -> Rounding:
    """Return a rounding by some ways; some groups are rounded by lines or in C only."""
    can = tuple(way is not Way.EXACT and i not in only_lines for i, way in enumerate(ways))
    return replace(UNCLAMPED, ways=ways, can_be_rounded=can)


def test_parts_give_way_when_there_are_too_many() -> None:
    mixed = [Way.LINE, Way.ROUND] * MAX_PARTS
    assert parts_of(rounded_by(*mixed), len(mixed)) == [(Way.ROUND, range(len(mixed)))]
    mixed = [Way.LINE, Way.EXACT] * MAX_PARTS
    last = len(mixed) - 1
    assert parts_of(rounded_by(*mixed), last) == [
        (Way.EXACT, range(last)),
        (Way.EXACT, range(last, last + 1)),
    ]


def test_lines_stay_where_there_is_no_other_way_in_assembly() -> None:
    mixed = [Way.LINE, Way.ROUND] * MAX_PARTS
    count = len(mixed)
    assert parts_of(rounded_by(*mixed, only_lines=[4]), count) == [
        (Way.ROUND, range(4)),
        (Way.LINE, range(4, 5)),
        (Way.ROUND, range(5, count)),
    ]
    only_lines = range(0, count, 2)
    assert parts_of(rounded_by(*mixed, only_lines=only_lines), count) == [(Way.EXACT, range(count))]


def test_negative_factors_with_lines_are_never_rounded_without() -> None:
    assert ways(alternating(2, (1, 1))) == "packed_exact"
    graph = alternating(4, (1, 1))
    (op,) = graph.ops
    assert isinstance(op, Conv2D)
    assert not block_2x4.is_supported(graph, op)


@pytest.mark.parametrize(("units", "skip", "loops"), [(0, 8, 1), (1, 7, 1), (8, 0, 1), (9, 7, 2)])
def test_a_round_is_left_out_in_part_or_whole(units: int, skip: int, loops: int) -> None:
    fields = dot(Constant("weights", np.zeros(1, np.int32)), units, 2, UNCLAMPED)
    assert (fields["skip"], fields["loops"]) == (skip, loops)
    assert loops * UNROLLED - skip == units


def test_a_window_that_is_all_of_the_input_is_fully_connected() -> None:
    build = GraphBuilder()
    build.conv(build.input((1, 3, 2, 5)), 4, (3, 2), padding=Padding())
    graph = build.graph()
    (op,) = graph.ops
    assert isinstance(op, Conv2D)
    assert fully_connected.is_fully_connected(graph, op)
    (variant,) = convolution.conv(graph, op, None, KernelSet(Isa.ARMV7EM))
    (call,) = variant.calls()
    assert call.function == "dsp_fully_connected"


def padded_calls(size: int) -> tuple[str, int]:
    """Return how a 5x3 convolution of a padded square is called, and what scratch it takes."""
    build = GraphBuilder()
    build.conv(build.input((1, size, size, 1)), 8, (5, 3))
    graph = build.graph()
    (op,) = graph.ops
    assert isinstance(op, Conv2D)
    (variant,) = convolution.conv(graph, op, None, KernelSet(Isa.ARMV7EM))
    return variant.calls()[0].function, variant.scratch_bytes


def test_small_inputs_are_put_into_their_padding() -> None:
    small, large = padded_calls(20), padded_calls(40)
    assert (small[0], large[0]) == ("dsp_conv_padded", "dsp_conv")
    assert small[1] - large[1] == 24 * 22
