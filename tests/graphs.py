"""Small graphs for tests: a builder with one method for each op, and a few whole networks.

Values (weights, biases, inputs) come from a seed, structure from arguments; what is not said is
chosen so that results neither vanish nor saturate. Hypothesis draws graphs in ``strategies.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.ir import DType, Graph, Op, Quantization, Tensor, TensorId
from harness.ir.ops import (
    Activation,
    Add,
    AveragePool2D,
    BinaryOp,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    Dequantize,
    FullyConnected,
    Logistic,
    MaxPool2D,
    Mean,
    Mul,
    Pack,
    Pad,
    Padding,
    Quantize,
    Reshape,
    ResizeNearestNeighbor,
    Shape,
    Softmax,
    Split,
    StridedSlice,
    Tanh,
    Transpose,
    Unpack,
    Window,
)
from harness.ir.padding import same_padding
from harness.ir.tensor import Array, constant

Quantized = tuple[float, int]
"""Scale and zero point."""


def float32(value: float) -> float:
    """Return the nearest float32, as scales in a model file are."""
    return float(np.float32(value))


def pad_same(size: tuple[int, int], window: Window) -> Padding:
    """Return TensorFlow's SAME padding of ``[H, W]``."""
    rows, columns = map(same_padding, size, window.extent, window.stride)
    return Padding(*rows, *columns)


def random_inputs(graph: Graph, seed: int = 0) -> list[Array]:
    """Return one array for each model input, over the whole range of its type."""
    rng = np.random.default_rng(seed)
    return [_random_array(rng, graph.tensor(t)) for t in graph.inputs]


def _random_array(rng: np.random.Generator, tensor: Tensor) -> Array:
    if tensor.dtype is DType.FLOAT32:
        return rng.uniform(-2, 2, tensor.shape).astype(np.float32)
    info = np.iinfo(tensor.dtype.value)
    return rng.integers(info.min, info.max, tensor.shape, tensor.dtype.numpy, endpoint=True)


