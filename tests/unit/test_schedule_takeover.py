"""Rows that lie over dying rows of an operand: planned as few, and every row too few is caught."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.ir import Graph
from harness.ir.ops import Add, Padding
from harness.kernels.kernel_set import PORTABLE, Isa, KernelSet
from harness.kernels.library import row_scratch_bytes
from harness.schedule.fusion import Fusion
from harness.schedule.plan import Plan, Purpose, Rows, StreamSegment
from harness.schedule.rings import workspace_bytes
from harness.schedule.search import assemble
from harness.schedule.stream import Cut, Streams
from harness.schedule.verify import PlanFaultError, verify_plan
from tests.fused import with_rows
from tests.graphs import GraphBuilder

ARMV7EM = KernelSet(Isa.ARMV7EM)


def block(
    depthwises: int = 1,
    *,
    kernel: tuple[int, int] = (3, 3),
    padding: Padding | None = None,
    size: tuple[int, int] = (12, 10),
    channels: int = 8,
) -> Graph:
    """Expand, depthwise, pointwise, depthwise ..., project."""
    build = GraphBuilder("block")
    x = build.conv(build.input((1, *size, 4)), channels, (1, 1))
    for i in range(depthwises):
        x = build.conv(x, channels, (1, 1)) if i else x
        x = build.depthwise(x, kernel, padding=padding)
    build.conv(x, 4, (1, 1))
    return build.graph()


def stream(graph: Graph, batch: int = 1, kernels: KernelSet = ARMV7EM) -> Plan:
    """Return the plan of one stream."""
    made = Streams(Fusion(graph, kernels)).segment(0, len(graph.ops), cut=Cut(batch=batch))
    return assemble(graph, "by hand", [made], kernels)


def rows(made: Plan) -> tuple[Rows, ...]:
    (segment,) = made.segments
    assert isinstance(segment, StreamSegment)
    return segment.rows


def workspace(made: Plan) -> int:
    (segment,) = made.segments
    assert isinstance(segment, StreamSegment)
    return workspace_bytes(made.graph, segment)


def refused(made: Plan) -> str:
    """Return what the verifier says of a plan."""
    with pytest.raises(PlanFaultError) as caught:
        verify_plan(made)
    return str(caught.value)


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (7, 3), (1, 3)])
def test_depthwise_has_no_rows_of_its_own(kernel: tuple[int, int], batch: int) -> None:
    made = stream(block(kernel=kernel), batch)
    assert workspace(made) == (batch + kernel[0] - 1) * 10 * 8
    expanded, convolved = rows(made)
    assert convolved.over == expanded.tensor
    assert expanded.shift - convolved.shift == (kernel[0] - 1) // 2


def test_kernels_that_write_before_they_have_read_need_rows_of_their_own() -> None:
    made = stream(block(), 4, PORTABLE)
    assert workspace(made) == (6 + 4) * 10 * 8
    assert all(kept.over is None for kept in rows(made))


@pytest.mark.parametrize("batch", [1, 3])
def test_depthwise_and_pointwise_in_turn_lie_in_one_place(batch: int) -> None:
    """Each depthwise keeps two rows from batch to batch, and the batch itself is kept once."""
    made = stream(block(3), batch)
    assert workspace(made) == (batch + 2 * 3) * 10 * 8
    assert {kept.owner for kept in rows(made)} == {rows(made)[0].tensor}


def test_rows_that_others_still_read_are_not_written_over() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 12, 10, 4)), 8, (1, 1))
    build.conv(build.binary(Add, build.depthwise(x), x), 4, (1, 1))
    convolved, added = rows(stream(build.graph(), 2))[1:]
    assert convolved.over is None
    assert added.over == convolved.tensor, "dies in the sum, where the other goes on"


def strided(readers: int = 1) -> Graph:
    """Expand, a strided depthwise, and what reads its rows one at a time."""
    build = GraphBuilder("strided")
    x = build.conv(build.input((1, 13, 10, 4)), 16, (1, 1))
    x = build.depthwise(x, (5, 5), stride=(2, 2), padding=Padding(2, 2, 2, 2))
    for _ in range(readers):
        x = build.conv(x, 16, (1, 1))
    build.conv(x, 4, (1, 1))
    return build.graph()


@pytest.mark.parametrize("readers", [0, 1, 2])
def test_strided_depthwise_has_no_rows_of_its_own(readers: int) -> None:
    made = stream(strided(readers))
    assert workspace(made) == 5 * 10 * 16
    assert {(kept.pitch, kept.columns) for kept in rows(made)[1:]} == {(2, 5)}


def test_strided_depthwise_has_rows_of_its_own_where_several_are_read_at_once() -> None:
    assert all(kept.over is None for kept in rows(stream(strided(0), 2))[1:])
    build = GraphBuilder()
    x = build.conv(build.input((1, 13, 10, 4)), 16, (1, 1))
    build.conv(build.depthwise(x, stride=(2, 2)), 4, (3, 3))
    assert all(kept.over is None for kept in rows(stream(build.graph())))


@pytest.mark.parametrize(("pitch", "shift"), [(1, 0), (3, 0), (2, 2), (2, 4)])
def test_strided_row_that_is_a_slot_off_is_caught(pitch: int, shift: int) -> None:
    made = stream(strided(0))
    text = refused(with_rows(made, replace(rows(made)[1], pitch=pitch, shift=shift)))
    assert "is written over what it reads" in text or "lost" in text


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize("top", [0, 1, 2])
@pytest.mark.parametrize("by", [1, -1])
def test_row_that_is_a_slot_off_is_caught(batch: int, top: int, by: int) -> None:
    """Over a row that is read again, or where rows of the next batch come too soon."""
    made = stream(block(padding=Padding(top, 2 - top, 1, 1)), batch)
    convolved = rows(made)[1]
    off = replace(convolved, shift=(convolved.shift + by) % convolved.rows)
    text = refused(with_rows(made, off))
    assert "is written over what it reads" in text or "lost" in text or "has no slot" in text


@pytest.mark.parametrize("batch", [1, 4])
def test_slots_that_are_one_too_few_are_caught(batch: int) -> None:
    made = stream(block(2), batch)
    fewer = [replace(kept, rows=kept.rows - 1) for kept in rows(made)]
    text = refused(with_rows(made, *fewer))
    assert "lost" in text or "is written over what it reads" in text


def test_kernel_that_goes_by_parts_of_the_columns_is_caught() -> None:
    graph = block(size=(12, 60), channels=32)
    made = stream(graph)
    assert rows(made)[1].over is not None
    least = row_scratch_bytes(ARMV7EM, graph, graph.ops[1])
    scratch = made.scratch(0)
    assert scratch is not None
    assert least < scratch.size_bytes
    narrow = replace(scratch, size_bytes=least)
    rest = tuple(narrow if a is scratch else a for a in made.allocations)
    assert "is written over what it reads of 'conv0_0' in op 1" in refused(
        replace(made, allocations=rest)
    )


def test_kernels_that_do_not_say_so_are_caught() -> None:
    made = replace(stream(block(2), 3), kernels=PORTABLE)
    text = refused(made)
    assert "of 'depthwise1_0' is written over what it reads of 'conv0_0'" in text
    assert "of 'conv2_0' is written over what it reads of 'depthwise1_0'" in text


def test_rows_over_those_of_another_place_are_refused() -> None:
    made = stream(block(), 2)
    expanded, convolved = rows(made)
    said = "'depthwise1_0' lies over rows that are elsewhere in the stream of ops 0 to 2"
    assert said in refused(with_rows(made, replace(convolved, offset=4)))
    assert said in refused(with_rows(made, replace(convolved, over=made.graph.inputs[0])))
    itself = replace(expanded, over=convolved.tensor)
    assert "lies over rows that are elsewhere" in refused(with_rows(made, itself))


def test_first_slot_outside_is_refused() -> None:
    made = stream(block(), 2)
    beyond = replace(rows(made)[1], shift=4)
    assert "begins in slot 4 of 4" in refused(with_rows(made, beyond))


def test_scratch_is_what_the_kernels_that_write_over_rows_need() -> None:
    graph = block(size=(12, 60), channels=32)
    wide, narrow = stream(graph), stream(block(size=(12, 60), channels=4))
    assert [kept.over for kept in rows(narrow)] == [None, None], "a row takes less than scratch"
    for made in (wide, narrow):
        scratch = next(a for a in made.allocations if a.purpose is Purpose.SCRATCH)
        least = max(row_scratch_bytes(ARMV7EM, made.graph, op) for op in made.graph.ops)
        assert (scratch.size_bytes > least) == (made is wide)


def narrow_then_wide() -> Graph:
    """Rows that a window reaches back to, and rows of a batch that never meet all of them."""
    build = GraphBuilder("rows")
    x = build.conv(build.input((1, 24, 10, 4)), 8, (1, 1))
    x = build.conv(build.conv(x, 4), 24, (1, 1))
    build.conv(x, 4, (1, 1))
    return build.graph()


def test_rows_that_wait_for_the_next_batch_leave_the_other_slots_to_others() -> None:
    made = stream(narrow_then_wide(), 4)
    assert [(kept.rows, kept.settled) for kept in rows(made)] == [(6, 2), (4, 0), (4, 0)]
    assert workspace(made) == 10 * (2 * 8 + 4 * 24 + 4 * 4)


def test_a_row_too_few_that_waits_for_the_next_batch_is_caught() -> None:
    made = stream(narrow_then_wide(), 4)
    text = refused(with_rows(made, replace(rows(made)[0], settled=1)))
    assert "has no slot" in text


def test_rows_in_slots_that_wait_are_caught() -> None:
    made = stream(narrow_then_wide(), 4)
    wide = rows(made)[2]
    lower = replace(wide, offset=wide.offset - 4)
    assert "of 'conv0_0' are lost in op 1" in refused(with_rows(made, lower))


@pytest.mark.parametrize("kernels", [ARMV7EM, KernelSet(Isa.MVE)], ids=["armv7em", "mve"])
@pytest.mark.parametrize("padding", [Padding(bottom=4), Padding(left=2)])
def test_no_row_lies_over_one_that_is_not_read_from_its_beginning(
    padding: Padding, kernels: KernelSet
) -> None:
    """Some windows see nothing but padding, so there is no first row or pixel that they read."""
    build = GraphBuilder("padded")
    x = build.conv(build.input((1, 9, 12, 8)), 8, (1, 1))
    x = build.depthwise(x, (1, 1), stride=(1, 3 if padding.left else 2), padding=padding)
    build.conv(x, 4, (1, 1))
    made = stream(build.graph(), 3, kernels)
    assert len({kept.owner for kept in rows(made)}) == len(rows(made))
