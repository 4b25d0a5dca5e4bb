"""Hypothesis strategies that draw networks which go by rows, and plans that fuse runs of them.

Nothing clever is in these plans: no two whole tensors share bytes, and rows are kept as long as
they are needed or longer. Plans where everything overlaps come from the planner itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from harness.ir import Graph, TensorId
from harness.ir.ops import AveragePool2D, Padding, Window
from harness.kernels import library
from harness.kernels.kernel_set import PORTABLE, KernelSet
from harness.schedule.fusion import Fusion
from harness.schedule.geometry import (
    Axis,
    Span,
    evenly,
    length,
    pixel_bytes,
    sums_all_rows,
    sums_bytes,
    tile,
)
from harness.schedule.plan import (
    Allocation,
    FusedSegment,
    LayerSegment,
    PatchSegment,
    Plan,
    Purpose,
    Rows,
    Segment,
    StreamSegment,
    align,
)
from harness.schedule.stream import Cut, Streams
from tests import strategies
from tests.graphs import GraphBuilder, pad_same


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Draw a network of ops that go by rows: branches, odd sizes, windows, and maybe a tail.

    Some begin with QUANTIZE, some end with DEQUANTIZE.
    """
    build = GraphBuilder("network", draw(strategies.seeds))
    grown = [strategies.image(draw, build, 11)]
    for _ in range(draw(st.integers(2, 6))):
        x = draw(st.sampled_from(grown[-2:]))
        grown.append(_grow(draw, build, x, grown))
    tail = draw(st.integers(0, 4))
    if tail:
        x, (_, height, width, _) = grown[-1], build.shape(grown[-1])
        if tail == 1:
            build.fully_connected(build.mean(x), 3)
        elif tail == 2:
            build.conv(build.mean(x, keep_dims=True), 3, (1, 1))
        elif tail == 3:
            build.dequantize(x)
        else:
            build.pool(AveragePool2D, x, (height, width), padding=Padding())
    return build.graph()


def _grow(draw: st.DrawFn, build: GraphBuilder, x: TensorId, grown: list[TensorId]) -> TensorId:
    """Add one op that reads ``x``."""
    _, height, width, channels = build.shape(x)
    match draw(st.integers(0, 9)):
        case 0 | 1 | 2:
            window = draw(windows((height, width)))
            return build.depthwise(
                x,
                window.kernel,
                multiplier=draw(st.sampled_from([1, 1, 1, 2])),
                stride=window.stride,
                dilation=window.dilation,
                padding=window.padding,
            )
        case 3 | 4:
            window = draw(windows((height, width)))
            return build.conv(
                x,
                draw(st.integers(1, 5)),
                window.kernel,
                stride=window.stride,
                dilation=window.dilation,
                padding=window.padding,
            )
        case 5:
            same = [t for t in grown if build.shape(t) == build.shape(x)]
            return build.binary(
                draw(strategies.binary_kinds), x, draw(st.sampled_from(same)), quantized=(0.1, 4)
            )
        case 6:
            window = draw(strategies.windows((height, width), dilate=False))
            return build.pool(
                draw(strategies.pool_kinds),
                x,
                window.kernel,
                stride=window.stride,
                padding=window.padding,
            )
        case 7:
            sides = st.tuples(st.integers(0, 2), st.integers(0, 2))
            return build.pad(x, (0, 0), draw(sides), draw(sides), (0, draw(st.integers(0, 1))))
        case 8:
            double = draw(st.booleans())
            return build.resize(x, height * 2 if double else height - 1 or 1, width + 1)
        case _:
            return build.concatenation([x, x]) if channels < 5 else build.logistic(x)


@st.composite
def windows(draw: st.DrawFn, size: tuple[int, int]) -> Window:
    """Draw a window with padding of any kind: SAME, VALID, or each side as it comes."""
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 2), (3, 2)]))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (2, 1)]))
    bare = Window(kernel=kernel, stride=stride, dilation=dilation)
    padding = pad_same(size, bare)
    if draw(st.booleans()):
        side = st.integers(0, 3)
        padding = Padding(draw(side), draw(side), draw(side), draw(side))
        reached = (size[0] + padding.top + padding.bottom, size[1] + padding.left + padding.right)
        if any(extent > length for extent, length in zip(bare.extent, reached, strict=True)):
            padding = pad_same(size, bare)
    return replace(bare, padding=padding)


chunk_columns = st.sampled_from([None, 1, 2, 3])

Fuse = Callable[[st.DrawFn, Fusion, int, int], tuple[FusedSegment, int]]
"""Makes a segment of ops ``first..end-1``, and says how many bytes of workspace it has."""


def stream(draw: st.DrawFn, fusion: Fusion, first: int, end: int) -> tuple[FusedSegment, int]:
    """Draw a stream whose rings are as small as can be, some rows in chunks."""
    segment = Streams(fusion).segment(first, end, cut=Cut(chunk=draw(chunk_columns)))
    return segment, workspace_bytes(fusion.graph, segment)


