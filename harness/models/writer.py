"""From a graph to the bytes of a .tflite file.

The inverse of the importer: what the graph has as fields (axes, paddings, sizes) becomes constant
operands again, explicit padding becomes SAME or VALID. Reading the bytes back gives the same
graph. Deterministic: the same graph gives the same bytes.

Schema: tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import flatbuffers
import numpy as np
import tflite

from harness.errors import UnsupportedModelError
from harness.ir import DType, Graph, Op, Tensor
from harness.ir import ops as ir
from harness.ir.ops import Activation, Window, WindowOp
from harness.ir.padding import same_padding
from harness.ir.shapes import kept_axes
from harness.ir.tensor import Array, constant

_SAME, _VALID = 0, 1

_ACTIVATIONS = {
    Activation.NONE: 0,
    Activation.RELU: 1,
    Activation.RELU_N1_TO_1: 2,
    Activation.RELU6: 3,
}

_ALIGNMENT = 16
"""Bytes; TensorFlow Lite reads constants in place and wants them aligned."""

_FIRST_INT8_VERSION = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4}
"""Version of the op at which int8 came; 2 for the others."""

_UNVERSIONED = ("RESHAPE", "SHAPE", "QUANTIZE")
"""Ops that took any type from version 1."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How an op looks in the file: its options table, and operands that were fields."""

    options: str = ""
    fields: Mapping[str, int | float | bool] | None = None
    operands: tuple[Tensor, ...] = ()
    kind: str = ""


def write_tflite(graph: Graph) -> bytes:
    """Return the graph as a .tflite file.

    Raises:
        UnsupportedModelError: an op whose padding is neither SAME nor VALID.
    """
    return _Writer(graph).write()


def _integers(name: str, values: object, dtype: DType = DType.INT32) -> Tensor:
    return constant(name, np.asarray(values, dtype=dtype.numpy))


def _form(graph: Graph, position: int) -> _Form:
    """Return how the op at a position looks in the file."""
    op = graph.ops[position]
    x = graph.tensor(op.inputs[0])
    y = graph.tensor(op.outputs[0])
    match op:
        case ir.Conv2D() | ir.DepthwiseConv2D() | ir.AveragePool2D() | ir.MaxPool2D():
            return _window_form(graph, position, op)
        case ir.FullyConnected(activation=activation):
            keeps = len(y.shape) == len(x.shape) != 2
            return _Form(
                "FullyConnectedOptions",
                {"FusedActivationFunction": _ACTIVATIONS[activation], "KeepNumDims": keeps},
            )
        case ir.Add(activation=activation):
            return _Form("AddOptions", {"FusedActivationFunction": _ACTIVATIONS[activation]})
        case ir.Sub(activation=activation):
            return _Form("SubOptions", {"FusedActivationFunction": _ACTIVATIONS[activation]})
        case ir.Mul(activation=activation):
            return _Form("MulOptions", {"FusedActivationFunction": _ACTIVATIONS[activation]})
        case ir.Pad():
            return _pad_form(op, y)
        case ir.Mean(axes=axes, keep_dims=keep_dims):
            return _Form("ReducerOptions", {"KeepDims": keep_dims}, (_integers("axes", axes),))
        case ir.Reshape():
            shape = () if len(op.inputs) > 1 else (_integers("shape", y.shape),)
            return _Form(operands=shape)
        case ir.Softmax(beta=beta):
            return _Form("SoftmaxOptions", {"Beta": beta})
        case ir.Logistic() | ir.Tanh() | ir.Quantize() | ir.Dequantize():
            return _Form()
        case ir.Concatenation(axis=axis, activation=activation):
            return _Form(
                "ConcatenationOptions",
                {"Axis": axis, "FusedActivationFunction": _ACTIVATIONS[activation]},
            )
        case ir.Split(axis=axis):
            return _Form("SplitOptions", {"NumSplits": len(op.outputs)}, (_integers("axis", axis),))
        case ir.Pack(axis=axis):
            return _Form("PackOptions", {"ValuesCount": len(op.inputs), "Axis": axis})
        case ir.Unpack(axis=axis):
            return _Form("UnpackOptions", {"Num": len(op.outputs), "Axis": axis})
        case ir.Transpose(perm=perm):
            return _Form("TransposeOptions", {}, (_integers("perm", perm),))
        case ir.StridedSlice():
            return _slice_form(op, y)
        case ir.ResizeNearestNeighbor(align_corners=align, half_pixel_centers=half):
            return _Form(
                "ResizeNearestNeighborOptions",
                {"AlignCorners": align, "HalfPixelCenters": half},
                (_integers("size", y.shape[1:3]),),
            )
        case ir.Shape():
            return _Form("ShapeOptions", {"OutType": getattr(tflite.TensorType, y.dtype.name)})
        case _:
            assert_never(op)


