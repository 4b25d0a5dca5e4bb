"""The verifier replays streams and patches: what is a byte, a row or a column short is caught."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.ir import DType, Graph, TensorId
from harness.ir.ops import Add, AveragePool2D, Padding
from harness.schedule.plan import PatchSegment, Plan, Rows, Segment, StreamSegment
from harness.schedule.verify import PlanFaultError, verify_plan
from tests.fused import fused_plan, moved, with_rows, with_workspace
from tests.graphs import GraphBuilder, chain_graph, quantized_graph, residual_graph


def block_graph(*, head: bool = False) -> Graph:
    """Expand 1x1, depthwise 3x3, project 1x1, on [1, 8, 8, 4]; maybe a mean at the end."""
    build = GraphBuilder("block")
    x = build.conv(build.input((1, 8, 8, 4)), 8, (1, 1))
    x = build.conv(build.depthwise(x), 4, (1, 1))
    if head:
        build.mean(x)
    return build.graph()


def ringed(graph: Graph, *, expanded: int = 3, by_rows: bool = False) -> Plan:
    """The block by rows: a ring of expanded rows and one depthwise row, of 8 x 8 bytes each."""
    segment = StreamSegment(0, 2, input_by_rows=by_rows)
    x, y = graph.ops[0].outputs[0], graph.ops[1].outputs[0]
    return with_rows(
        fused_plan(graph, segment), Rows(x, expanded, 8, 256), Rows(y, 1, 8, 256 + expanded * 64)
    )


def output(graph: Graph, position: int) -> TensorId:
    return graph.ops[position].outputs[0]


def refused(made: Plan) -> str:
    """Return what the verifier says of a plan."""
    with pytest.raises(PlanFaultError) as caught:
        verify_plan(made)
    return str(caught.value)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 1), (1, 2), (1, 3), (0, 4)])
def test_tensors_kept_whole_are_sound(first: int, last: int) -> None:
    graph = residual_graph()
    verify_plan(fused_plan(graph, StreamSegment(first, last)))
    verify_plan(fused_plan(graph, StreamSegment(first, last, stripes=3)))
    verify_plan(fused_plan(graph, PatchSegment(first, last, (3, 2))))


def test_ring_of_as_many_rows_as_the_window_is_sound() -> None:
    verify_plan(ringed(block_graph()))


def test_ring_that_is_a_row_short_is_caught() -> None:
    text = refused(ringed(block_graph(), expanded=2))
    assert "64 of 64 bytes of row 0 of 'conv0_0' are lost in op 1" in text


def test_ring_of_a_dilated_window_reaches_further() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 9, 4, 1)), 4, (1, 1))
    build.depthwise(x, dilation=(2, 1))
    graph = build.graph()
    made = fused_plan(graph, StreamSegment(0, 1))
    verify_plan(with_rows(made, Rows(x, 5, 4, 0)))
    assert "row 0 of 'conv0_0' are lost" in refused(with_rows(made, Rows(x, 4, 4, 0)))


def test_strided_window_needs_no_more_rows_than_it_has() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 9, 9, 1)), 4, (1, 1))
    build.conv(x, 2, stride=(2, 2), padding=Padding(top=1, left=1))
    made = fused_plan(build.graph(), StreamSegment(0, 1))
    verify_plan(with_rows(made, Rows(x, 3, 9, 0)))
    assert "of 'conv0_0' are lost" in refused(with_rows(made, Rows(x, 2, 9, 0)))


def test_output_may_reach_into_rows_that_were_read_and_not_a_byte_further() -> None:
    """Output row r follows input row r + 1, and the first output row has two rows to go."""
    graph = block_graph()
    made = with_workspace(moved(ringed(graph), graph.inputs[0], 0), 1024)
    verify_plan(moved(made, output(graph, 2), 32))
    text = refused(moved(made, output(graph, 2), 36))
    assert "4 of 32 bytes of row 2 of 'x0' are lost in op 0" in text


def test_stride_two_lets_the_output_fall_behind() -> None:
    """Input row 2r + 1 is read before output row r of half the bytes is written."""
    build = GraphBuilder()
    x = build.input((1, 8, 8, 4))
    y = build.conv(x, 8, (2, 2), stride=(2, 2), padding=Padding())
    made = fused_plan(build.graph(), StreamSegment(0, 0))
    verify_plan(moved(moved(made, y, 0), x, 32))
    text = refused(moved(moved(made, y, 0), x, 28))
    assert "row 0 of 'conv0_0' is written over what it reads of 'x0' in op 0" in text


def test_elementwise_op_may_write_where_it_read() -> None:
    graph = residual_graph()
    made = with_workspace(fused_plan(graph, StreamSegment(1, 4)), 4096)
    verify_plan(moved(made, output(graph, 4), made.allocation(output(graph, 0)).offset))
    lower = made.allocation(output(graph, 0)).offset + 4
    assert "row 0 of 'add4_0' is written over" in refused(moved(made, output(graph, 4), lower))


def test_rows_in_the_same_bytes_are_caught_when_both_are_needed() -> None:
    graph = block_graph()
    first, second = output(graph, 0), output(graph, 1)
    made = with_rows(ringed(graph), Rows(first, 3, 8, 0), Rows(second, 1, 8, 0))
    assert "of 'conv0_0' are lost in op 1" in refused(made)


def test_rows_out_of_the_workspace_are_refused() -> None:
    graph = block_graph()
    made = with_rows(ringed(graph), Rows(output(graph, 1), 8, 8, 516))
    assert "rows of 'depthwise1_0' end at byte 1028 of a workspace of 1024 bytes" in refused(made)


def test_rows_off_a_word_are_refused() -> None:
    graph = block_graph()
    made = with_rows(ringed(graph), Rows(output(graph, 1), 1, 8, 450))
    assert "rows of 'depthwise1_0' lie at 450, not at a multiple of 4" in refused(made)


def test_workspace_over_a_tensor_is_caught() -> None:
    graph = block_graph()
    assert "of 'conv2_0' are lost at the end" in refused(with_workspace(ringed(graph), 0))


def test_tile_that_is_a_column_short_is_caught() -> None:
    graph = block_graph()
    x, y = output(graph, 0), output(graph, 1)
    made = fused_plan(graph, PatchSegment(0, 2, (2, 2)))
    verify_plan(with_rows(made, Rows(x, 5, 5, 0), Rows(y, 4, 4, 256)))
    short = with_rows(made, Rows(x, 5, 4, 0), Rows(y, 4, 4, 256))
    assert "'conv0_0' has 4 columns in the patch of ops 0 to 2 and needs 5" in refused(short)


def test_tile_that_is_a_row_short_is_caught() -> None:
    graph = block_graph()
    made = fused_plan(graph, PatchSegment(0, 2, (2, 2)))
    short = with_rows(made, Rows(output(graph, 0), 4, 5, 0), Rows(output(graph, 1), 4, 4, 256))
    assert "row 0 of 'conv0_0' are lost in op 1" in refused(short)


def test_tiles_that_are_alive_together_are_caught() -> None:
    graph = block_graph()
    made = fused_plan(graph, PatchSegment(0, 2, (2, 2)))
    over = with_rows(made, Rows(output(graph, 0), 5, 5, 0), Rows(output(graph, 1), 4, 4, 196))
    assert "4 of 40 bytes of row 4 of 'conv0_0' are lost in op 1" in refused(over)


def test_patch_over_an_input_that_later_patches_read_is_caught() -> None:
    graph = block_graph()
    made = fused_plan(graph, PatchSegment(0, 2, (2, 2)))
    made = moved(made, output(graph, 2), made.allocation(graph.inputs[0]).offset)
    assert "of 'x0' are lost in op 0" in refused(made)


def test_row_that_is_handed_on_may_be_made_in_chunks() -> None:
    graph = block_graph()
    made = ringed(graph)
    for columns in (1, 3, 4, 7):
        chunk = Rows(output(graph, 1), 1, columns, 256 + 3 * 64)
        verify_plan(with_rows(made, chunk))


def test_rows_beside_which_windows_see_but_padding_may_be_made_in_chunks() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 1, 8, 4)), 8, (1, 1))
    build.conv(x, 4, (3, 1))
    made = fused_plan(build.graph(), StreamSegment(0, 1))
    verify_plan(with_rows(made, Rows(x, 1, 3, 0)))


def test_chunk_over_rows_that_are_read_for_the_next_chunk_is_caught() -> None:
    graph = block_graph()
    made = ringed(graph)
    ring = next(rows for s in made.segments for rows in getattr(s, "rows", ()) if rows.rows == 3)
    # Behind the ring there is room for a chunk of four columns, then one byte of the ring is lost.
    for at, is_sound in ((ring.offset - 4 * 8, True), (ring.offset - 4 * 8 + 4, False)):
        shared = with_rows(made, Rows(output(graph, 1), 1, 4, at))
        if is_sound:
            verify_plan(shared)
        else:
            assert "of 'conv0_0'" in refused(shared)


def test_chunk_of_a_row_that_a_window_reads_is_refused() -> None:
    graph = block_graph()
    short = with_rows(ringed(graph), Rows(output(graph, 0), 3, 4, 256))
    assert "'conv0_0' has 4 columns in the stream of ops 0 to 2 and needs 8" in refused(short)


def test_neighbours_in_chunks_of_two_sizes_are_refused() -> None:
    build = GraphBuilder()
    x = build.input((1, 8, 8, 4))
    for _ in range(3):
        x = build.conv(x, 4, (1, 1))
    graph = build.graph()
    made = fused_plan(graph, StreamSegment(0, 2))
    wide = Rows(output(graph, 0), 1, 4, 0)
    verify_plan(with_rows(made, wide, Rows(output(graph, 1), 1, 4, 64)))
    text = refused(with_rows(made, wide, Rows(output(graph, 1), 1, 3, 64)))
    assert "conv0_0 and conv1_0 are made in chunks of 4 and 3 columns" in text


def test_stripe_that_is_a_column_short_is_caught() -> None:
    graph = block_graph()
    made = fused_plan(graph, StreamSegment(0, 2, stripes=2))
    rows = Rows(output(graph, 1), 1, 4, 512)
    verify_plan(with_rows(made, Rows(output(graph, 0), 3, 5, 0), rows))
    short = with_rows(made, Rows(output(graph, 0), 3, 4, 0), rows)
    assert "'conv0_0' has 4 columns in the stream of ops 0 to 2 and needs 5" in refused(short)


def test_input_by_rows_has_a_ring_and_no_bytes_of_its_own() -> None:
    graph = block_graph()
    made = ringed(graph, by_rows=True)
    x = graph.inputs[0]
    assert not any(x in a.tensors for a in made.allocations)
    verify_plan(with_rows(made, Rows(x, 1, 8, 0)))
    over = with_rows(made, Rows(x, 1, 8, 256))
    assert "is written over what it reads of 'x0'" in refused(over)


def test_input_by_rows_that_somebody_else_reads_is_refused() -> None:
    build = GraphBuilder()
    x = build.input((1, 4, 4, 2))
    y = build.conv(x, 2)
    build.binary(Add, x, build.conv(y, 2))
    graph = build.graph()
    made = fused_plan(graph, StreamSegment(0, 1, input_by_rows=True))
    assert "'x0' is read outside of the stream of ops 0 to 1" in refused(made)
    verify_plan(fused_plan(graph, StreamSegment(0, 2, input_by_rows=True)))


@pytest.mark.parametrize("dtype", [DType.FLOAT32, DType.INT16])
def test_a_ring_of_wide_elements_that_is_a_word_short_is_caught(dtype: DType) -> None:
    graph = quantized_graph(dtype)
    made = fused_plan(graph, StreamSegment(0, 1, input_by_rows=True))
    x, y = graph.inputs[0], output(graph, 0)
    row = 8 * 3 * dtype.itemsize
    verify_plan(with_rows(made, Rows(x, 1, 8, 0), Rows(y, 3, 8, row)))
    short = with_rows(made, Rows(x, 1, 8, 0), Rows(y, 3, 8, row - 4))
    assert "is written over what it reads of 'x0' in op 0 (QUANTIZE" in refused(short)


def test_a_row_may_only_be_written_over_one_of_elements_as_wide() -> None:
    graph = quantized_graph(DType.FLOAT32)
    made = fused_plan(graph, StreamSegment(0, 0))
    at = made.allocation(graph.inputs[0]).offset
    verify_plan(moved(made, output(graph, 0), at))
    ahead = moved(made, output(graph, 0), at + 4)
    assert "row 0 of 'quantize0_0' is written over what it reads" in refused(ahead)
    wider = fused_plan(graph, StreamSegment(4, 4))
    wider = moved(wider, graph.outputs[0], wider.allocation(output(graph, 3)).offset)
    assert "row 0 of 'dequantize4_0' is written over what it reads" in refused(wider)


def test_rows_come_only_once() -> None:
    graph = block_graph()
    made = fused_plan(graph, StreamSegment(0, 2, stripes=2, input_by_rows=True))
    assert "rows, which come only once, in stripes" in refused(made)


def test_only_an_input_is_fetched() -> None:
    made = fused_plan(block_graph(), StreamSegment(1, 2, input_by_rows=True))
    assert "fetches the rows of what is no input of the model" in refused(made)


def test_sums_lie_at_the_end_of_the_workspace() -> None:
    graph = block_graph(head=True)
    made = fused_plan(graph, StreamSegment(0, 3), extra=16)
    verify_plan(made)
    ring = Rows(output(graph, 2), 1, 8, 1280 + 16 - 32)
    assert "16 of 16 bytes of sums over 0 rows are lost in op 3" in refused(with_rows(made, ring))


def test_sums_without_bytes_are_refused() -> None:
    build = GraphBuilder()
    x = build.input((1, 4, 4, 8))
    build.pool(AveragePool2D, x, (4, 4), padding=Padding())
    made = fused_plan(build.graph(), StreamSegment(0, 0))
    assert "take 32 bytes of a workspace of 0 bytes" in refused(made)


def test_head_of_a_network_streams_to_the_last_pixel() -> None:
    graph = chain_graph()
    verify_plan(fused_plan(graph, StreamSegment(0, 4), extra=64))


def test_softmax_cannot_go_by_rows() -> None:
    graph = chain_graph()
    made = fused_plan(graph, StreamSegment(3, 5), extra=64)
    assert "op 5 (SOFTMAX 'softmax5_0') cannot go row by row" in refused(made)


def test_inner_tensor_that_is_read_later_is_refused() -> None:
    made = fused_plan(residual_graph(), StreamSegment(0, 2))
    assert "'conv0_0' is read outside of the stream of ops 0 to 2" in refused(made)


def test_inner_tensor_that_is_an_output_is_refused() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 4, 4, 1)), 1)
    made = fused_plan(build.graph(x, build.conv(x, 1)), StreamSegment(0, 1))
    assert "'conv0_0' is an output of the model" in refused(made)


def test_inner_tensor_without_rows_is_refused() -> None:
    made = fused_plan(block_graph(), StreamSegment(0, 2))
    (segment,) = made.segments
    assert isinstance(segment, StreamSegment)
    bare: Segment = replace(segment, rows=segment.rows[1:])
    assert "keeps rows of tensors" in refused(replace(made, segments=(bare,)))


@pytest.mark.parametrize(
    ("segment", "says"),
    [
        (StreamSegment(0, 2, stripes=9), "cuts 8 columns into 9 stripes"),
        (StreamSegment(0, 2, stripes=0), "cuts 8 columns into 0 stripes"),
        (PatchSegment(0, 2, (9, 1)), "cuts 8 x 8 pixels into 9 x 1 patches"),
        (PatchSegment(0, 3, (1, 1)), "op 3 (MEAN 'mean3_0') sums over all rows and cannot go by"),
    ],
)
def test_cuts_that_cannot_be_are_refused(segment: StreamSegment | PatchSegment, says: str) -> None:
    assert says in refused(fused_plan(block_graph(head=True), segment))
