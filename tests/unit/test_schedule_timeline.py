"""The picture of a plan."""

from __future__ import annotations

from dataclasses import replace

from harness.schedule.plan import PatchSegment, Plan, Rows, StreamSegment
from harness.schedule.search import plan
from harness.schedule.timeline import peak, timeline, what_holds_the_peak
from tests.fused import fused_plan, moved, with_rows
from tests.graphs import GraphBuilder, chain_graph, residual_graph


def test_picture_shows_who_reads_writes_and_waits() -> None:
    assert timeline(plan(residual_graph()), 80).splitlines() == [
        "- read   # written   = in place   . kept for later   s scratch",
        "0 CONV_2D           conv0_0        512 |---                        ####|",
        "1 CONV_2D           conv1_0      1,792 |#######################    ----|",
        "2 DEPTHWISE_CONV_2D depthwise2_0 1,824 |=======================   s....|",
        "3 CONV_2D           conv3_0      2,048 |-----------------------####....| <- peak",
        "4 ADD               add4_0         512 |                       ----====|",
    ]


def test_picture_fits_its_width() -> None:
    for width in (80, 100, 140):
        lines = timeline(plan(chain_graph()), width).splitlines()
        assert max(map(len, lines)) == width


def test_peak_names_op_and_tensors_largest_first() -> None:
    made = plan(residual_graph())
    assert peak(made).segment == 3
    assert what_holds_the_peak(made) == (
        "op 3 (CONV_2D 'conv3_0') holds 'depthwise2_0' 1,536 B, 'conv3_0' 256 B, 'conv0_0' 256 B"
    )


def test_bytes_lost_between_tensors_are_told() -> None:
    made = plan(residual_graph())
    top = max(made.allocations, key=lambda a: a.end)
    raised = tuple(replace(a, offset=a.offset + 8) if a is top else a for a in made.allocations)
    text = what_holds_the_peak(replace(made, allocations=raised))
    assert text.endswith("8 B lost between them")


def test_ops_have_their_number_in_the_model_file() -> None:
    graph = residual_graph()
    ops = tuple(replace(op, index=10 + i) for i, op in enumerate(graph.ops))
    made = plan(replace(graph, ops=ops))
    assert what_holds_the_peak(made).startswith("op 13 ")
    assert [line.split()[0] for line in timeline(made, 80).splitlines() if "peak" in line] == ["13"]


def test_peak_may_come_before_the_first_op() -> None:
    build = GraphBuilder()
    build.input((1, 100))
    build.logistic(build.input((1, 8)))
    assert what_holds_the_peak(plan(build.graph())) == (
        "filling the inputs holds 'x0' 100 B, 'x1' 8 B"
    )


def test_converter_suffixes_are_left_out() -> None:
    made = plan(residual_graph())
    tensors = tuple(replace(t, name=t.name + ";fused;bias") for t in made.graph.tensors)
    text = timeline(replace(made, graph=replace(made.graph, tensors=tensors)), 100)
    assert "conv0_0" in text
    assert ";" not in text


def streamed() -> Plan:
    """Ops 1 to 3 of a residual block as a stream whose output reaches into its input."""
    graph = residual_graph()
    x, y = graph.ops[1].outputs[0], graph.ops[2].outputs[0]
    made = fused_plan(graph, StreamSegment(1, 3))
    return with_rows(made, Rows(x, 3, 8, 0), Rows(y, 1, 8, 576))


def test_stream_is_one_line_and_shows_its_rows_where_it_is_the_peak() -> None:
    lines = timeline(streamed(), 80).splitlines()
    assert lines[0].endswith("w workspace")
    assert [line[:34] for line in lines[2:5]] == [
        "1-3 stream   conv3_0      4,096 |.",
        "      3 rows conv1_0        576 | ",
        "      1 row  depthwise2_0   192 | ",
    ]
    assert lines[2].endswith("wwwwww| <- peak")
    assert max(map(len, lines)) == 80


def test_rows_that_lie_over_others_are_told_with_them() -> None:
    made = streamed()
    (segment,) = (s for s in made.segments if isinstance(s, StreamSegment))
    x, y = (rows.tensor for rows in segment.rows)
    over = with_rows(made, Rows(x, 3, 8, 0), Rows(y, 3, 8, 0, over=x))
    assert what_holds_the_peak(over).endswith(
        "; the workspace is 3 rows of 'conv1_0' (with those of 1 more over them) 576 B"
    )
    assert timeline(over, 80).splitlines()[4].lstrip().startswith("in the same slots")


def test_rows_of_the_peak_are_told_in_words() -> None:
    assert what_holds_the_peak(streamed()).endswith(
        "; the workspace is 3 rows of 'conv1_0' 576 B, 1 row of 'depthwise2_0' 192 B"
    )


def test_tiles_of_a_patch_are_told_with_their_columns() -> None:
    made = fused_plan(residual_graph(), PatchSegment(1, 3, (2, 2)))
    text = timeline(made, 100)
    assert "1-3 patch 2 x 2  conv3_0" in text
    assert "8 x 8 tile conv1_0" in text


def test_bytes_that_output_and_input_share_count_once() -> None:
    made = streamed()
    graph = made.graph
    x, y = graph.ops[0].outputs[0], graph.ops[3].outputs[0]
    over = moved(made, y, made.allocation(x).offset + 128)
    assert peak(over).live_bytes == peak(made).live_bytes - 128
    assert ", 128 B of them shared, " in what_holds_the_peak(over)
    assert "=" in timeline(over, 80).splitlines()[2]
