"""Pictures of plans: what is stacked where, and files that are whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.report import canvas
from harness.report.front import front_table, summary
from harness.report.front_plot import draw_front
from harness.report.plan_plot import draw_plans
from harness.report.plan_shapes import Role, Shape, shapes, stretches
from harness.results.plan_point import plan_point
from harness.results.record import SegmentPart
from harness.schedule.plan import Plan, Rows, StreamSegment
from harness.schedule.search import plan
from tests.fused import fused_plan, moved, with_rows
from tests.graphs import residual_graph


def streamed(*, shared: int = 0) -> Plan:
    """Ops 1 to 3 of a residual block as a stream; its output reaches into its input."""
    graph = residual_graph()
    x, y = graph.ops[1].outputs[0], graph.ops[2].outputs[0]
    made = with_rows(fused_plan(graph, StreamSegment(1, 3)), Rows(x, 3, 8, 0), Rows(y, 1, 8, 576))
    source, output = graph.ops[0].outputs[0], graph.ops[3].outputs[0]
    return moved(made, output, made.allocation(source).end - shared)


def box(shape: Shape) -> tuple[float, float, float, float]:
    """Return left, right, bottom, top."""
    xs, ys = zip(*shape.corners, strict=True)
    return min(xs), max(xs), min(ys), max(ys)


def test_stack_is_as_high_as_what_is_alive() -> None:
    made = plan(residual_graph(), "layer")
    for position, place in enumerate(stretches(made)):
        inside = [box(s) for s in shapes(made) if box(s)[0] == place.first]
        assert max(top for *_, top in inside) == made.live_bytes()[position]
        assert sum(top - bottom for *_, bottom, top in inside) == made.live_bytes()[position]


def test_segment_is_as_wide_as_it_has_ops() -> None:
    assert [(s.kind, s.first, s.end) for s in stretches(streamed())] == [
        ("layer", 0, 1),
        ("stream", 1, 4),
        ("layer", 4, 5),
    ]


def test_roles_are_told_apart() -> None:
    made = plan(residual_graph(), "layer")
    drawn = shapes(made)
    assert [s.role for s in drawn if s.name == "x0"] == [Role.INPUT]
    skip = [s.role for s in drawn if s.name == "conv0_0"]
    assert skip == [Role.ACTIVATION, Role.ACTIVATION, Role.KEPT, Role.KEPT, Role.ACTIVATION]
    assert [s.role for s in drawn if s.name == "add4_0"] == [Role.OUTPUT]
    assert [s.role for s in shapes(streamed()) if not s.name] == [Role.WORKSPACE]
    assert Role.SCRATCH in {s.role for s in shapes(plan(residual_graph()))}


def test_output_that_reaches_into_its_input_is_a_wedge() -> None:
    drawn = {s.name: s for s in shapes(streamed(shared=128)) if box(s)[:2] == (1, 4)}
    apart = {s.name: s for s in shapes(streamed()) if box(s)[:2] == (1, 4)}
    assert [len(apart[name].corners) for name in ("conv0_0", "conv3_0")] == [4, 4]
    assert [len(drawn[name].corners) for name in ("conv0_0", "conv3_0")] == [3, 3]
    assert box(drawn["conv3_0"])[2] - box(drawn["conv0_0"])[2] == 128


@pytest.mark.parametrize("suffix", [".svg", ".png", ".html"])
def test_plans_become_a_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"plans{suffix}"
    canvas.check_picture(path)
    draw_plans([plan(residual_graph()), streamed(shared=128)], path, text="a < b", limit=3000)
    written = path.read_bytes()
    if suffix == ".png":
        assert written.startswith(b"\x89PNG")
        return
    text = written.decode()
    for label in ("inplace: 2,048 B", "stream: 4,096 B", "limit 3,000 B", "bytes alive, kB"):
        assert label in text
    assert ("a &lt; b" in text) == (suffix == ".html")
    assert not re.search(r"(href|src)=.http|@import|url\(.?http", text)


def test_the_same_picture_is_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        draw_plans([streamed()], path, text="")
    assert first.read_bytes() == second.read_bytes()


def test_front_becomes_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "front.svg"
    points = [plan_point(p) for p in (streamed(), plan(residual_graph()))]
    draw_front(points, points[1:], path, text="", limit=4000)
    assert "instructions of one inference, millions (estimated)" in path.read_text()
    assert "peak, kB" in path.read_text()


def test_front_is_a_table_of_what_less_memory_costs() -> None:
    point = plan_point(streamed()).model_copy(update={"estimated_instructions": 1234})
    table = front_table([point], weights="synthetic")
    cells = [list(column.cells) for column in table.columns]
    assert cells == [["4,096 B"], ["x 1.000"], ["~1,234"], ["1 stream of 3 ops, 2 ops alone"]]


def test_summary_counts_what_runs_alone() -> None:
    parts = [
        SegmentPart(kind="patch", first_op=0, last_op=3),
        SegmentPart(kind="layer", first_op=4, last_op=4),
        SegmentPart(kind="inplace", first_op=5, last_op=5),
        SegmentPart(kind="stream", first_op=6, last_op=6),
    ]
    assert summary(parts) == "1 patch stage of 4 ops, 3 ops alone"


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pictures are .svg, .png, .html, not '.pdf'"):
        canvas.check_picture(tmp_path / "a.pdf")


def test_missing_folder_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        canvas.check_picture(tmp_path / "none" / "a.svg")


def test_missing_matplotlib_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(canvas, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs matplotlib") as caught:
        canvas.check_picture(tmp_path / "a.svg")
    assert caught.value.hint == "pip install 'bench-tinyml[plots]'"