class GraphBuilder:
    """Grows a graph op by op; each method returns the new tensor's id."""

    def __init__(self, name: str = "test", seed: int = 0) -> None:
        self.name = name
        self.rng = np.random.default_rng(seed)
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self.inputs: list[TensorId] = []

    def graph(self, *outputs: TensorId) -> Graph:
        """Return the graph; without ``outputs``, all tensors that no op reads are outputs."""
        read = {t for op in self.ops for t in op.inputs}
        written = [t for op in self.ops for t in op.outputs]
        return Graph(
            self.name,
            tuple(self.tensors),
            tuple(self.ops),
            tuple(self.inputs),
            outputs or tuple(t for t in written if t not in read),
        )

    def shape(self, x: TensorId) -> tuple[int, ...]:
        return self.tensors[x].shape

    def tensor(self, tensor: Tensor) -> TensorId:
        self.tensors.append(tensor)
        return TensorId(len(self.tensors) - 1)

    def input(
        self,
        shape: tuple[int, ...],
        dtype: DType = DType.INT8,
        quantized: Quantized | None = (0.05, -3),
    ) -> TensorId:
        """Add a model input."""
        x = self.tensor(Tensor(f"x{len(self.tensors)}", shape, dtype, per_tensor(quantized)))
        self.inputs.append(x)
        return x

    def weights(self, shape: tuple[int, ...], scales: tuple[float, ...], axis: int) -> TensorId:
        data = self.rng.integers(-127, 127, shape, np.int8, endpoint=True)
        quantization = Quantization(
            tuple(float32(s) for s in scales), (0,) * len(scales), axis if len(scales) > 1 else None
        )
        return self.tensor(constant(f"w{len(self.tensors)}", data, quantization))

    def constant(self, data: Array, quantized: Quantized | None = None) -> TensorId:
        """Add a constant."""
        return self.tensor(constant(f"c{len(self.tensors)}", data, per_tensor(quantized)))

    def emit(self, op: Op, *outputs: Tensor) -> TensorId:
        """Add an op whose outputs are the next tensors; return the first of them."""
        first = self.tensor(outputs[0])
        for output in outputs[1:]:
            self.tensor(output)
        self.ops.append(op)
        return first

    def output(
        self,
        kind: str,
        shape: tuple[int, ...],
        quantized: Quantized | None,
        dtype: DType = DType.INT8,
        index: int = 0,
    ) -> Tensor:
        return Tensor(f"{kind}{len(self.ops)}_{index}", shape, dtype, per_tensor(quantized))

    def next_ids(self, count: int = 1) -> tuple[TensorId, ...]:
        return tuple(TensorId(len(self.tensors) + i) for i in range(count))

    def quantized(self, x: TensorId) -> Quantized:
        return self.tensors[x].scale, self.tensors[x].zero_point

    # What follows has one method for each op.

    def conv(
        self,
        x: TensorId,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: Padding | None = None,
        activation: Activation = Activation.NONE,
        bias: bool = True,
        weight_scales: tuple[float, ...] = (0.01,),
        quantized: Quantized | None = None,
    ) -> TensorId:
        """Convolve; ``padding`` None is SAME."""
        window = self._window(x, kernel, stride, dilation, padding)
        depth = self.shape(x)[3]
        inputs = [x, self.weights((channels, *kernel, depth), weight_scales, 0)]
        if bias:
            inputs.append(self._bias(x, weight_scales, channels))
        quantized = quantized or self._spread(x, weight_scales, math.prod(kernel) * depth)
        op = Conv2D(
            inputs=tuple(inputs), outputs=self.next_ids(), window=window, activation=activation
        )
        return self.emit(op, self.output("conv", self._windowed(x, window, channels), quantized))

    def depthwise(
        self,
        x: TensorId,
        kernel: tuple[int, int] = (3, 3),
        *,
        multiplier: int = 1,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: Padding | None = None,
        activation: Activation = Activation.NONE,
        bias: bool = True,
        weight_scales: tuple[float, ...] = (0.01,),
        quantized: Quantized | None = None,
    ) -> TensorId:
        """Convolve each channel alone; ``padding`` None is SAME."""
        window = self._window(x, kernel, stride, dilation, padding)
        channels = self.shape(x)[3] * multiplier
        inputs = [x, self.weights((1, *kernel, channels), weight_scales, 3)]
        if bias:
            inputs.append(self._bias(x, weight_scales, channels))
        quantized = quantized or self._spread(x, weight_scales, math.prod(kernel))
        op = DepthwiseConv2D(
            inputs=tuple(inputs),
            outputs=self.next_ids(),
            window=window,
            depth_multiplier=multiplier,
            activation=activation,
        )
        shape = self._windowed(x, window, channels)
        return self.emit(op, self.output("depthwise", shape, quantized))

    def fully_connected(
        self,
        x: TensorId,
        channels: int,
        *,
        activation: Activation = Activation.NONE,
        bias: bool = True,
        weight_scales: tuple[float, ...] = (0.01,),
        quantized: Quantized | None = None,
    ) -> TensorId:
        """Connect each row ``[..., IN]`` to ``[..., channels]``."""
        *rows, depth = self.shape(x)
        inputs = [x, self.weights((channels, depth), weight_scales, 0)]
        if bias:
            inputs.append(self._bias(x, weight_scales, channels))
        quantized = quantized or self._spread(x, weight_scales, depth)
        op = FullyConnected(inputs=tuple(inputs), outputs=self.next_ids(), activation=activation)
        return self.emit(op, self.output("dense", (*rows, channels), quantized))

    def binary(
        self,
        kind: type[BinaryOp],
        a: TensorId,
        b: TensorId,
        *,
        activation: Activation = Activation.NONE,
        quantized: Quantized | None = None,
    ) -> TensorId:
        """Add, subtract or multiply, with broadcasting."""
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        (scale_a, _), (scale_b, _) = self.quantized(a), self.quantized(b)
        scale = scale_a * scale_b * 128 if kind is Mul else scale_a + scale_b
        op = kind(inputs=(a, b), outputs=self.next_ids(), activation=activation)
        return self.emit(op, self.output(kind.__name__.lower(), shape, quantized or (scale, 5)))

    def plain_binary(
        self,
        kind: type[BinaryOp],
        a: TensorId,
        b: TensorId,
        *,
        activation: Activation = Activation.NONE,
    ) -> TensorId:
        """Add, subtract or multiply int32 that stand for themselves, with broadcasting."""
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        op = kind(inputs=(a, b), outputs=self.next_ids(), activation=activation)
        return self.emit(op, self.output(kind.__name__.lower(), shape, None, DType.INT32))

    def pool(
        self,
        kind: type[AveragePool2D] | type[MaxPool2D],
        x: TensorId,
        kernel: tuple[int, int] = (2, 2),
        *,
        stride: tuple[int, int] = (2, 2),
        padding: Padding | None = None,
        activation: Activation = Activation.NONE,
    ) -> TensorId:
        """Pool; ``padding`` None is SAME."""
        window = self._window(x, kernel, stride, (1, 1), padding)
        op = kind(inputs=(x,), outputs=self.next_ids(), window=window, activation=activation)
        shape = self._windowed(x, window, self.shape(x)[3])
        return self.emit(op, self.output("pool", shape, self.quantized(x)))

    def mean(
        self,
        x: TensorId,
        axes: tuple[int, ...] = (1, 2),
        *,
        keep_dims: bool = False,
        quantized: Quantized | None = None,
    ) -> TensorId:
        """Mean over axes."""
        shape = tuple(
            1 if axis in axes else length
            for axis, length in enumerate(self.shape(x))
            if keep_dims or axis not in axes
        )
        op = Mean(inputs=(x,), outputs=self.next_ids(), axes=axes, keep_dims=keep_dims)
        return self.emit(op, self.output("mean", shape, quantized or self.quantized(x)))

    def pad(self, x: TensorId, *paddings: tuple[int, int]) -> TensorId:
        """Pad with the zero point, or with 0 where there is none."""
        shape = tuple(
            before + length + after
            for (before, after), length in zip(paddings, self.shape(x), strict=True)
        )
        value = self.tensors[x].zero_point if self.tensors[x].quantization else 0
        op = Pad(inputs=(x,), outputs=self.next_ids(), paddings=paddings, value=value)
        return self.emit(op, self._like(x, "pad", shape))

    def reshape(self, x: TensorId, *shape: int) -> TensorId:
        """Reshape; -1 is what is left over."""
        full = np.empty(self.shape(x), np.bool_).reshape(shape).shape
        op = Reshape(inputs=(x,), outputs=self.next_ids())
        return self.emit(op, self._like(x, "reshape", full))

    def shape_of(self, x: TensorId) -> TensorId:
        """Give the shape as a tensor."""
        op = Shape(inputs=(x,), outputs=self.next_ids())
        return self.emit(op, self.output("shape", (len(self.shape(x)),), None, DType.INT32))

    def softmax(self, x: TensorId, beta: float = 1.0) -> TensorId:
        """Softmax over the last axis."""
        op = Softmax(inputs=(x,), outputs=self.next_ids(), beta=beta)
        return self.emit(op, self.output("softmax", self.shape(x), (1 / 256, -128)))

    def logistic(self, x: TensorId) -> TensorId:
        """Logistic function."""
        op = Logistic(inputs=(x,), outputs=self.next_ids())
        return self.emit(op, self.output("logistic", self.shape(x), (1 / 256, -128)))

    def tanh(self, x: TensorId) -> TensorId:
        """Hyperbolic tangent."""
        op = Tanh(inputs=(x,), outputs=self.next_ids())
        return self.emit(op, self.output("tanh", self.shape(x), (1 / 128, 0)))

    def quantize(self, x: TensorId, quantized: Quantized, dtype: DType = DType.INT8) -> TensorId:
        """Go to another quantization."""
        op = Quantize(inputs=(x,), outputs=self.next_ids())
        return self.emit(op, self.output("quantize", self.shape(x), quantized, dtype))

    def dequantize(self, x: TensorId) -> TensorId:
        """Go to float32."""
        op = Dequantize(inputs=(x,), outputs=self.next_ids())
        return self.emit(op, self.output("dequantize", self.shape(x), None, DType.FLOAT32))

    def concatenation(self, xs: Sequence[TensorId], axis: int = 3) -> TensorId:
        """Join tensors of one quantization."""
        shape = list(self.shape(xs[0]))
        shape[axis] = sum(self.shape(x)[axis] for x in xs)
        op = Concatenation(inputs=tuple(xs), outputs=self.next_ids(), axis=axis)
        return self.emit(op, self._like(xs[0], "concatenation", tuple(shape)))

    def split(self, x: TensorId, axis: int, parts: int) -> tuple[TensorId, ...]:
        """Cut into equal parts."""
        shape = list(self.shape(x))
        shape[axis] //= parts
        outputs = self.next_ids(parts)
        op = Split(inputs=(x,), outputs=outputs, axis=axis)
        self.emit(op, *(self._like(x, "split", tuple(shape), i) for i in range(parts)))
        return outputs

    def pack(self, xs: Sequence[TensorId], axis: int) -> TensorId:
        """Stack along a new axis."""
        shape = list(self.shape(xs[0]))
        shape.insert(axis, len(xs))
        op = Pack(inputs=tuple(xs), outputs=self.next_ids(), axis=axis)
        return self.emit(op, self._like(xs[0], "pack", tuple(shape)))

    def unpack(self, x: TensorId, axis: int) -> tuple[TensorId, ...]:
        """Take apart along an axis."""
        shape = list(self.shape(x))
        parts = shape.pop(axis)
        outputs = self.next_ids(parts)
        op = Unpack(inputs=(x,), outputs=outputs, axis=axis)
        self.emit(op, *(self._like(x, "unpack", tuple(shape), i) for i in range(parts)))
        return outputs

    def transpose(self, x: TensorId, *perm: int) -> TensorId:
        """Reorder axes."""
        shape = tuple(self.shape(x)[axis] for axis in perm)
        op = Transpose(inputs=(x,), outputs=self.next_ids(), perm=perm)
        return self.emit(op, self._like(x, "transpose", shape))

    def strided_slice(
        self,
        x: TensorId,
        begin: tuple[int, ...],
        strides: tuple[int, ...],
        lengths: tuple[int, ...],
    ) -> TensorId:
        """Take every n-th element of each axis."""
        op = StridedSlice(
            inputs=(x,), outputs=self.next_ids(), begin=begin, strides=strides, lengths=lengths
        )
        return self.emit(op, self._like(x, "slice", lengths))

    def resize(
        self,
        x: TensorId,
        height: int,
        width: int,
        *,
        align_corners: bool = False,
        half_pixel_centers: bool = False,
    ) -> TensorId:
        """Resize to ``[height, width]``."""
        batch, _, _, channels = self.shape(x)
        op = ResizeNearestNeighbor(
            inputs=(x,),
            outputs=self.next_ids(),
            align_corners=align_corners,
            half_pixel_centers=half_pixel_centers,
        )
        return self.emit(op, self._like(x, "resize", (batch, height, width, channels)))

    def _like(self, x: TensorId, kind: str, shape: tuple[int, ...], index: int = 0) -> Tensor:
        tensor = self.tensors[x]
        name = f"{kind}{len(self.ops)}_{index}"
        return Tensor(name, shape, tensor.dtype, tensor.quantization)

    def _bias(self, x: TensorId, weight_scales: tuple[float, ...], channels: int) -> TensorId:
        data = self.rng.integers(-2000, 2000, channels, np.int32)
        scales = tuple(float32(self.tensors[x].scale * float32(s)) for s in weight_scales)
        quantization = Quantization(scales, (0,) * len(scales), 0 if len(scales) > 1 else None)
        return self.tensor(constant(f"b{len(self.tensors)}", data, quantization))

    def _window(
        self,
        x: TensorId,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int],
        padding: Padding | None,
    ) -> Window:
        _, height, width, _ = self.shape(x)
        window = Window(kernel=kernel, stride=stride, dilation=dilation)
        padding = pad_same((height, width), window) if padding is None else padding
        return Window(kernel=kernel, stride=stride, dilation=dilation, padding=padding)

    def _windowed(self, x: TensorId, window: Window, channels: int) -> tuple[int, ...]:
        batch, height, width, _ = self.shape(x)
        pad, (eh, ew), (sh, sw) = window.padding, window.extent, window.stride
        rows = (height + pad.top + pad.bottom - eh) // sh + 1
        columns = (width + pad.left + pad.right - ew) // sw + 1
        return batch, rows, columns, channels

    def _spread(self, x: TensorId, weight_scales: tuple[float, ...], terms: int) -> Quantized:
        """Return an output quantization that random weights and inputs fill well."""
        widest = max(abs(scale) for scale in weight_scales)
        return self.tensors[x].scale * widest * 60 * math.sqrt(terms), 7


