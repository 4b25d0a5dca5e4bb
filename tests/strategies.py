"""Hypothesis strategies that draw graphs: one of each op, and random networks."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from harness.ir import DType, Graph, TensorId
from harness.ir.ops import (
    Activation,
    Add,
    AveragePool2D,
    BinaryOp,
    MaxPool2D,
    Mul,
    Padding,
    Sub,
    Window,
)
from harness.ir.types import REQUANTIZATIONS
from tests.graphs import GraphBuilder, Quantized, float32, pad_same

PoolOp = AveragePool2D | MaxPool2D

sizes = st.integers(1, 7)
seeds = st.integers(0, 2**32 - 1)
activations = st.sampled_from(list(Activation))
zero_points = st.one_of(st.sampled_from([-128, 0, 127]), st.integers(-128, 127))
scales = st.floats(math.log(1e-3), math.log(4.0)).map(lambda x: float32(math.exp(x)))
"""Log-uniform: under a uniform scale nearly every softmax and logistic would saturate."""

quantizations = st.tuples(scales, zero_points)
binary_kinds: st.SearchStrategy[type[BinaryOp]] = st.sampled_from([Add, Sub, Mul])
pool_kinds: st.SearchStrategy[type[PoolOp]] = st.sampled_from([AveragePool2D, MaxPool2D])


@st.composite
def output_quantizations(draw: st.DrawFn) -> Quantized | None:
    """Draw a good output scale, or any from far too small, which saturates, to far too large."""
    return None if draw(st.booleans()) else draw(quantizations)


@st.composite
def windows(draw: st.DrawFn, size: tuple[int, int], *, dilate: bool = True) -> Window:
    """Draw a window that fits into ``[H, W]`` with SAME, VALID or odd explicit padding."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2))) if dilate else (1, 1)
    bare = Window(kernel=kernel, stride=stride, dilation=dilation)
    fits = all(extent <= length for extent, length in zip(bare.extent, size, strict=True))
    valid = fits and draw(st.booleans())
    padding = Padding() if valid else pad_same(size, bare)
    return Window(kernel=kernel, stride=stride, dilation=dilation, padding=padding)


@st.composite
def weight_scales(draw: st.DrawFn, channels: int) -> tuple[float, ...]:
    """Draw one scale, or one for each channel, some of them negative."""
    scale = st.floats(1e-3, 0.5).map(float32)
    if channels == 1 or draw(st.booleans()):
        return (draw(scale),)
    signed = st.tuples(scale, st.sampled_from([1.0, 1.0, 1.0, -1.0])).map(lambda p: p[0] * p[1])
    return tuple(draw(st.lists(signed, min_size=channels, max_size=channels)))


@st.composite
def conv_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of one convolution."""
    size, channels = draw(st.tuples(sizes, sizes)), draw(st.integers(1, 5))
    window = draw(windows(size))
    build = GraphBuilder("conv", draw(seeds))
    build.conv(
        build.input((1, *size, draw(st.integers(1, 5))), quantized=draw(quantizations)),
        channels,
        window.kernel,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        activation=draw(activations),
        bias=draw(st.booleans()),
        weight_scales=draw(weight_scales(channels)),
        quantized=draw(st.none() | quantizations),
    )
    return build.graph()


@st.composite
def depthwise_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of one depthwise convolution."""
    size, depth = draw(st.tuples(sizes, sizes)), draw(st.integers(1, 4))
    multiplier = draw(st.sampled_from([1, 1, 1, 2, 3]))
    window = draw(windows(size))
    build = GraphBuilder("depthwise", draw(seeds))
    build.depthwise(
        build.input((1, *size, depth), quantized=draw(quantizations)),
        window.kernel,
        multiplier=multiplier,
        stride=window.stride,
        dilation=window.dilation,
        padding=window.padding,
        activation=draw(activations),
        bias=draw(st.booleans()),
        weight_scales=draw(weight_scales(depth * multiplier)),
        quantized=draw(st.none() | quantizations),
    )
    return build.graph()