def _window_form(graph: Graph, position: int, op: WindowOp) -> _Form:
    window = op.window
    fields: dict[str, int] = {
        "Padding": _padding_code(graph, position, window),
        "StrideH": window.stride[0],
        "StrideW": window.stride[1],
        "FusedActivationFunction": _ACTIVATIONS[op.activation],
    }
    match op:
        case ir.Conv2D():
            table = "Conv2DOptions"
            fields |= {
                "DilationHFactor": window.dilation[0],
                "DilationWFactor": window.dilation[1],
            }
        case ir.DepthwiseConv2D():
            table = "DepthwiseConv2DOptions"
            fields |= {
                "DilationHFactor": window.dilation[0],
                "DilationWFactor": window.dilation[1],
                "DepthMultiplier": op.depth_multiplier,
            }
        case ir.AveragePool2D() | ir.MaxPool2D():
            table = "Pool2DOptions"
            fields |= {"FilterHeight": window.kernel[0], "FilterWidth": window.kernel[1]}
        case _:
            assert_never(op)
    return _Form(table, fields)


def _padding_code(graph: Graph, position: int, window: Window) -> int:
    padding = window.padding
    if padding.is_zero:
        return _VALID
    _, height, width, _ = graph.tensor(graph.ops[position].inputs[0]).shape
    vertical = same_padding(height, window.extent[0], window.stride[0])
    horizontal = same_padding(width, window.extent[1], window.stride[1])
    found = (padding.top, padding.bottom), (padding.left, padding.right)
    if found != (vertical, horizontal):
        raise UnsupportedModelError(
            f"{graph.name}: {graph.label(position)}: pads {found}; a .tflite can only say "
            f"SAME ({vertical}, {horizontal}) or VALID (nothing)",
            hint="put a PAD op before it",
        )
    return _SAME


def _pad_form(op: ir.Pad, y: Tensor) -> _Form:
    paddings = _integers("paddings", op.paddings)
    if op.value == (y.zero_point if y.quantization is not None else 0):
        return _Form("PadOptions", {}, (paddings,))
    value = constant("value", np.asarray(op.value, dtype=y.dtype.numpy), y.quantization)
    return _Form("PadV2Options", {}, (paddings, value), kind="PADV2")


def _slice_form(op: ir.StridedSlice, y: Tensor) -> _Form:
    """Begins, ends and strides; an end before element 0 can only be said with a mask."""
    ends = [
        begin + length * stride
        for begin, length, stride in zip(op.begin, op.lengths, op.strides, strict=True)
    ]
    kept = kept_axes(op.lengths, y.shape)
    axes = range(len(ends))
    fields = {
        "EndMask": sum(1 << axis for axis in axes if ends[axis] < 0),
        "ShrinkAxisMask": sum(1 << axis for axis in axes if axis not in kept),
    }
    operands = (
        _integers("begin", op.begin),
        _integers("end", [max(0, end) for end in ends]),
        _integers("strides", op.strides),
    )
    return _Form("StridedSliceOptions", fields, operands)


