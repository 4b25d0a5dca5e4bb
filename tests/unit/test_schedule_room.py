"""Scratch of fused segments takes the room that the arena has."""

from __future__ import annotations

from typing import Any

from harness.ir import Graph
from harness.kernels.kernel_set import Isa, KernelSet
from harness.kernels.library import row_calls, row_scratch_bytes, row_scratch_wanted
from harness.schedule.fusion import Fusion
from harness.schedule.plan import align
from harness.schedule.room import give_room
from harness.schedule.search import assemble, plan
from harness.schedule.stream import Streams
from tests.graphs import GraphBuilder

ARMV7EM = KernelSet(Isa.ARMV7EM, "cycles")


def wide_graph() -> Graph:
    """A wide plane that holds the peak, then a narrower one with a depthwise of its own."""
    build = GraphBuilder()
    x = build.input((1, 24, 64, 4), quantized=(0.02, 3))
    x = build.conv(build.depthwise(build.conv(x, 16, (1, 1)), (5, 5), stride=(2, 2)), 8, (1, 1))
    build.conv(build.depthwise(build.conv(x, 20, (1, 1)), (5, 5)), 4, (1, 1))
    return build.graph()


def test_a_segment_with_room_has_more_scratch_in_the_same_arena() -> None:
    graph = wide_graph()
    least = align(row_scratch_bytes(ARMV7EM, graph, graph.ops[4]))
    streams = Streams(Fusion(graph, ARMV7EM))
    bare = assemble(graph, "stream", [streams.segment(0, 3), streams.segment(3, 6)], ARMV7EM)
    made = give_room(bare)
    before, given = bare.scratch(1), made.scratch(1)
    assert before is not None
    assert given is not None
    assert given.size_bytes > before.size_bytes == least
    assert made.planned_peak_bytes == bare.planned_peak_bytes
    assert give_room(made) is made


def test_a_limit_above_the_peak_gives_more_room() -> None:
    graph = wide_graph()
    streams = Streams(Fusion(graph, ARMV7EM))
    bare = assemble(graph, "stream", [streams.segment(0, 3), streams.segment(3, 6)], ARMV7EM)
    most = max(row_scratch_wanted(ARMV7EM, graph, graph.ops[1]))
    made = give_room(bare, bare.planned_peak_bytes + most)
    given = made.scratch(0)
    assert given is not None
    assert given.size_bytes == align(most)
    assert bare.planned_peak_bytes < made.planned_peak_bytes <= bare.planned_peak_bytes + most


def test_scratch_lies_over_nothing_that_is_alive() -> None:
    made = plan(wide_graph(), "stream", kernels=ARMV7EM)
    for position in range(len(made.segments)):
        scratch = made.scratch(position)
        for a in made.allocations:
            if scratch is not None and a is not scratch and a.first <= position <= a.last:
                assert a.end <= scratch.offset or a.offset >= scratch.end


def test_kernels_take_the_way_that_the_room_allows() -> None:
    graph = wide_graph()
    most, *_, little, least = row_scratch_wanted(ARMV7EM, graph, graph.ops[1])
    assert most > least == row_scratch_bytes(ARMV7EM, graph, graph.ops[1])

    def made_at_a_time(room: int) -> int:
        (call,) = row_calls(ARMV7EM, graph, graph.ops[1], room)
        fields: Any = call.parameters["op"]
        columns: int = fields["columns"]
        return columns

    columns = [made_at_a_time(room) for room in (0, least, little, most)]
    assert columns[0] == columns[1] < columns[2] < columns[3]