def batches(draw: st.DrawFn, fusion: Fusion, first: int, end: int) -> tuple[FusedSegment, int]:
    """Draw a stream that makes several rows at once."""
    segment = Streams(fusion).segment(first, end, cut=Cut(batch=draw(st.integers(2, 5))))
    return segment, workspace_bytes(fusion.graph, segment)


def stripes(draw: st.DrawFn, fusion: Fusion, first: int, end: int) -> tuple[FusedSegment, int]:
    """Draw a stream in stripes."""
    count = draw(st.integers(1, _room(fusion, first, end, Axis.COLUMNS)))
    cut = Cut(stripes=count, chunk=draw(chunk_columns))
    segment = Streams(fusion).segment(first, end, cut=cut)
    return segment, workspace_bytes(fusion.graph, segment)


def patches(draw: st.DrawFn, fusion: Fusion, first: int, end: int) -> tuple[FusedSegment, int]:
    """Draw patches, their tiles one after the other; a run that sums over all rows is a stream."""
    graph = fusion.graph
    if any(sums_all_rows(graph, graph.ops[i]) for i in range(first, end)):
        return stream(draw, fusion, first, end)
    down, across = (draw(st.integers(1, _room(fusion, first, end, axis))) for axis in Axis)
    output = graph.ops[end - 1].outputs[0]
    most = [
        _most(
            tile(graph, range(first, end), axis, span)
            for span in evenly(length(graph, output, axis), parts)
        )
        for axis, parts in zip(Axis, (down, across), strict=True)
    ]
    rows, offset = [], 0
    for position in range(first, end - 1):
        tensor = graph.ops[position].outputs[0]
        kept = Rows(tensor, most[0][tensor] or 1, most[1][tensor] or 1, offset)
        offset += align(kept.rows * kept.columns * pixel_bytes(graph, tensor))
        rows.append(kept)
    segment = PatchSegment(first, end - 1, (down, across), tuple(rows))
    return segment, workspace_bytes(graph, segment)


@st.composite
def plans(draw: st.DrawFn, graph: Graph, fuse: Fuse, kernels: KernelSet = PORTABLE) -> Plan:
    """Draw a plan that fuses random runs of a graph's ops."""
    fusion, segments, end = Fusion(graph, kernels), list[Segment](), len(graph.ops)
    sizes: dict[Segment, int] = {}
    while end:
        longest = fusion.starts[end]
        first = draw(st.integers(longest, end - 1)) if longest < end else end
        if first == end:
            segments.insert(0, LayerSegment(end - 1))
            end -= 1
            continue
        segment, size = fuse(draw, fusion, first, end)
        sizes[segment] = size
        segments.insert(0, segment)
        end = first
    return spread_plan(graph, segments, sizes, kernels)


def spread_plan(
    graph: Graph,
    segments: Sequence[Segment],
    sizes: dict[Segment, int],
    kernels: KernelSet = PORTABLE,
) -> Plan:
    """Return a plan in which no two allocations share a byte."""
    fused = [s for s in segments if isinstance(s, StreamSegment | PatchSegment)]
    inner = {rows.tensor for segment in fused for rows in segment.rows}
    allocations, end = [], 0
    for t in dict.fromkeys(graph.activations()):
        if t not in inner:
            size = align(graph.tensor(t).size_bytes)
            allocations.append(Allocation(Purpose.TENSOR, (t,), end, size, -1, len(segments)))
            end += size
    for number, segment in enumerate(segments):
        if size := sizes.get(segment, 0):
            allocations.append(Allocation(Purpose.WORKSPACE, (), end, size, number, number))
            end += size
        if size := align(_scratch_bytes(kernels, graph, segment)):
            allocations.append(Allocation(Purpose.SCRATCH, (), end, size, number, number))
            end += size
    return Plan(graph, "spread", tuple(segments), tuple(allocations), kernels=kernels)


def _scratch_bytes(kernels: KernelSet, graph: Graph, segment: Segment) -> int:
    ops = [graph.ops[i] for i in segment.ops]
    if isinstance(segment, LayerSegment):
        return library.scratch_bytes(kernels, graph, ops[0], None)
    return max(library.row_scratch_bytes(kernels, graph, op) for op in ops)


def _room(fusion: Fusion, first: int, end: int, axis: Axis) -> int:
    """Return into how many parts the output can be cut; sums over all take no cut."""
    graph = fusion.graph
    if any(sums_all_rows(graph, graph.ops[i]) for i in range(first, end)):
        return 1
    return min(length(graph, graph.ops[end - 1].outputs[0], axis), 4)


def _most(tiles: Iterable[Mapping[TensorId, Span]]) -> dict[TensorId, int]:
    most: dict[TensorId, int] = {}
    for spans in tiles:
        for tensor, span in spans.items():
            most[tensor] = max(most.get(tensor, 0), span.length)
    return most


def workspace_bytes(graph: Graph, segment: FusedSegment) -> int:
    """Return the bytes of a workspace, sums included."""
    ends = [
        rows.offset + align(rows.rows * rows.columns * pixel_bytes(graph, rows.tensor))
        for rows in segment.rows
    ]
    return max(ends, default=0) + sum(sums_bytes(graph, graph.ops[i]) for i in segment.ops)