@st.composite
def fully_connected_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of one fully connected op; a lone weight scale is positive, as TFLM asks."""
    channels = draw(st.integers(1, 6))
    build = GraphBuilder("dense", draw(seeds))
    build.fully_connected(
        build.input(
            (draw(st.integers(1, 2)), draw(st.integers(1, 20))), quantized=draw(quantizations)
        ),
        channels,
        activation=draw(activations),
        bias=draw(st.booleans()),
        weight_scales=draw(weight_scales(channels)),
        quantized=draw(st.none() | quantizations),
    )
    return build.graph()


@st.composite
def binary_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of one ADD, SUB or MUL, some with broadcasting or a constant operand."""
    shape = (1, draw(sizes), draw(sizes), draw(st.integers(1, 4)))
    other = draw(st.sampled_from([shape, (shape[3],), (1, 1, 1, shape[3]), (1,)]))
    build = GraphBuilder("binary", draw(seeds))
    a = build.input(shape, quantized=draw(quantizations))
    if draw(st.booleans()):
        b = build.input(other, quantized=draw(quantizations))
    else:
        data = build.rng.integers(-128, 127, other, np.int8, endpoint=True)
        b = build.constant(data, draw(quantizations))
    swap = draw(st.booleans())
    build.binary(
        draw(binary_kinds),
        b if swap else a,
        a if swap else b,
        activation=draw(activations),
    )
    return build.graph()


@st.composite
def pool_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of one pool."""
    size = draw(st.tuples(sizes, sizes))
    window = draw(windows(size, dilate=False))
    build = GraphBuilder("pool", draw(seeds))
    build.pool(
        draw(pool_kinds),
        build.input((1, *size, draw(st.integers(1, 4))), quantized=draw(quantizations)),
        window.kernel,
        stride=window.stride,
        padding=window.padding,
        activation=draw(activations),
    )
    return build.graph()


@st.composite
def mean_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of one MEAN over some axes."""
    axes = draw(st.sets(st.integers(1, 3), min_size=1)).union(draw(st.sampled_from([[], [0]])))
    scale, zero_point = draw(quantizations)
    build = GraphBuilder("mean", draw(seeds))
    build.mean(
        build.input((1, draw(sizes), draw(sizes), draw(sizes)), quantized=(scale, zero_point)),
        tuple(sorted(axes)),
        keep_dims=draw(st.booleans()),
        quantized=(float32(scale * draw(st.floats(0.25, 4.0))), draw(zero_points)),
    )
    return build.graph()


@st.composite
def pointwise_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of one SOFTMAX, LOGISTIC, TANH or QUANTIZE between integers."""
    build = GraphBuilder("pointwise", draw(seeds))
    x = build.input(
        (draw(st.integers(1, 3)), draw(st.integers(1, 40))), quantized=draw(quantizations)
    )
    match draw(st.integers(0, 3)):
        case 0:
            build.softmax(x, draw(st.sampled_from([1.0, 0.5, 2.0])))
        case 1:
            build.logistic(x)
        case 2:
            build.tanh(x)
        case _:
            scale = float32(build.tensors[x].scale * draw(st.floats(0.1, 10.0)))
            build.quantize(x, (scale, draw(zero_points)))
    return build.graph()


@st.composite
def end_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of one QUANTIZE or DEQUANTIZE, as models begin and end with, of any types."""

    def quantized(dtype: DType) -> Quantized:
        low, high = dtype.limits
        return draw(scales), draw(st.sampled_from([low, 0, high]) | st.integers(low, high))

    source = draw(st.sampled_from(list(REQUANTIZATIONS)))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 40))
    build = GraphBuilder("end", draw(seeds))
    x = build.input(shape, source, None if source is DType.FLOAT32 else quantized(source))
    if source is not DType.FLOAT32 and draw(st.booleans()):
        build.dequantize(x)
    else:
        target = draw(st.sampled_from(REQUANTIZATIONS[source]))
        build.quantize(x, quantized(target), target)
    return build.graph()


