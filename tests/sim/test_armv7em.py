"""Convolutions with DSP instructions equal the reference for all shapes, weights and roundings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.board.schema import TimingTable
from harness.ir import Graph
from harness.ir.ops import Activation, Padding
from harness.kernels.kernel_set import Isa, KernelSet
from harness.kernels.library import row_calls, row_scratch_wanted
from harness.schedule.fusion import Fusion
from harness.schedule.plan import LayerSegment, StreamSegment, align
from harness.schedule.room import give_room
from harness.schedule.search import assemble, plan
from harness.schedule.stream import Cut, Streams
from tests import strategies
from tests.graphs import GraphBuilder
from tests.host_c import plans
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches
from tests.roundings import alternating, forbid_brief_numbers, lower, ways_of_rounding

pytestmark = pytest.mark.qemu

BOARD = "mps2-an386"
KERNELS = KernelSet(Isa.ARMV7EM)
TIMED = KernelSet(Isa.ARMV7EM, timing=TimingTable.CORTEX_M4)
OF_2X4 = replace(TIMED, only="armv7em 2x4")


@st.composite
def convolutions(draw: st.DrawFn) -> Graph:
    """Draw a convolution with channels, kernels and factors as networks have them, and beyond."""
    build = GraphBuilder("conv", draw(strategies.seeds))
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    depth = draw(st.sampled_from([1, 2, 3, 4, 5, 8, 12, 31, 40]))
    channels = draw(st.sampled_from([1, 2, 3, 4, 7, 8, 16]))
    is_pointwise = draw(st.booleans())
    window = draw(plans.windows(size))
    x = build.input((1, *size, depth), quantized=draw(strategies.quantizations))
    kernel = (1, 1) if is_pointwise else window.kernel
    build.conv(
        x,
        channels,
        kernel,
        stride=(1, 1) if is_pointwise else window.stride,
        dilation=window.dilation,
        padding=Padding() if is_pointwise else window.padding,
        activation=draw(strategies.activations),
        weight_scales=draw(strategies.weight_scales(channels)),
        bias=draw(st.booleans()),
        quantized=draw(strategies.output_quantizations()),
    )
    if draw(st.booleans()):
        lower(build, build.ops[-1].inputs[1])
    return build.graph()


@st.composite
def dense_graphs(draw: st.DrawFn) -> Graph:
    """Draw a fully connected op, or a convolution that is one."""
    build = GraphBuilder("dense", draw(strategies.seeds))
    depth = draw(st.sampled_from([1, 3, 4, 7, 16, 33, 383, 600, 1030]))
    channels = draw(st.sampled_from([1, 2, 3, 4, 5, 8, 10, 13, 24]))
    is_conv, batch = draw(st.booleans()), draw(st.integers(1, 2))
    shape = (1, 1, 1, depth) if is_conv else (batch, depth)
    x = build.input(shape, quantized=draw(strategies.quantizations))
    activation, bias = draw(strategies.activations), draw(st.booleans())
    scales, quantized = (
        draw(strategies.weight_scales(channels)),
        draw(strategies.output_quantizations()),
    )
    if is_conv:
        build.conv(
            x,
            channels,
            (1, 1),
            padding=Padding(),
            activation=activation,
            bias=bias,
            weight_scales=scales,
            quantized=quantized,
        )
    else:
        build.fully_connected(
            x,
            channels,
            activation=activation,
            bias=bias,
            weight_scales=scales,
            quantized=quantized,
        )
    if draw(st.booleans()):
        lower(build, build.ops[-1].inputs[1])
    return build.graph()


@st.composite
def alternations(draw: st.DrawFn) -> Graph:
    """Draw an op with more parts than there may be, some of negative factors."""
    kernel = draw(st.sampled_from([None, (1, 1), (3, 3)]))
    return alternating(
        draw(st.sampled_from([2, 4])) if kernel else 4,
        kernel,
        seed=draw(strategies.seeds),
        zero_points=(draw(st.integers(-128, 127)), draw(st.integers(-60, 60))),
        factor=draw(st.floats(0.005, 0.1)),
    )


@pytest.mark.parametrize("schedule", ["layer", "inplace"])
@pytest.mark.parametrize("brief", [True, False], ids=["brief", "in full"])
def test_all_ways_of_rounding(schedule: str, brief: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not brief:
        forbid_brief_numbers(monkeypatch)
    batch = Batch(list(ways_of_rounding().values()))
    assert_on_core(plan(batch.graph, schedule, kernels=KERNELS), BOARD)


@pytest.mark.parametrize("kernels", [KERNELS, TIMED], ids=["", "in fewer cycles"])
def test_ways_that_change_too_often(kernels: KernelSet) -> None:
    @given(batches(alternations(), 12))
    @settings(max_examples=2, phases=[Phase.generate], suppress_health_check=SLOW)
    def check(batch: Batch) -> None:
        assert_on_core(plan(batch.graph, "layer", kernels=kernels), BOARD)

    check()


@pytest.mark.parametrize("schedule", ["layer", "inplace"])
@pytest.mark.parametrize(
    ("graphs", "kernels"),
    [(convolutions(), KERNELS), (dense_graphs(), KERNELS), (dense_graphs(), TIMED)],
    ids=["conv", "dense", "dense in fewer cycles"],
)
def test_whole_tensors(graphs: st.SearchStrategy[Graph], kernels: KernelSet, schedule: str) -> None:
    @given(batches(graphs, 24))
    @settings(max_examples=3, phases=[Phase.generate], suppress_health_check=SLOW)
    def check(batch: Batch) -> None:
        assert_on_core(plan(batch.graph, schedule, kernels=kernels), BOARD)

    check()


@pytest.mark.parametrize("schedule", ["layer", "stream"])
def test_first_layers(schedule: str) -> None:
    """Of networks for images, in color or not, and for sound; odd numbers of channels and rows."""
    shapes = ((33, 35, 3), (3, 3), 8), ((35, 33, 1), (3, 3), 7), ((29, 10, 1), (10, 4), 12)
    graphs = []
    for seed, (size, kernel, channels) in enumerate(shapes):
        build = GraphBuilder("first", seed)
        x = build.input((1, *size), quantized=(0.02, 5))
        build.conv(x, channels, kernel, stride=(2, 2), activation=Activation.RELU)
        graphs.append(build.graph())
    assert_on_core(plan(Batch(graphs).graph, schedule, kernels=KERNELS), BOARD)


@pytest.mark.parametrize(
    ("channels", "function"),
    [
        (40, "dsp_fully_connected_bytes_row"),
        (2400, "dsp_fully_connected_row"),
        (4000, "dsp_fully_connected_row"),
    ],
    ids=["as they are read", "in pieces", "whole"],
)
@pytest.mark.parametrize("kernels", [KERNELS, TIMED], ids=["", "in fewer cycles"])
def test_a_dense_row_is_expanded_as_there_is_room(
    channels: int, function: str, kernels: KernelSet
) -> None:
    """The more channels the second op has, the more bytes the arena has for the first."""
    build = GraphBuilder()
    x = build.fully_connected(build.input((1, 1030), quantized=(0.02, 3)), 24)
    build.fully_connected(x, channels)
    graph = Batch([build.graph()]).graph
    made = give_room(assemble(graph, "stream", [StreamSegment(0, 0), LayerSegment(1)], kernels))
    scratch = made.scratch(0)
    (call,) = row_calls(kernels, graph, graph.ops[0], scratch.size_bytes if scratch else 0)
    assert call.function == function
    assert ("pieces" in call.parameters) == (channels == 2400)
    assert_on_core(made, BOARD)


def test_rows_of_one_pixel() -> None:
    """The window of a row is gathered, whatever its padding, and is a fully connected op then."""
    graphs = []
    for channels in (24, 6):
        for kernel, stride, dilation in (((1, 1), 1, 1), ((3, 1), 1, 2), ((4, 3), 2, 1)):
            build = GraphBuilder()
            x = build.input((1, 11, 1, 29), quantized=(0.02, 5))
            x = build.conv(x, 30, kernel, stride=(stride, 1), dilation=(dilation, 1))
            build.conv(x, channels, kernel)
            graphs.append(build.graph())
    graph = Batch(graphs).graph
    functions = {row_calls(KERNELS, graph, op)[0].function for op in graph.ops}
    assert functions == {"dsp_fully_connected_bytes_row", "dsp_window_bytes_row"}
    streams = Streams(Fusion(graph, KERNELS))
    segments = [streams.segment(i, i + 2) for i in range(0, len(graph.ops), 2)]
    made = assemble(graph, "stream", segments, KERNELS)
    roomy = give_room(made)
    scratch = [roomy.scratch(i) for i in range(len(segments))]
    expanded = row_scratch_wanted(KERNELS, graph, graph.ops[3])[0]
    assert expanded in {given.size_bytes for given in scratch if given}
    assert_on_core(made, BOARD)
    assert_on_core(roomy, BOARD)


@pytest.mark.parametrize("kernels", [KERNELS, OF_2X4], ids=["any", "2x4"])
def test_rows_of_a_batch_in_their_padding(kernels: KernelSet) -> None:
    """With every scratch, from all rows of a batch at a time to windows padded one by one."""
    for seed, (size, kernel, stride) in enumerate(
        (((23, 10, 1), (10, 4), (2, 2)), ((11, 5, 3), (3, 3), (1, 1)), ((9, 4, 5), (5, 7), (2, 1)))
    ):
        build = GraphBuilder("padded", seed)
        x = build.conv(build.input((1, *size), quantized=(0.02, 5)), size[2], (1, 1))
        build.conv(build.conv(x, 6, kernel, stride=stride), 8, (1, 1))
        graph = Batch([build.graph()]).graph
        streams, seen = Streams(Fusion(graph, kernels)), set[int]()
        for batch in (4, 7):
            segment = streams.segment(0, 3, cut=Cut(batch=batch))
            for scratch in row_scratch_wanted(kernels, graph, graph.ops[1]):
                (call,) = row_calls(kernels, graph, graph.ops[1], scratch, in_batches=True)
                band = call.parameters.get("band", 0)
                assert isinstance(band, int)
                seen.add(band)
                made = replace(segment, scratch_bytes=align(scratch))
                assert_on_core(assemble(graph, "stream", [made], kernels), BOARD)
        assert 0 in seen
        assert max(seen) > 1


@pytest.mark.parametrize("kernels", [KERNELS, OF_2X4], ids=["any", "2x4"])
@pytest.mark.parametrize("fuse", [plans.stream, plans.stripes, plans.patches])
def test_rows_and_tiles(fuse: plans.Fuse, kernels: KernelSet) -> None:
    @given(st.data())
    @settings(max_examples=2, phases=[Phase.generate], suppress_health_check=SLOW)
    def check(data: st.DataObject) -> None:
        graph = Batch(data.draw(st.lists(plans.networks(), min_size=6, max_size=6))).graph
        segments = data.draw(plans.plans(graph, fuse)).segments
        assert_on_core(assemble(graph, "by hand", segments, kernels=kernels), BOARD)

    check()
