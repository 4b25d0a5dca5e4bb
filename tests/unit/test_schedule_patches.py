"""Patch stages: tiles with exact halos, what they recompute, and what cannot be split."""

from __future__ import annotations

import pytest

from harness.errors import DoesNotFitError, InputError, UsageError
from harness.ir import Graph
from harness.ir.macs import graph_macs
from harness.ir.ops import Add
from harness.schedule.geometry import Axis, Span, tile
from harness.schedule.patching import MOST_RECOMPUTE
from harness.schedule.plan import PatchSegment, Plan
from harness.schedule.receptive import receptive_fields, receptive_text
from harness.schedule.search import plan
from harness.schedule.work import executed_macs
from tests.graphs import GraphBuilder


def stage(kernel: tuple[int, int] = (3, 3)) -> Graph:
    """Return a strided convolution, a depthwise and a projection on 16 x 16."""
    build = GraphBuilder()
    x = build.conv(build.input((1, 32, 32, 3)), 8, (3, 3), stride=(2, 2))
    build.conv(build.depthwise(x, kernel), 4, (1, 1))
    return build.graph()


def inverted_bottleneck() -> Graph:
    """Return an expansion, a depthwise and a projection on 32 x 32."""
    build = GraphBuilder()
    x = build.conv(build.input((1, 32, 32, 4)), 16, (1, 1))
    build.conv(build.depthwise(x), 4, (1, 1))
    return build.graph()


def patch_segment(made: Plan) -> PatchSegment:
    (segment,) = (s for s in made.segments if isinstance(s, PatchSegment))
    return segment


def test_tiles_have_a_halo_only_inside() -> None:
    segment = patch_segment(plan(stage(), "patch", patch=(3, (2, 4))))
    # A patch is 8 x 4; inside, the depthwise adds a row above or below and a column on each side.
    assert [(rows.rows, rows.columns) for rows in segment.rows] == [(9, 6), (8, 4)]


def test_recomputed_macs_are_counted() -> None:
    graph = stage()
    made = plan(graph, "patch", patch=(3, (2, 2)))
    # Of 16 x 16 pixels of the first op 18 x 18 are made; the others have no halo.
    first, others = 16 * 16 * 8 * 27, 16 * 16 * 8 * (9 + 4)
    assert executed_macs(made) == first * (18 / 16) ** 2 + others


def test_search_finds_the_least_work_that_fits() -> None:
    graph = inverted_bottleneck()
    least = plan(graph, "patch")
    whole = plan(graph, "inplace")
    assert least.planned_peak_bytes < whole.planned_peak_bytes
    assert plan(graph, "patch", limit=whole.planned_peak_bytes).segments == whole.segments
    between = (least.planned_peak_bytes + whole.planned_peak_bytes) // 2
    made = plan(graph, "patch", limit=between)
    assert made.planned_peak_bytes <= between
    assert executed_macs(whole) < executed_macs(made) <= executed_macs(least)


def test_patches_without_a_limit_have_the_least_peak_at_little_recompute() -> None:
    graph = inverted_bottleneck()
    made, whole = plan(graph, "patch"), plan(graph, "inplace")
    by_hand = [
        plan(graph, "patch", patch=(ops, (down, across)))
        for ops in (1, 2, 3)
        for down in range(1, 9)
        for across in range(1, 9)
    ]
    most = MOST_RECOMPUTE * graph_macs(graph)
    cheap = [p for p in by_hand if executed_macs(p) <= most]
    least = min(by_hand, key=lambda p: p.planned_peak_bytes)
    assert made.planned_peak_bytes == min(p.planned_peak_bytes for p in cheap)
    assert least.planned_peak_bytes < made.planned_peak_bytes < whole.planned_peak_bytes
    # With a limit, as much recompute as it takes.
    tight = plan(graph, "patch", limit=least.planned_peak_bytes)
    assert tight.planned_peak_bytes == least.planned_peak_bytes
    assert executed_macs(tight) > most


