"""Kernels for MVE, on an emulated Cortex-M55, equal the reference for drawn shapes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from harness.ir import Graph, TensorId
from harness.ir.ops import Mul, Padding, Window
from harness.kernels import library
from harness.kernels.call import Name
from harness.kernels.kernel_set import Isa, KernelSet
from harness.schedule.fusion import Fusion
from harness.schedule.room import give_room
from harness.schedule.search import assemble, plan
from harness.schedule.stream import Cut, Streams
from tests import strategies
from tests.graphs import GraphBuilder, float32, pad_same
from tests.host_c import plans
from tests.kernel_batch import SLOW, Batch, assert_on_core, batches
from tests.roundings import alternating

pytestmark = pytest.mark.qemu

BOARD = "mps3-an547"
MVE = KernelSet(Isa.MVE)

few = settings(max_examples=2, phases=[Phase.generate], suppress_health_check=SLOW, deadline=None)


@st.composite
def convs(draw: st.DrawFn) -> Graph:
    """Draw a convolution that shifts to the right, with channels around multiples of vectors."""
    height, width, depth, channels = (draw(st.integers(1, n)) for n in (6, 7, 70, 18))
    depth = draw(st.sampled_from([depth, 1, 3, 16, 32]))
    window = draw(st.just(None) | plans.windows((height, width)))
    build = GraphBuilder("conv", draw(strategies.seeds))
    x = build.input((1, height, width, depth), quantized=(0.05, draw(strategies.zero_points)))
    build.conv(
        x,
        channels,
        window.kernel if window else (1, 1),
        stride=window.stride if window else draw(st.sampled_from([(1, 1), (2, 2), (1, 2)])),
        dilation=window.dilation if window else (1, 1),
        padding=window.padding if window else Padding(),
        activation=draw(strategies.activations),
        bias=draw(st.booleans()),
        weight_scales=draw(small_scales(channels)),
        quantized=(draw(st.floats(0.05, 3.0)), draw(strategies.zero_points)),
    )
    return build.graph()


def small_scales(channels: int) -> st.SearchStrategy[tuple[float, ...]]:
    """Draw scales of weights, some negative, whose factors are below 1/2."""
    scale = st.floats(1e-6, 0.02).flatmap(lambda x: st.sampled_from([x, x, -x]))
    return st.just((0.01,)) | st.tuples(*[scale] * channels)


@st.composite
def dense(draw: st.DrawFn) -> Graph:
    channels = draw(st.integers(1, 21))
    build = GraphBuilder("dense", draw(strategies.seeds))
    x = build.input((draw(st.integers(1, 3)), draw(st.integers(1, 90))), quantized=(0.05, -7))
    build.fully_connected(
        x,
        channels,
        activation=draw(strategies.activations),
        bias=draw(st.booleans()),
        weight_scales=draw(small_scales(channels)) if channels > 1 else (0.01,),
    )
    return build.graph()


@st.composite
def depthwises(draw: st.DrawFn) -> Graph:
    """Draw a depthwise convolution: the usual kernels, some others, channels around a vector."""
    height, width, depth = (draw(st.integers(1, n)) for n in (11, 19, 19))
    if draw(st.booleans()):
        height, width = 4 * height, draw(st.sampled_from([width, 1, 1]))
    build = GraphBuilder("depthwise", draw(strategies.seeds))
    x = build.input((1, height, width, depth), quantized=(0.05, draw(strategies.zero_points)))
    convolve(draw, build, x)
    return build.graph()


@st.composite
def chains(draw: st.DrawFn) -> Graph:
    """Draw a depthwise convolution between two others, all of whose rows are made in a stream."""
    shape = (1, draw(st.integers(2, 30)), draw(st.integers(1, 19)), draw(st.integers(1, 19)))
    build = GraphBuilder("chain", draw(strategies.seeds))
    x = build.input(shape, quantized=(0.05, draw(strategies.zero_points)))
    x = build.conv(x, shape[3], (1, 1), quantized=(0.05, draw(strategies.zero_points)))
    x = convolve(draw, build, x)
    kernel, stride = draw(sides([1, 3, 5])), draw(sides([1, 2]))
    build.conv(x, draw(st.integers(1, 9)), kernel, stride=stride)
    graph = build.graph()
    assume(Fusion(graph, MVE).starts[len(graph.ops)] == 0)
    return graph


def convolve(draw: st.DrawFn, build: GraphBuilder, x: TensorId) -> TensorId:
    _, height, width, depth = build.shape(x)
    usual = Window(kernel=draw(sides([3, 5, 7])), stride=draw(sides([1, 2])))
    if width == 1:
        usual = replace(usual, kernel=(draw(st.integers(1, 16)), 1))
    usual = replace(usual, padding=pad_same((height, width), usual))
    window = draw(st.just(usual) | plans.windows((height, width)))
    multiplier = draw(st.sampled_from([1, 1, 1, 2, 5]))
    return build.depthwise(
        x,
        window.kernel,
        multiplier=multiplier,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        activation=draw(strategies.activations),
        bias=draw(st.booleans()),
        weight_scales=draw(small_scales(depth * multiplier)),
        quantized=(draw(st.floats(0.05, 1.0)), draw(strategies.zero_points)),
    )


def sides(lengths: list[int]) -> st.SearchStrategy[tuple[int, int]]:
    return st.sampled_from([(length, length) for length in lengths])


@st.composite
def binaries(draw: st.DrawFn) -> Graph:
    """Draw an element-wise op with runs that are long enough."""
    shape = (1, draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(8, 20)))
    build = GraphBuilder("binary", draw(strategies.seeds))
    a, b = (
        build.input(other, quantized=draw(strategies.quantizations))
        for other in (shape, draw(st.sampled_from([shape, shape, shape[3:]])))
    )
    (scale_a, _), (scale_b, _) = build.quantized(a), build.quantized(b)
    kind = draw(strategies.binary_kinds)
    scale = scale_a * scale_b * draw(st.floats(2.5, 200.0))
    if kind is not Mul:
        scale = max(scale_a, scale_b) * draw(st.floats(0.5, 3.0))
    quantized = (float32(scale), draw(strategies.zero_points))
    build.binary(kind, a, b, activation=draw(strategies.activations), quantized=quantized)
    return build.graph()


@st.composite
def pools(draw: st.DrawFn) -> Graph:
    """Draw a pool over channels around multiples of vectors."""
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    window = draw(strategies.windows(size, dilate=False) | st.just(Window(kernel=size)))
    build = GraphBuilder("pool", draw(strategies.seeds))
    build.pool(
        draw(strategies.pool_kinds),
        build.input((1, *size, draw(st.integers(4, 35))), quantized=draw(strategies.quantizations)),
        window.kernel,
        stride=window.stride,
        padding=window.padding,
        activation=draw(strategies.activations),
    )
    return build.graph()


WHOLE = {"conv": convs(), "depthwise": depthwises(), "dense": dense(), "pool": pools()}


def test_negative_factors_in_turn() -> None:
    """A layer is rounded one way, which is exact for either sign."""
    graphs = [alternating(2, (1, 1)), alternating(2, (3, 3)), alternating(4)]
    assert_on_core(plan(Batch(graphs).graph, "layer", kernels=MVE), BOARD)


@pytest.mark.parametrize("schedule", ["layer", "inplace"])
@pytest.mark.parametrize("kind", WHOLE)
def test_whole_ops(kind: str, schedule: str) -> None:
    @given(batches(WHOLE[kind], 24))
    @few
    def check(batch: Batch) -> None:
        assert_on_core(plan(batch.graph, schedule, kernels=MVE), BOARD)
        for op in batch.graph.ops:
            assert library.variant(MVE, batch.graph, op, None).name == "mve"

    check()


def test_a_depthwise_kernel_without_a_pass_is_rounded_as_the_reference() -> None:
    build = GraphBuilder("depthwise")
    x = build.input((1, 8, 16, 20), quantized=(0.05, 0))
    build.depthwise(x, (4, 4), padding=Padding(1, 2, 1, 2), quantized=(0.3, -128))
    assert_on_core(plan(Batch([build.graph()]).graph, "layer", kernels=MVE), BOARD)


@given(
    batches(
        strategies.conv_graphs()
        | strategies.pointwise_graphs()
        | strategies.end_graphs()
        | strategies.binary_graphs()
        | strategies.depthwise_graphs()
        | strategies.fully_connected_graphs(),
        24,
    )
)
@few
def test_quantization_at_the_extremes(batch: Batch) -> None:
    assert_on_core(plan(batch.graph, "layer", kernels=MVE), BOARD)


@pytest.mark.parametrize("schedule", ["layer", "inplace"])
def test_binary_ops(schedule: str) -> None:
    used: list[str] = []

    @given(batches(binaries(), 48))
    @few
    def check(batch: Batch) -> None:
        assert_on_core(plan(batch.graph, schedule, kernels=MVE), BOARD)
        used.extend(library.variant(MVE, batch.graph, op, None).name for op in batch.graph.ops)

    check()
    assert used.count("mve") > 0.5 * len(used)


@given(batches(strategies.end_graphs(), 24))
@few
def test_ends_of_models(batch: Batch) -> None:
    """Also of floats that are rounded or clamped by a rule of their own."""
    assert_on_core(plan(batch.graph, "layer", kernels=MVE), BOARD)


FUSIONS = {"stream": plans.stream, "stripes": plans.stripes, "patches": plans.patches}


@pytest.mark.parametrize("fusion", FUSIONS)
def test_rows(fusion: str) -> None:
    """Ops make rows of rings and tiles, one op after the other or whole networks."""

    @given(st.data(), batches(plans.networks() | convs() | depthwises() | pools(), 16))
    @few
    def check(data: st.DataObject, batch: Batch) -> None:
        assert_on_core(data.draw(plans.plans(batch.graph, FUSIONS[fusion], MVE)), BOARD)

    check()


@pytest.mark.parametrize("scratch", ["least", "most"])
def test_rows_in_batches(scratch: str) -> None:
    """Any number of them, with as little scratch as can be or all that is of use."""

    @given(st.lists(st.integers(2, 9), min_size=24, max_size=24), batches(chains(), 24))
    @few
    def check(sizes: list[int], batch: Batch) -> None:
        streams = Streams(Fusion(batch.graph, MVE))
        segments = [
            streams.segment(3 * i, 3 * i + 3, cut=Cut(batch=size)) for i, size in enumerate(sizes)
        ]
        made = assemble(batch.graph, "stream", segments, MVE)
        assert_on_core(give_room(made, 1 << 20) if scratch == "most" else made, BOARD)

    check()


@pytest.mark.parametrize(("width", "kernel"), [(1, 3), (2, 5)])
def test_narrow_rows_in_batches(width: int, kernel: int) -> None:
    """Their windows are made of eight channels at a time."""
    build = GraphBuilder()
    x = build.conv(build.input((1, 13, width, 64)), 21, (1, 1))
    build.depthwise(x, (kernel, kernel), quantized=(0.5, 3))
    graph = Batch([build.graph()]).graph
    (call,) = library.row_calls(MVE, graph, graph.ops[1], in_batches=True)
    name = call.parameters["pass"]
    assert isinstance(name, Name)
    assert name.text.startswith("depthwise_channels_1")
    for size in (2, 5, 13):
        segment = Streams(Fusion(graph, MVE)).segment(0, 2, cut=Cut(batch=size))
        assert_on_core(assemble(graph, "stream", [segment], MVE), BOARD)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_pointwise_rows_go_over_those_that_they_are_made_of(batch: int) -> None:
    build = GraphBuilder()
    x = build.depthwise(build.input((1, 13, 17, 37), quantized=(0.05, 3)), (3, 3))
    x = build.conv(build.depthwise(x, (3, 3)), 37, (1, 1))
    build.conv(build.depthwise(x, (5, 5)), 4, (1, 1))
    graph = Batch([build.graph()]).graph
    segment = Streams(Fusion(graph, MVE)).segment(0, len(graph.ops), cut=Cut(batch=batch))
    owners = {kept.tensor: kept.owner for kept in segment.rows}
    op = graph.ops[2]
    assert owners[op.outputs[0]] == owners[op.inputs[0]]
    made = assemble(graph, "stream", [segment], MVE)
    assert_on_core(made, BOARD)
    assert_on_core(give_room(made, 1 << 20), BOARD)
