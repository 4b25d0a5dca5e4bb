"""Planner and verifier, which share no code, agree to the row and to the byte.

What the planner says is the least is what the verifier accepts, and one less is what it refuses.
But a dilated window whose first cell is in the padding makes the planner keep a row too many.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.ir import Graph
from harness.ir.ops import Add, Padding
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import sums_all_rows
from harness.schedule.plan import ALIGNMENT, PatchSegment, Plan, StreamSegment
from harness.schedule.reach import output_below_operand
from harness.schedule.rings import workspace_bytes
from harness.schedule.stream import WHOLE, Cut, Streams
from harness.schedule.structure import chunked
from harness.schedule.verify import PlanFaultError, verify_plan
from tests.fused import fused_plan, moved, sparse_plan, with_rows, with_workspace
from tests.graphs import GraphBuilder
from tests.strategies import pool_kinds, windows


@st.composite
def images(draw: st.DrawFn, *, dilate: bool = True) -> Graph:
    """Draw a network whose ops all go by rows: windows, residuals, pools, pads, maybe a mean."""
    build = GraphBuilder("images", draw(st.integers(0, 1000)))
    x = build.input((1, *draw(st.tuples(*[st.integers(2, 11)] * 2)), draw(st.integers(1, 3))))
    for kind in draw(st.lists(st.integers(0, 6), min_size=1, max_size=5)):
        size = build.shape(x)[1:3]
        window = draw(windows((size[0], size[1]), dilate=dilate))
        placed: dict[str, Any] = {"stride": window.stride, "padding": window.padding}
        match kind:
            case 0 | 1:
                channels = draw(st.integers(1, 4))
                x = build.conv(x, channels, window.kernel, dilation=window.dilation, **placed)
            case 2:
                x = build.depthwise(x, window.kernel, dilation=window.dilation, **placed)
            case 3:
                pool = draw(pool_kinds)
                window = draw(windows((size[0], size[1]), dilate=False))
                x = build.pool(pool, x, window.kernel, stride=window.stride, padding=window.padding)
            case 4:
                y = build.depthwise(
                    build.conv(x, 3, (1, 1)), draw(st.sampled_from([(3, 3), (5, 1)]))
                )
                x = build.binary(Add, x, build.conv(y, build.shape(x)[3], (1, 1)))
            case 5:
                x = build.pad(
                    x, (0, 0), *(draw(st.tuples(*[st.integers(0, 2)] * 2)) for _ in "HW"), (0, 0)
                )
            case _:
                x = build.logistic(x)
    if draw(st.booleans()):
        x = build.mean(x)
    return build.graph(x)


@st.composite
def runs(draw: st.DrawFn, *, dilate: bool = True) -> tuple[Fusion, int, int]:
    """Draw a network and ops ``first..end-1`` of it that may be fused."""
    fusion = Fusion(draw(images(dilate=dilate)))
    ends = [end for end, start in enumerate(fusion.starts) if start < end]
    assume(ends)
    end = draw(st.sampled_from(ends))
    return fusion, draw(st.integers(fusion.starts[end], end - 1)), end


def is_sound(made: Plan) -> bool:
    try:
        verify_plan(made)
    except PlanFaultError:
        return False
    return True


def streamed(fusion: Fusion, first: int, end: int, cut: Cut = WHOLE) -> Plan:
    segment = Streams(fusion).segment(first, end, cut=cut)
    return sparse_plan(fusion.graph, segment, workspace_bytes(fusion.graph, segment))


@given(runs(dilate=False), st.integers(1, 4))
def test_rings_are_as_long_as_they_must_be(run: tuple[Fusion, int, int], batch: int) -> None:
    made = streamed(*run, Cut(batch=batch))
    verify_plan(made)
    (segment,) = (s for s in made.segments if isinstance(s, StreamSegment))
    for rows in segment.rows:
        if rows.rows > 1:
            shorter = with_rows(made, replace(rows, rows=rows.rows - 1))
            assert not is_sound(shorter), f"{rows} could be a row shorter"


@given(runs(), st.integers(1, 3), st.integers(1, 4))
def test_chunks_have_the_bytes_that_they_need(
    run: tuple[Fusion, int, int], stripes: int, chunk: int
) -> None:
    fusion, _, end = run
    shape = fusion.graph.tensor(fusion.graph.ops[end - 1].outputs[0]).shape
    assume(stripes <= (shape[2] if len(shape) == 4 else 1))
    made = streamed(*run, Cut(stripes, chunk))
    verify_plan(made)
    (segment,) = (s for s in made.segments if isinstance(s, StreamSegment))
    pixels = {t: fusion.graph.tensor(t).shape[-1] for t in fusion.graph.activations()}
    size = workspace_bytes(fusion.graph, segment)
    for rows in segment.rows:
        if rows.tensor in chunked(fusion.graph, segment):
            wider = replace(rows, columns=size // pixels[rows.tensor] + 1)
            assert not is_sound(with_rows(made, wider)), f"{rows} could be wider"


def test_ops_are_not_fused_with_one_that_depends_on_none_of_their_pixels() -> None:
    build = GraphBuilder("unread")
    x = build.conv(build.input((1, 2, 2, 1)), 1, (1, 1))
    x = build.depthwise(x, (1, 1), stride=(2, 1), padding=Padding(top=1))
    fusion = Fusion(build.graph(build.conv(x, 1, (1, 1), stride=(2, 1))))
    assert fusion.starts[1:] == (0, 0, 1)
    verify_plan(streamed(fusion, 1, 3))


@given(runs())
def test_streams_of_dilated_windows_are_sound(run: tuple[Fusion, int, int]) -> None:
    verify_plan(streamed(*run))


@given(runs(), st.integers(1, 4))
def test_stripes_are_as_wide_as_they_must_be(run: tuple[Fusion, int, int], stripes: int) -> None:
    fusion, first, end = run
    shape = fusion.graph.tensor(fusion.graph.ops[end - 1].outputs[0]).shape
    assume(stripes <= (shape[2] if len(shape) == 4 else 1))
    made = streamed(fusion, first, end, Cut(stripes))
    verify_plan(made)
    (segment,) = (s for s in made.segments if isinstance(s, StreamSegment))
    for rows in segment.rows:
        if rows.tensor in fusion.links:
            continue  # it may be made in chunks
        with pytest.raises(PlanFaultError):
            verify_plan(with_rows(made, replace(rows, columns=rows.columns - 1)))


@given(runs(dilate=False))
def test_overlap_is_as_deep_as_it_can_be(run: tuple[Fusion, int, int]) -> None:
    fusion, first, end = run
    graph, sweep, made = fusion.graph, Streams(fusion).sweep(end), streamed(*run)
    output = graph.ops[end - 1].outputs[0]
    base = 2 * made.planned_peak_bytes
    free = with_workspace(moved(made, output, base), 2 * base)
    for source in fusion.outside_operands(first, end):
        if any(reader >= end for reader in fusion.readers[source]):
            continue
        distance = output_below_operand(sweep, first, source)
        verify_plan(moved(free, source, base + distance))
        if distance - ALIGNMENT > -graph.tensor(source).size_bytes:
            assert not is_sound(moved(free, source, base + distance - ALIGNMENT))


@given(runs(), st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_patches_of_tensors_kept_whole_are_sound(
    run: tuple[Fusion, int, int], grid: tuple[int, int]
) -> None:
    """And the sums of a mean have no place in them."""
    fusion, first, end = run
    graph = fusion.graph
    shape = graph.tensor(graph.ops[end - 1].outputs[0]).shape
    assume(len(shape) == 4 and grid[0] <= shape[1] and grid[1] <= shape[2])
    sums = any(sums_all_rows(graph, graph.ops[i]) for i in range(first, end))
    assert is_sound(fused_plan(graph, PatchSegment(first, end - 1, grid), extra=64)) != sums