def test_limit_below_all_splits_is_refused() -> None:
    with pytest.raises(DoesNotFitError, match=r"no plan of schedule patch fits into 100 B"):
        plan(stage(), "patch", limit=100)


@pytest.mark.parametrize(
    ("split", "reason"),
    [
        ((0, (2, 2)), "a patch stage of 0 ops is not possible"),
        ((4, (2, 2)), "a patch stage of 4 ops is not possible"),
        ((3, (17, 2)), "has 16 rows, not 17 or more"),
        ((3, (2, 0)), "has 16 columns, not 0"),
    ],
)
def test_impossible_split_is_refused(split: tuple[int, tuple[int, int]], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        plan(stage(), "patch", patch=split)


def test_graph_without_an_op_that_can_be_split_is_refused() -> None:
    build = GraphBuilder()
    build.softmax(build.input((1, 16)))
    with pytest.raises(InputError, match="no op of it can be done for a part of its output"):
        plan(build.graph(), "patch", patch=(1, (1, 1)))


def test_split_inside_a_residual_is_refused() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 8, 8, 4)), 4)
    build.binary(Add, x, build.conv(x, 4))
    with pytest.raises(InputError, match=r"is needed whole after the patches: .*ADD.* reads it"):
        plan(build.graph(), "patch", patch=(2, (2, 2)))


def test_split_behind_a_global_sum_is_refused() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 8, 8, 4)), 4)
    build.conv(build.mean(x, (1, 2), keep_dims=True), 4, (1, 1))
    with pytest.raises(InputError, match="needs the whole of its input"):
        plan(build.graph(), "patch", patch=(3, (1, 1)))


def test_only_patches_are_split_by_hand() -> None:
    with pytest.raises(UsageError, match="schedule stream has no patches to be set by hand"):
        plan(stage(), "stream", patch=(3, (2, 2)))


def test_receptive_fields_and_what_a_smaller_kernel_would_save() -> None:
    made = plan(stage(), "patch", patch=(3, (2, 2)))
    (report,) = receptive_fields(made)
    assert [f.receptive_field for f in report.fields] == [(7, 7), (3, 3), (1, 1)]
    assert [f.halo for f in report.fields] == [(5, 5), (2, 2), (0, 0)]
    best = report.advice[0]
    assert (best.op, best.kernel, best.recompute_then) == (1, 1, 1.0)
    assert "with a 1 x 1 kernel in op" in receptive_text(made)


def test_patches_of_mobilenet_v2_are_those_of_the_paper() -> None:
    """A patch of the input is 75 x 75 for 4 x 4 patches of 28 x 28 (MCUNetV2, table 1)."""
    build = GraphBuilder()
    x = build.conv(build.input((1, 224, 224, 3)), 4, (3, 3), stride=(2, 2))
    x = build.conv(build.depthwise(x), 2, (1, 1))
    for stride, is_residual in ((2, False), (1, True), (2, False)):
        y = build.depthwise(build.conv(x, 8, (1, 1)), stride=(stride, stride))
        y = build.conv(y, 2, (1, 1))
        x = build.binary(Add, x, y) if is_residual else y
    graph = build.graph()
    inside = tile(graph, range(len(graph.ops)), Axis.ROWS, Span(7, 14))
    assert inside[graph.inputs[0]].length == 75
    (report,) = receptive_fields(plan(graph, "patch", patch=(len(graph.ops), (4, 4))))
    assert report.fields[0].receptive_field == (27, 27)
    # Each op is executed more often than those behind it; the last kernel reaches through all.
    runs = [field.recompute for field in report.fields]
    assert runs == sorted(runs, reverse=True)
    assert runs[-1] == 1.0
    last_kernel = max(i for i, op in enumerate(graph.ops) if op.kind == "DEPTHWISE_CONV_2D")
    assert report.advice[0].op == last_kernel


def test_plan_without_fused_ops_has_no_receptive_fields() -> None:
    assert receptive_text(plan(stage(), "layer")) == ""
