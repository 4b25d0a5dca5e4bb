"""Streams: how many rows are kept, which share bytes, and how far the output reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DoesNotFitError, InputError, UsageError
from harness.experiment.fit import choose_plan
from harness.importer.tflite import read_tflite
from harness.ir import DType, Graph
from harness.ir.ops import Add, MaxPool2D, Padding
from harness.ir.types import REQUANTIZATIONS
from harness.kernels.kernel_set import Isa, KernelSet
from harness.passes.pipeline import run_passes
from harness.schedule import batches
from harness.schedule.batches import Batches
from harness.schedule.choices import Choices
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import sums_bytes
from harness.schedule.layout import lay_out
from harness.schedule.plan import LayerSegment, Rows, Segment, StreamSegment
from harness.schedule.reach import output_below_operand
from harness.schedule.rings import workspace_bytes
from harness.schedule.search import pareto, plan
from harness.schedule.stream import Cut, Streams
from harness.schedule.sweep import Sweep
from harness.schedule.verify import verify_plan
from harness.schedule.work import estimated_instructions, executed_macs
from tests.fused import sparse_plan
from tests.graphs import GraphBuilder, quantized_graph, residual_graph


def block(stride: tuple[int, int] = (1, 1), kernel: tuple[int, int] = (3, 3)) -> Graph:
    """Return an expansion, a depthwise and a projection."""
    build = GraphBuilder()
    x = build.conv(build.input((1, 12, 10, 4)), 8, (1, 1))
    build.conv(build.depthwise(x, kernel, stride=stride), 4, (1, 1))
    return build.graph()


def sweep_of(graph: Graph, *, in_chunks: bool = False) -> Sweep:
    return Streams(Fusion(graph)).sweep(len(graph.ops), in_chunks=in_chunks)


def ring_rows(graph: Graph) -> list[int]:
    sweep = sweep_of(graph)
    return [sweep.ring_rows[op.outputs[0]] for op in graph.ops[:-1]]


@pytest.mark.parametrize("schedule", ["stream", "patch", "auto"])
@pytest.mark.parametrize("stride", [(4, 1), (1, 4)])
def test_an_op_that_sees_only_padding_is_not_fused(stride: tuple[int, int], schedule: str) -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 2, 2, 2)), 4, (1, 1))
    y = build.depthwise(x, (1, 1), stride=stride, padding=Padding(1, 1, 1, 1))
    build.conv(y, 4, (1, 1))
    found = plan(build.graph(), schedule)
    verify_plan(found)
    assert all(1 not in s.ops for s in found.segments if isinstance(s, StreamSegment))


@pytest.mark.parametrize(
    ("stride", "kernel", "rows"),
    [
        ((1, 1), (3, 3), 3),
        ((2, 2), (3, 3), 3),
        ((1, 1), (5, 5), 5),
        ((1, 1), (7, 3), 7),
        ((1, 1), (1, 3), 1),
        # Of every third row nothing is read; the ring still holds what comes between.
        ((3, 3), (1, 1), 1),
        ((1, 1), (15, 15), 12),
    ],
)
def test_ring_has_the_rows_that_a_window_reaches(
    stride: tuple[int, int], kernel: tuple[int, int], rows: int
) -> None:
    assert ring_rows(block(stride, kernel)) == [rows, 1]


def test_dilation_reaches_further() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 12, 10, 4)), 8, (1, 1))
    build.depthwise(x, dilation=(2, 1))
    assert ring_rows(build.graph()) == [5]


def test_skip_inside_a_stream_waits_for_the_window() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 12, 10, 4)), 8, (1, 1))
    build.binary(Add, x, build.depthwise(x, (5, 5)))
    assert ring_rows(build.graph()) == [5, 1]


def test_rows_that_are_read_at_once_share_bytes() -> None:
    build = GraphBuilder()
    x = build.input((1, 12, 10, 4))
    for channels in (8, 16, 24, 8):
        x = build.conv(x, channels, (1, 1))
    graph = build.graph()
    segment = Streams(Fusion(graph)).segment(0, 4)
    assert workspace_bytes(graph, segment) == 10 * (16 + 24)


def test_elementwise_op_overwrites_its_operand_row() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 12, 10, 4)), 8, (1, 1))
    build.conv(build.logistic(x), 8, (1, 1))
    graph = build.graph()
    assert workspace_bytes(graph, Streams(Fusion(graph)).segment(0, 3)) == 10 * 8


def test_row_that_is_handed_on_needs_no_more_than_a_chunk() -> None:
    graph = block()
    streams = Streams(Fusion(graph))
    for chunk, columns in ((None, 10), (6, 6), (2, 2), (16, 10)):
        segment = streams.segment(0, 3, cut=Cut(chunk=chunk))
        assert [rows.columns for rows in segment.rows] == [10, columns]
        assert workspace_bytes(graph, segment) == 3 * 10 * 8 + columns * 8


def test_what_a_chain_reads_is_kept_until_its_last_chunk() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 4, 8, 4)), 8, (1, 1))
    x = build.conv(build.depthwise(x, (1, 3)), 8, (1, 1))
    build.depthwise(x, (1, 3))
    graph = build.graph()
    # Row by row, what the first op makes and what the third makes would share bytes.
    for chunk in (None, 4):
        segment = Streams(Fusion(graph)).segment(0, 4, cut=Cut(chunk=chunk))
        verify_plan(sparse_plan(graph, segment, workspace_bytes(graph, segment)))


def test_bytes_that_are_hardly_fewer_are_not_worth_more_calls() -> None:
    """A row is 2 % of the bytes. It is made in chunks under a limit that asks for it."""
    build = GraphBuilder()
    x = build.conv(build.input((1, 40, 24, 4)), 32, (1, 1))
    build.conv(build.depthwise(x, (31, 3)), 4, (1, 1))
    graph = build.graph()
    made = plan(graph, "stream")
    tight = plan(graph, "stream", limit=made.planned_peak_bytes - 1)
    assert tight.planned_peak_bytes < made.planned_peak_bytes < tight.planned_peak_bytes * 1.02
    assert estimated_instructions(tight) > estimated_instructions(made)


def test_row_that_two_ops_read_is_made_whole() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 12, 10, 4)), 8, (1, 1))
    build.binary(Add, x, build.logistic(x))
    segment = Streams(Fusion(build.graph())).segment(0, 3, cut=Cut(chunk=2))
    assert [rows.columns for rows in segment.rows] == [10, 2]


def test_sums_lie_behind_the_rows() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 12, 10, 4)), 8, (1, 1))
    build.mean(x, (1, 2))
    graph = build.graph()
    assert sums_bytes(graph, graph.ops[1]) == 32
    assert workspace_bytes(graph, Streams(Fusion(graph)).segment(0, 2)) == 10 * 8 + 32


def test_output_starts_below_its_input_by_what_writing_runs_ahead() -> None:
    build = GraphBuilder()
    x = build.input((1, 6, 5, 4))
    build.conv(x, 8, (1, 1))
    graph = build.graph()
    # Row r of 40 bytes is written while row r of 20 bytes is read: 6 * 40 - 5 * 20.
    assert output_below_operand(sweep_of(graph), 0, x) == 140


def test_rows_read_before_the_first_is_written_are_free() -> None:
    build = GraphBuilder()
    x = build.input((1, 6, 5, 4))
    build.conv(build.depthwise(x), 4, (1, 1))
    graph = build.graph()
    # Row 0 needs rows 0 and 1 and row 0 is still read for row 1: nothing is free at first.
    assert output_below_operand(sweep_of(graph), 0, x) == 20


def test_tensor_read_outside_is_not_fused() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 6, 6, 4)), 4)
    y = build.conv(x, 4)
    build.binary(Add, x, y)
    assert Fusion(build.graph()).starts == (0, 0, 1, 0)


def test_at_most_one_op_of_a_run_sums() -> None:
    build = GraphBuilder()
    x = build.mean(build.conv(build.input((1, 6, 6, 4)), 4), (1, 2), keep_dims=True)
    build.mean(build.conv(x, 4, (1, 1)), (1, 2), keep_dims=True)
    assert Fusion(build.graph()).starts == (0, 0, 0, 0, 2)


def test_stripes_keep_fewer_columns_and_compute_halos_again() -> None:
    graph = block()
    choices = Choices(graph)
    whole, halves = (
        choices.packed(next(c for c in choices.streams_to(3, Cut(stripes=n)) if c.first == 0))
        for n in (1, 2)
    )
    assert isinstance(halves.segment, StreamSegment)
    assert [rows.columns for rows in halves.segment.rows] == [6, 5]
    assert halves.instructions > whole.instructions


def test_stream_computes_nothing_twice() -> None:
    made = plan(residual_graph(), "stream")
    assert executed_macs(made) == executed_macs(plan(residual_graph(), "layer"))


def test_input_by_rows_is_never_whole() -> None:
    graph = block(stride=(2, 2))
    made = plan(graph, "stream", input_by_rows=True)
    (first, *_) = made.segments
    assert isinstance(first, StreamSegment)
    assert first.input_by_rows
    assert first.rows[0].tensor == graph.inputs[0]
    assert made.planned_peak_bytes < plan(graph, "stream").planned_peak_bytes


@pytest.mark.parametrize("dtype", REQUANTIZATIONS)
def test_input_by_rows_may_be_of_any_width(dtype: DType) -> None:
    graph = quantized_graph(dtype)
    made = plan(graph, "stream", input_by_rows=True)
    (first, *_) = made.segments
    assert isinstance(first, StreamSegment)
    assert first.rows[0] == Rows(graph.inputs[0], 1, 8, first.rows[0].offset)
    workspace = made.workspace(0)
    assert workspace is not None
    row = 8 * 3 * dtype.itemsize
    assert first.rows[0].offset + row <= workspace.size_bytes


def test_a_wide_input_holds_the_peak_of_what_is_fused_with_it() -> None:
    build = GraphBuilder()
    x = build.quantize(build.input((1, 20, 20, 4), DType.FLOAT32, None), (0.1, 0))
    build.pool(MaxPool2D, build.conv(x, 4), (2, 2), stride=(2, 2))
    made = plan(build.graph(), "stream")
    assert made.planned_peak_bytes == 20 * 20 * 4 * 4, "QUANTIZE and all after it reach into it"


def test_input_by_rows_is_never_fetched_in_stripes() -> None:
    graph = block()
    for made in pareto(graph, input_by_rows=True):
        assert isinstance(made.segments[0], StreamSegment)
        assert made.segments[0].stripes == 1
    with pytest.raises(DoesNotFitError, match="the least is"):
        plan(graph, "auto", limit=1, input_by_rows=True)


def test_input_that_is_no_image_is_not_delivered_by_rows() -> None:
    build = GraphBuilder()
    build.fully_connected(build.input((1, 16)), 4)
    with pytest.raises(InputError, match="the input cannot be delivered by rows"):
        plan(build.graph(), "stream", input_by_rows=True)


def test_layers_need_the_whole_input() -> None:
    with pytest.raises(UsageError, match="schedule layer needs the whole input"):
        plan(block(), "layer", input_by_rows=True)


@pytest.mark.models
@pytest.mark.parametrize("isa", [Isa.PORTABLE, Isa.ARMV7EM])
def test_real_models_reach_their_bytes(models_dir: Path, isa: Isa) -> None:
    """Planned peaks, scratch included, at recompute 1.00 with the input resident, and by rows."""
    kernels = KernelSet(isa, "cycles")
    most = {
        "mcunet_vww0_10fps": (18_000, 16_000),
        "mcunet_vww1_5fps": (24_000, 17_000),
        "mcunet_in0_10fps": (19_000, 15_000),
        "mcunet_in2_256kb_1mb": (84_000, 56_000),
        "mcunet_in3_320kb_1mb": (100_000, 59_000),
        "mcunet_mbv2_w035_r144": (69_000, 29_000),
        "mcunet_proxyless_w03_r176": (100_000, 50_000),
        "mlperf_vww_mobilenetv1_025_96": (36_000, 22_000),
        "mlperf_ic_resnet8": (18_000, 18_000),
        "mlperf_kws_ds_cnn": (8_000, 8_000),
        "arm_mobilenet_v2_1.0_224": (197_000, 124_000),
    }
    above = {}
    for name, bounds in most.items():
        path = next(models_dir.rglob(f"{name}.tflite"))
        graph = run_passes(read_tflite(path.read_bytes(), name=name))
        for by_rows, bound in zip((False, True), bounds, strict=True):
            made = plan(graph, "stream", kernels=kernels, input_by_rows=by_rows)
            peak = made.planned_peak_bytes
            if peak > bound:
                above[name, by_rows] = peak
    assert not above


@pytest.mark.models
@pytest.mark.parametrize(
    ("name", "percent"),
    [("mlperf_kws_ds_cnn", 99), ("mcunet_in0_10fps", 99), ("arm_micronet_kws_m", 96)],
)
def test_stream_takes_the_bytes_that_save_it_much_work(
    models_dir: Path, name: str, percent: int
) -> None:
    path = next(models_dir.rglob(f"{name}.tflite"))
    graph = run_passes(read_tflite(path.read_bytes(), name=path.stem))
    kernels = KernelSet(Isa.ARMV7EM)
    usual = estimated_instructions(plan(graph, "inplace", kernels=kernels))
    made = plan(graph, "stream", kernels=kernels)
    limit = made.planned_peak_bytes * percent // 100
    tight = choose_plan(
        graph,
        "stream",
        kernels=kernels,
        board=None,
        limit=limit,
        flash=None,
        input_by_rows=False,
        patch=None,
    )
    assert tight.planned_peak_bytes <= limit
    assert estimated_instructions(made) < 1.05 * usual
    assert estimated_instructions(made) < estimated_instructions(tight)


def test_a_stream_takes_up_the_op_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies between two ops in one stream leaves its bytes to rings of more rows."""
    build = GraphBuilder()
    x = build.depthwise(build.conv(build.input((1, 24, 24, 8)), 16, (1, 1)), (3, 3))
    build.conv(x, 2, (1, 1))
    choices = Choices(build.graph(), KernelSet(Isa.ARMV7EM))
    segments: list[Segment] = [choices.streams.segment(0, 2), LayerSegment(2)]
    made = lay_out("stream", segments, choices.streams)
    wide = Batches(choices).spend(made, made.planned_peak_bytes)
    monkeypatch.setattr(batches, "_MOST_TAKEN", 0)
    narrow = Batches(choices).spend(made, made.planned_peak_bytes)
    assert wide.segments[0].ops == range(3)
    assert narrow.segments[0].ops == range(2)
    assert estimated_instructions(wide) < estimated_instructions(narrow)
