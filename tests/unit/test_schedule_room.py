"""Scratch of fused segments takes the room that the arena has anyway."""

from __future__ import annotations

from dataclasses import replace

from harness.ir import Graph
from harness.kernels.kernel_set import Isa, KernelSet
from harness.kernels.library import row_calls, row_scratch_bytes, row_scratch_wanted
from harness.schedule.plan import align
from harness.schedule.room import give_room
from harness.schedule.search import plan
from tests.graphs import GraphBuilder

ARMV7EM = KernelSet(Isa.ARMV7EM, "cycles")


def wide_graph() -> Graph:
    """A wide plane that holds the peak, then a narrower one with a depthwise of its own."""
    build = GraphBuilder()
    x = build.input((1, 24, 64, 4), quantized=(0.02, 3))
    x = build.conv(build.depthwise(build.conv(x, 16, (1, 1)), (5, 5), stride=(2, 2)), 8, (1, 1))
    build.conv(build.depthwise(build.conv(x, 24, (1, 1)), (5, 5)), 4, (1, 1))
    return build.graph()


def test_a_segment_with_room_has_more_scratch_in_the_same_arena() -> None:
    graph = wide_graph()
    least = align(row_scratch_bytes(ARMV7EM, graph, graph.ops[4]))
    made = plan(graph, "stream", kernels=ARMV7EM)
    (position,) = (i for i, s in enumerate(made.segments) if 4 in s.ops)
    given = made.scratch(position)
    assert given is not None
    assert given.size_bytes > least
    assert given.end <= made.planned_peak_bytes
    tight = replace(given, size_bytes=least)
    bare = replace(made, allocations=tuple(tight if a is given else a for a in made.allocations))
    again = give_room(bare)
    assert again.scratch(position) == given
    assert again.planned_peak_bytes == made.planned_peak_bytes
    assert give_room(again) is again


def test_scratch_lies_over_nothing_that_is_alive() -> None:
    made = plan(wide_graph(), "stream", kernels=ARMV7EM)
    for position in range(len(made.segments)):
        scratch = made.scratch(position)
        for a in made.allocations:
            if scratch is not None and a is not scratch and a.first <= position <= a.last:
                assert a.end <= scratch.offset or a.offset >= scratch.end


def test_kernels_take_the_way_that_the_room_allows() -> None:
    graph = wide_graph()
    most, *_, least = row_scratch_wanted(ARMV7EM, graph, graph.ops[1])
    assert most > least == row_scratch_bytes(ARMV7EM, graph, graph.ops[1])
    bands = [
        row_calls(ARMV7EM, graph, graph.ops[1], room)[0].parameters["band"]
        for room in (0, least, most - 1, most)
    ]
    assert bands[0] == bands[1] <= bands[2] < bands[3]  # type: ignore[operator]