@st.composite
def shape_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph that computes with the shape of its input, within 32 bits."""
    shape = tuple(draw(st.lists(sizes, min_size=1, max_size=4)))
    build = GraphBuilder("shape", draw(seeds))
    y = build.shape_of(build.input(shape))
    for _ in range(draw(st.integers(1, 3))):
        length = draw(st.sampled_from([1, len(shape)]))
        other = build.constant(build.rng.integers(-500, 500, length, np.int32))
        a, b = draw(st.permutations([y, other]))
        y = build.plain_binary(draw(binary_kinds), a, b, activation=draw(activations))
    return build.graph()


@st.composite
def move_graphs(draw: st.DrawFn, dtype: DType = DType.INT8) -> Graph:
    """Draw a graph of one op that only moves elements."""
    shape = (1, *(draw(st.integers(1, 5)) for _ in range(3)))
    build = GraphBuilder("move", draw(seeds))
    quantized = draw(quantizations) if dtype is DType.INT8 else None
    x = build.input(shape, dtype, quantized)
    match draw(st.integers(0, 7)):
        case 0:
            build.pad(
                x, (0, 0), *(draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in "HWC")
            )
        case 1:
            build.reshape(x, 1, -1)
        case 2:
            y = build.input(shape, dtype, quantized)
            build.concatenation([x, y, x], draw(st.integers(1, 3)))
        case 3:
            axis = draw(st.integers(1, 3))
            build.split(x, axis, shape[axis])
        case 4:
            build.pack([x, x], draw(st.integers(0, 4)))
        case 5:
            build.unpack(x, draw(st.integers(1, 3)))
        case 6:
            build.transpose(x, *draw(st.permutations(range(4))))
        case _:
            begin = tuple(draw(st.integers(0, length - 1)) for length in shape)
            strides = tuple(draw(st.integers(1, 3)) for _ in shape)
            lengths = tuple(
                1 + draw(st.integers(0, (length - 1 - b) // s))
                for length, b, s in zip(shape, begin, strides, strict=True)
            )
            build.strided_slice(x, begin, strides, lengths)
    return build.graph()


@st.composite
def resize_graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of one nearest-neighbour resize."""
    build = GraphBuilder("resize", draw(seeds))
    x = build.input((1, draw(sizes), draw(sizes), 2), quantized=draw(quantizations))
    align_corners, half_pixel_centers = draw(
        st.sampled_from([(False, False), (True, False), (False, True)])
    )
    build.resize(
        x,
        draw(st.integers(1, 15)),
        draw(st.integers(1, 15)),
        align_corners=align_corners,
        half_pixel_centers=half_pixel_centers,
    )
    return build.graph()


def op_graphs() -> st.SearchStrategy[Graph]:
    """Draw a graph of one op of any kind that runs on int8."""
    return st.one_of(
        conv_graphs(),
        depthwise_graphs(),
        fully_connected_graphs(),
        binary_graphs(),
        pool_graphs(),
        mean_graphs(),
        pointwise_graphs(),
        move_graphs(),
        resize_graphs(),
    )


def image(draw: st.DrawFn, build: GraphBuilder, largest: int) -> TensorId:
    """Add an int8 image: the model's input, or what QUANTIZE makes of an input of any type."""
    side = st.integers(4, largest)
    shape = 1, draw(side), draw(side), draw(st.integers(1, 4))
    match draw(st.sampled_from([None, None, *REQUANTIZATIONS])):
        case None:
            return build.input(shape)
        case DType.FLOAT32:
            return build.quantize(build.input(shape, DType.FLOAT32, None), (0.01, -3))
        case dtype:
            return build.quantize(build.input(shape, dtype, (0.05, 5)), (0.06, -3))


@st.composite
def random_graphs(draw: st.DrawFn, max_ops: int = 12) -> Graph:
    """Draw a graph with branches, joins, reshapes, several outputs, and ends of any type."""
    build = GraphBuilder("random", draw(seeds))
    grown = [image(draw, build, 9)]
    for _ in range(draw(st.integers(1, max_ops))):
        x = draw(st.sampled_from(grown[-3:]))
        grown.append(_grow(draw, build, x, grown))
    if draw(st.booleans()):
        x = build.mean(grown[-1], (1, 2)) if len(build.shape(grown[-1])) == 4 else grown[-1]
        build.softmax(build.fully_connected(x, 3))
    elif draw(st.booleans()):
        build.dequantize(grown[-1])
    return build.graph()


def _grow(draw: st.DrawFn, build: GraphBuilder, x: TensorId, grown: list[TensorId]) -> TensorId:
    """Add one op that reads the rank-4 tensor ``x``."""
    channels = build.shape(x)[3]
    stride = draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 2)]))
    match draw(st.integers(0, 8)):
        case 0 | 1:
            kernel = draw(st.sampled_from([(1, 1), (3, 3), (1, 4)]))
            return build.conv(x, draw(st.integers(1, 6)), kernel, stride=stride)
        case 2 | 3:
            kernel = draw(st.sampled_from([(3, 3), (5, 1)]))
            multiplier = draw(st.sampled_from([1, 1, 2]))
            return build.depthwise(x, kernel, stride=stride, multiplier=multiplier)
        case 4:
            same = [t for t in grown if build.shape(t) == build.shape(x)]
            return build.binary(Add, x, draw(st.sampled_from(same)))
        case 5:
            return build.pool(draw(pool_kinds), x, stride=stride)
        case 6:
            return build.pad(x, (0, 0), (1, 0), (0, 1), (0, draw(st.integers(0, 1))))
        case 7:
            _, height, width, _ = build.shape(x)
            return build.reshape(x, 1, width, height, channels)
        case _:
            return build.concatenation([x, x], 3) if channels < 8 else build.logistic(x)