class _Writer:
    """Builds one file. A flatbuffer is built from its leaves up, so tables come last."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._builder = flatbuffers.Builder(
            sum(t.size_bytes for t in graph.tensors if t.is_constant) + (1 << 16)
        )
        self._tensors = list(graph.tensors)
        self._codes: dict[str, int] = {}

    def write(self) -> bytes:
        """Return the file."""
        b, graph = self._builder, self._graph
        operators = [self._op(position) for position in range(len(graph.ops))]
        data = [t.data for t in self._tensors if t.data is not None]
        buffers = [self._table("Buffer"), *(self._buffer(array) for array in data)]
        positions = iter(range(1, len(buffers)))
        tensors = [self._tensor(t, next(positions) if t.is_constant else 0) for t in self._tensors]
        subgraph = self._table(
            "SubGraph",
            Tensors=self._offsets(tensors),
            Inputs=self._array(graph.inputs, DType.INT32),
            Outputs=self._array(graph.outputs, DType.INT32),
            Operators=self._offsets(operators),
            Name=b.CreateString("main"),
        )
        codes = [self._code(kind) for kind in self._codes]
        model = self._table(
            "Model",
            Version=3,
            OperatorCodes=self._offsets(codes),
            Subgraphs=self._offsets([subgraph]),
            Description=b.CreateString(graph.name),
            Buffers=self._offsets(buffers),
        )
        b.Finish(model, file_identifier=b"TFL3")
        return bytes(b.Output())

    def _op(self, position: int) -> int:
        op: Op = self._graph.ops[position]
        form = _form(self._graph, position)
        operands = list(range(len(self._tensors), len(self._tensors) + len(form.operands)))
        self._tensors += form.operands
        inputs = [*operands, *op.inputs] if isinstance(op, ir.Split) else [*op.inputs, *operands]
        fields: dict[str, int] = {
            "OpcodeIndex": self._codes.setdefault(form.kind or op.kind, len(self._codes)),
            "Inputs": self._array(inputs, DType.INT32),
            "Outputs": self._array(op.outputs, DType.INT32),
        }
        if form.options:
            fields["BuiltinOptions"] = self._table(form.options, **(form.fields or {}))
            fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, form.options)
        return self._table("Operator", **fields)

    def _code(self, kind: str) -> int:
        code = getattr(tflite.BuiltinOperator, kind)
        return self._table(
            "OperatorCode",
            BuiltinCode=code,
            DeprecatedBuiltinCode=min(code, 127),
            Version=1 if kind in _UNVERSIONED else _FIRST_INT8_VERSION.get(kind, 2),
        )

    def _tensor(self, tensor: Tensor, buffer: int) -> int:
        fields: dict[str, int] = {
            "Shape": self._array(tensor.shape, DType.INT32),
            "Type": getattr(tflite.TensorType, tensor.dtype.name),
            "Buffer": buffer,
            "Name": self._builder.CreateString(tensor.name),
        }
        if (quantization := tensor.quantization) is not None:
            fields["Quantization"] = self._table(
                "QuantizationParameters",
                Scale=self._array(quantization.scales, DType.FLOAT32),
                ZeroPoint=self._array(quantization.zero_points, DType.INT64),
                QuantizedDimension=quantization.axis or 0,
            )
        return self._table("Tensor", **fields)

    def _buffer(self, data: Array) -> int:
        return self._table("Buffer", Data=self._bytes(data.tobytes(), 1, _ALIGNMENT))

    def _array(self, values: Sequence[object], dtype: DType) -> int:
        data = np.asarray(values, dtype=dtype.numpy.newbyteorder("<")).tobytes()
        return self._bytes(data, dtype.itemsize, dtype.itemsize)

    def _bytes(self, data: bytes, itemsize: int, alignment: int) -> int:
        b = self._builder
        b.StartVector(itemsize, len(data) // itemsize, alignment)
        b.head -= len(data)
        b.Bytes[b.head : b.head + len(data)] = data
        end: int = b.EndVector()
        return end

    def _offsets(self, offsets: Sequence[int]) -> int:
        b = self._builder
        b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            b.PrependUOffsetTRelative(offset)
        end: int = b.EndVector()
        return end

    def _table(self, name: str, **fields: int | float | bool) -> int:
        b = self._builder
        getattr(tflite, f"{name}Start")(b)
        for field, value in fields.items():
            add: Callable[..., None] = getattr(tflite, f"{name}Add{field}")
            add(b, value)
        end: int = getattr(tflite, f"{name}End")(b)
        return end