def per_tensor(quantized: Quantized | None) -> Quantization | None:
    """Return the quantization of a whole tensor."""
    return quantized and Quantization((float32(quantized[0]),), (quantized[1],))


def conv_graph(channels: int = 4, *, size: tuple[int, int] = (6, 5), depth: int = 3) -> Graph:
    """Return a graph of one 3x3 convolution with ReLU6."""
    build = GraphBuilder("conv")
    build.conv(build.input((1, *size, depth)), channels, activation=Activation.RELU6)
    return build.graph()


def with_flat_input(graph: Graph) -> Graph:
    """Return a graph whose first input is a vector that a RESHAPE makes what it was."""
    x, tensor = graph.inputs[0], graph.tensor(graph.inputs[0])
    vector = TensorId(len(graph.tensors))
    flat = replace(tensor, name="vector", shape=(1, tensor.elements))
    return replace(
        graph,
        tensors=(*graph.tensors, flat),
        ops=(Reshape(inputs=(vector,), outputs=(x,)), *graph.ops),
        inputs=(vector, *graph.inputs[1:]),
    )


def chain_graph() -> Graph:
    """Return conv, depthwise, pointwise, mean, dense, softmax: a small MobileNet."""
    build = GraphBuilder("chain")
    x = build.conv(build.input((1, 12, 12, 3)), 8, stride=(2, 2), activation=Activation.RELU6)
    x = build.depthwise(x, activation=Activation.RELU6, weight_scales=(0.01,) * 8)
    x = build.conv(x, 16, (1, 1), activation=Activation.RELU)
    x = build.fully_connected(build.mean(x), 5)
    build.softmax(x)
    return build.graph()


def residual_graph() -> Graph:
    """Return an inverted residual block: expand, depthwise, project, add."""
    build = GraphBuilder("residual")
    x = build.conv(build.input((1, 8, 8, 4)), 4, (1, 1))
    y = build.conv(x, 24, (1, 1), activation=Activation.RELU6)
    y = build.depthwise(y, activation=Activation.RELU6)
    y = build.conv(y, 4, (1, 1))
    build.binary(Add, x, y)
    return build.graph()


def quantized_graph(dtype: DType) -> Graph:
    """Return a small network from ``dtype`` to float32: QUANTIZE, two convolutions, DEQUANTIZE."""
    build = GraphBuilder("quantized")
    x = build.input((1, 9, 8, 3), dtype, None if dtype is DType.FLOAT32 else (0.05, 5))
    x = build.conv(build.quantize(x, (0.01, -3)), 4, stride=(2, 2))
    build.dequantize(build.conv(build.depthwise(x), 5, (1, 1)))
    return build.graph()
