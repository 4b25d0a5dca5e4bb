"""Depthwise convolution for ARMv7E-M, on an emulated Cortex-M4, equals the reference."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from harness.ir import Graph, TensorId
from harness.ir.ops import Activation, DepthwiseConv2D, Padding, Window
from harness.kernels import library
from harness.kernels.call import Name
from harness.kernels.kernel_set import Isa, KernelSet
from harness.schedule.fusion import Fusion
from harness.schedule.plan import LayerSegment, PatchSegment, StreamSegment
from harness.schedule.search import assemble, plan
from harness.schedule.stream import Cut, Streams
from tests import strategies
from tests.graphs import GraphBuilder, Quantized, pad_same
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches

pytestmark = pytest.mark.qemu

BOARD = "mps2-an386"
ARMV7EM = KernelSet(Isa.ARMV7EM)

few = settings(max_examples=2, phases=[Phase.generate], suppress_health_check=SLOW, deadline=None)

KERNELS = st.sampled_from(
    [
        (3, 3),
        (3, 3),
        (5, 5),
        (7, 7),
        (1, 3),
        (1, 7),
        (3, 1),
        (5, 1),
        (10, 1),
        (2, 2),
        (4, 6),
        (9, 9),
    ]
)
STRIDES = st.sampled_from([(1, 1), (1, 1), (2, 2), (2, 2), (1, 2), (2, 1), (3, 2), (1, 4)])
DILATIONS = st.sampled_from([(1, 1), (1, 1), (1, 1), (2, 1), (1, 3), (2, 2)])


@st.composite
def windows(draw: st.DrawFn, size: tuple[int, int]) -> Window:
    """Draw a window with padding of any kind: SAME, or each side as it comes."""
    bare = Window(kernel=draw(KERNELS), stride=draw(STRIDES), dilation=draw(DILATIONS))
    padding = Padding(*draw(st.tuples(*[st.integers(0, 4)] * 4)))
    reached = (size[0] + padding.top + padding.bottom, size[1] + padding.left + padding.right)
    fits = all(extent <= length for extent, length in zip(bare.extent, reached, strict=True))
    return replace(bare, padding=padding if fits and draw(st.booleans()) else pad_same(size, bare))


@st.composite
def scales(draw: st.DrawFn, channels: int) -> tuple[float, ...]:
    """Draw scales of weights as networks have them, or of any size and sign."""
    scale = draw(st.sampled_from([st.floats(1e-4, 0.02), st.floats(-2.0, 2.0).filter(bool)]))
    return tuple(draw(st.lists(scale, min_size=channels, max_size=channels)))


@st.composite
def outputs(draw: st.DrawFn) -> tuple[Quantized, Activation]:
    """Draw what a ReLU leaves, mostly, or anything."""
    if draw(st.integers(0, 2)):
        return (draw(st.floats(0.01, 0.3)), -128), Activation.RELU
    return draw(strategies.quantizations), draw(strategies.activations)


def convolve(draw: st.DrawFn, build: GraphBuilder, x: TensorId, multiplier: int) -> TensorId:
    shape = build.shape(x)
    window = draw(windows((shape[1], shape[2])))
    quantized, activation = draw(outputs())
    return build.depthwise(
        x,
        window.kernel,
        multiplier=multiplier,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        activation=activation,
        bias=draw(st.booleans()),
        weight_scales=draw(scales(shape[3] * multiplier)),
        quantized=quantized,
    )


def one_sided(
    build: GraphBuilder,
    x: TensorId,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    weight_scales: tuple[float, ...] = (0.01,),
) -> TensorId:
    """Convolve with a ReLU: outputs lie above the zero point, where lines are exact."""
    return build.depthwise(
        x,
        kernel,
        stride=stride,
        activation=Activation.RELU,
        weight_scales=weight_scales,
        quantized=(0.05, -128),
    )


@st.composite
def chains(draw: st.DrawFn, length: int, multipliers: tuple[int, ...] = (1,)) -> Graph:
    """Draw depthwise convolutions one after the other."""
    build = GraphBuilder("depthwise", draw(strategies.seeds))
    height, width, depth = (
        draw(st.integers(1, 13)),
        draw(st.integers(1, 13)),
        draw(st.integers(4, 11) | st.just(8)),
    )
    quantized = draw(st.floats(0.01, 0.1)), draw(strategies.zero_points)
    x = build.input((1, height, width, depth), quantized=quantized)
    for _ in range(length):
        x = convolve(draw, build, x, draw(st.sampled_from(multipliers)))
    return build.graph()


@given(batches(chains(1, (1, 1, 1, 2, 3)), 24))
@few
def test_whole_tensors(batch: Batch) -> None:
    assert all(
        library.variant(ARMV7EM, batch.graph, op, None).name == "armv7em" for op in batch.graph.ops
    )
    assert_on_core(plan(batch.graph, "layer", kernels=ARMV7EM), BOARD)


@given(batches(chains(2), 4))
@settings(few, max_examples=6)
def test_in_place(batch: Batch) -> None:
    made = plan(batch.graph, "inplace", kernels=ARMV7EM)
    assert any(
        library.variant(ARMV7EM, batch.graph, op, 0).name == "armv7em" for op in batch.graph.ops
    )
    assert_on_core(made, BOARD)


@pytest.mark.parametrize("schedule", ["stream", "patch"])
def test_rows(schedule: str) -> None:
    @given(batches(chains(2, (1, 1, 2)), 1))
    @settings(few, max_examples=6)
    def check(batch: Batch) -> None:
        made = plan(batch.graph, schedule, kernels=ARMV7EM)
        assume(not all(isinstance(s, LayerSegment) for s in made.segments))
        assert_on_core(made, BOARD)

    check()


@pytest.mark.parametrize("kernel", [5, 7])
def test_rows_from_pairs_of_columns(kernel: int) -> None:
    """Pairs that the left border cuts, the right one, both or neither; rows in whole and in parts.

    Some have two channels for one, outputs on both sides of the zero point, and no short form.
    """
    graphs = []
    for width, left, right in product((13, 14, 90), range(4), range(2)):
        build = GraphBuilder()
        x = build.input((1, 8, width, 5 + left), quantized=(0.02, 5))
        build.depthwise(
            x,
            (kernel, kernel),
            stride=(2, 2),
            padding=Padding(top=left, bottom=right, left=left, right=right),
            multiplier=1 + (width == 14 and left == 2),
            activation=Activation.NONE if left == 1 else Activation.RELU,
            weight_scales=(0.9, -0.004, *(0.004,) * (3 + left)) if width == 13 else (0.01,),
            quantized=(0.05, -9 if left == 1 else -128),
        )
        graphs.append(build.graph())
    graph = Batch(graphs).graph
    for op in graph.ops:
        (call,) = library.row_calls(ARMV7EM, graph, op)
        assert call.function == "depthwise_columns_row"
    segments = [StreamSegment(i, i) for i in range(len(graph.ops))]
    assert_on_core(assemble(graph, "stream", segments, ARMV7EM), BOARD)


@pytest.mark.parametrize("kernel", [5, 7])
def test_patches_from_pairs_of_columns(kernel: int) -> None:
    """Rows of a patch begin with the first column that its windows see."""
    build = GraphBuilder()
    x = one_sided(build, build.input((1, 26, 26, 6)), (3, 3))
    one_sided(build, x, (kernel, kernel), stride=(2, 2))
    graph = Batch([build.graph()]).graph
    made = plan(graph, "patch", kernels=ARMV7EM)
    assert any(isinstance(s, PatchSegment) and s.grid[1] > 1 for s in made.segments)
    assert_on_core(made, BOARD)


def test_a_row_in_chunks() -> None:
    """Rows so wide that scratch holds only some columns of them."""
    build = GraphBuilder()
    x = build.input((1, 9, 90, 6), quantized=(0.02, 3))
    for stride in ((1, 1), (2, 2)):
        x = build.depthwise(x, (5, 5), stride=stride, activation=Activation.RELU)
    made = plan(build.graph(), "stream", kernels=ARMV7EM)
    row = library.row_variant(ARMV7EM, made.graph, made.graph.ops[0])
    columns = row.calls()[0].parameters["columns"]
    assert isinstance(columns, int)
    assert columns < 90
    assert_on_core(replace(made, graph=replace(made.graph, sha256="5a" * 32)), BOARD)


def test_cells_that_never_lie_on_the_tensor_cost_nothing() -> None:
    """A 7x7 kernel on a plane of 2x2 is the 3x3 kernel in its middle."""
    build = GraphBuilder()
    build.depthwise(build.input((1, 2, 2, 8)), (7, 7))
    graph = build.graph()
    (call,) = library.calls(ARMV7EM, graph, graph.ops[0], None)
    assert call.parameters["taps"] == 9


@pytest.mark.parametrize("channels", [12, 11, 10, 9])
def test_small_planes_in_place_with_and_without_a_short_form(channels: int) -> None:
    build = GraphBuilder()
    x = build.input((1, 5, 4, channels), quantized=(0.02, 7))
    tiny = tuple(0.004 if channel % 3 else -0.004 for channel in range(channels))
    x = build.depthwise(x, (3, 5), activation=Activation.RELU, quantized=(0.05, -128))
    build.depthwise(x, (7, 3), stride=(2, 1), weight_scales=tiny)
    graph = Batch([build.graph()]).graph
    for op in graph.ops:
        (call,) = library.calls(ARMV7EM, graph, op, 0)
        assert call.function == "depthwise_small"
    assert_on_core(plan(graph, "inplace", kernels=ARMV7EM), BOARD)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "function", "core"),
    [
        ((9, 1), (3, 1), (1, 1), "depthwise_small", "depthwise_small_round"),
        ((12, 14), (3, 3), (1, 1), "depthwise_whole", "depthwise_round_2x3_stride1"),
        ((20, 22), (5, 5), (2, 2), "depthwise_whole", "depthwise_round_3x5_stride2"),
    ],
)
def test_outputs_on_both_sides_of_the_zero_point(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    function: str,
    core: str,
) -> None:
    """Without an activation, as before the pointwise half of a separable convolution."""
    build = GraphBuilder()
    x = build.input((1, *size, 10), quantized=(0.02, 5))
    build.depthwise(x, kernel, stride=stride, quantized=(0.07, -9))
    graph = Batch([build.graph()]).graph
    for schedule in ("layer", "stream"):
        made = plan(graph, schedule, kernels=ARMV7EM)
        (call,) = library.calls(ARMV7EM, graph, graph.ops[0], None)
        assert (call.function, call.parameters["core"]) == (function, Name(core))
        assert call.parameters["exact"] == Name("NULL")
        assert_on_core(made, BOARD)


def test_scaled_sums_at_their_extremes() -> None:
    """All cells and weights at the ends of int8, with biases that take sums to their ends."""
    build = GraphBuilder()
    x = build.input((1, 5, 6, 8), quantized=(0.02, 127))
    build.depthwise(
        x, (5, 5), activation=Activation.RELU, quantized=(1.7, -128), weight_scales=(0.01,)
    )
    graph = build.graph()
    op = graph.ops[0]
    assert isinstance(op, DepthwiseConv2D)
    weights = graph.tensor(op.inputs[1])
    ends = np.where(np.arange(8) % 2, 127, -128) * np.ones(weights.shape)
    tensors = list(graph.tensors)
    tensors[op.inputs[1]] = replace(weights, data=ends.astype(np.int8))
    graph = replace(graph, tensors=tuple(tensors), sha256="5a" * 32)
    assert_on_core(plan(graph, "layer", kernels=ARMV7EM), BOARD)


def test_a_narrow_plane_is_turned() -> None:
    """A plane of 25x5 is computed as 5 lines of 25, in place as well."""
    build = GraphBuilder()
    x = build.input((1, 25, 5, 8), quantized=(0.02, -128))
    for kernel in ((5, 5), (5, 3)):
        x = build.depthwise(x, kernel, activation=Activation.RELU, quantized=(0.02, -128))
    graph = Batch([build.graph()]).graph
    for op in graph.ops:
        (call,) = library.calls(ARMV7EM, graph, op, 0)
        assert call.parameters["y"] == {"h": 5, "w": 25, "c": 8}
    assert_on_core(plan(graph, "inplace", kernels=ARMV7EM), BOARD)


@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
@pytest.mark.parametrize(
    "size", [(5, 1), (7, 2), (9, 3), (70, 6), (6, 7), (8, 9), (13, 10), (9, 40)]
)
def test_3x3_kernels_on_all_blocks_of_columns(
    size: tuple[int, int], stride: tuple[int, int]
) -> None:
    """Blocks of four, three and two columns, an odd row, a second band, channels left over."""
    build = GraphBuilder()
    x = build.input((1, *size, 11), quantized=(0.02, 5))
    for channel_scales in ((0.004,) * 11, (0.004, -0.004, 0.9, *(0.004,) * 8)):
        one_sided(build, x, (3, 3), stride=stride, weight_scales=channel_scales)
    graph = Batch([build.graph()]).graph
    for schedule in ("layer", "stream"):
        made = plan(graph, schedule, kernels=ARMV7EM)
        assert_on_core(made, BOARD)


def test_rows_of_one_pixel() -> None:
    """Windows of 3 to 13 cells as small planes, in padding, dilated, with channels left over."""
    graphs = []
    for cells, stride, dilation in ((3, 1, 1), (9, 2, 1), (10, 1, 1), (5, 1, 3), (13, 3, 1)):
        build = GraphBuilder()
        x = build.input((1, 30, 1, 11), quantized=(0.02, 5))
        window = {"stride": (stride, 1), "dilation": (dilation, 1)}
        x = build.depthwise(x, (cells, 1), **window)  # type: ignore[arg-type]
        build.depthwise(x, (cells, 1), weight_scales=(0.004, -0.004, *(0.9,) * 9))
        graphs.append(build.graph())
    graph = Batch(graphs).graph
    for op in graph.ops:
        (call,) = library.row_calls(ARMV7EM, graph, op)
        assert call.function == "depthwise_small_row"
    segments = [StreamSegment(i, i) for i in range(len(graph.ops))]
    assert_on_core(assemble(graph, "stream", segments, ARMV7EM), BOARD)
    streams = Streams(Fusion(graph, ARMV7EM))
    pairs = [streams.segment(i, i + 2) for i in range(0, len(graph.ops), 2)]
    assert_on_core(assemble(graph, "stream", pairs, ARMV7EM), BOARD)


@pytest.mark.parametrize("batch", [2, 3, 4])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_rows_in_batches(stride: tuple[int, int], batch: int) -> None:
    """Rings of any length, so that rows of a batch may not lie one behind the other."""
    build = GraphBuilder()
    x = one_sided(build, build.input((1, 13, 10, 11), quantized=(0.02, 5)), (3, 3))
    scales = (0.004, -0.004, *(0.9,) * 9)
    x = one_sided(build, x, (3, 3), stride=stride, weight_scales=scales)
    x = build.conv(build.depthwise(x, (5, 5)), 7, (1, 1))
    x = one_sided(build, x, (7, 7), stride=stride, weight_scales=scales[:7])
    build.conv(x, 5, (3, 3))
    graph = Batch([build.graph()]).graph
    cut = Cut(batch=batch)
    segment = Streams(Fusion(graph, ARMV7EM)).segment(0, len(graph.ops), cut=cut)
    assert_on_core(assemble(graph, "stream", [segment], ARMV7EM), BOARD)


def test_a_stream_with_room_goes_in_batches() -> None:
    """A later op needs more bytes than the stream does with one row at a time."""
    build = GraphBuilder()
    x = build.conv(build.input((1, 24, 24, 4)), 24, (1, 1))
    x = build.conv(one_sided(build, x, (3, 3)), 4, (1, 1))
    build.fully_connected(build.conv(x, 8, (24, 24), padding=Padding()), 9000)
    made = plan(build.graph(), "stream", kernels=ARMV7EM)
    assert any(isinstance(s, StreamSegment) and s.batch > 1 for s in made.segments)
    portable = plan(build.graph(), "stream")
    assert all(s.batch == 1 for s in portable.segments if isinstance(s, StreamSegment))
