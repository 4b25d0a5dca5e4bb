"""Which element types and which quantization each op takes.

Arithmetic is int8 with int32 accumulators, or plain int32 where shapes are computed. Floats, uint8
and int16 occur at the ends of a model, where QUANTIZE and DEQUANTIZE lead in and out. Ops that
only move elements take any type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from harness.ir import ops as ir
from harness.ir.dtype import DType
from harness.ir.graph import Graph
from harness.ir.ops import Op
from harness.ir.tensor import Tensor

MOVABLE = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32)
"""Element types that ops without arithmetic take."""

REQUANTIZATIONS: dict[DType, tuple[DType, ...]] = {
    DType.FLOAT32: (DType.INT8, DType.INT16),
    DType.INT8: (DType.INT8, DType.UINT8, DType.INT16),
    DType.UINT8: (DType.INT8,),
    DType.INT16: (DType.INT8, DType.INT16),
}
"""What QUANTIZE turns into what, in TensorFlow Lite Micro."""


def is_plain(inputs: Sequence[Tensor]) -> bool:
    """Return whether an op works on integers that stand for themselves: sizes and indices."""
    return inputs[0].dtype is DType.INT32 and inputs[0].quantization is None


def must_fold(graph: Graph, op: Op) -> bool:
    """Return whether an op serves shapes only: known before the model runs, no kernel for it."""
    match op:
        case ir.Shape():
            return True
        case ir.Add() | ir.Sub() | ir.Mul():
            return is_plain([graph.tensor(t) for t in op.inputs])
        case _:
            return False


def type_faults(op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[str]:
    """Return what is wrong with the types and quantizations around an op; empty if nothing is."""
    return list(_faults(op, inputs, outputs))


def _faults(op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Iterator[str]:
    x, y = inputs[0], outputs[0]
    match op:
        case ir.Conv2D():
            yield from _weighted(inputs, y, axis=0)
        case ir.DepthwiseConv2D():
            yield from _weighted(inputs, y, axis=3)
        case ir.FullyConnected():
            yield from _weighted(inputs, y, axis=0)
        case ir.Add() | ir.Sub() | ir.Mul() if is_plain(inputs):
            for tensor in (*inputs, y):
                if tensor.dtype is not DType.INT32 or tensor.quantization is not None:
                    yield f"'{tensor.label}' is not a plain int32 as its first input is"
        case (
            ir.Add()
            | ir.Sub()
            | ir.Mul()
            | ir.AveragePool2D()
            | ir.MaxPool2D()
            | ir.Mean()
            | ir.Softmax()
            | ir.Logistic()
            | ir.Tanh()
        ):
            for tensor in (*inputs, y):
                yield from _int8(tensor)
        case ir.Quantize():
            if y.dtype not in REQUANTIZATIONS.get(x.dtype, ()):
                yield f"from {x.dtype} to {y.dtype} is not offered"
            for tensor in (y,) if x.dtype is DType.FLOAT32 else (x, y):
                yield from _per_tensor(tensor)
        case ir.Dequantize():
            if x.dtype not in (DType.INT8, DType.UINT8, DType.INT16) or y.dtype != DType.FLOAT32:
                yield f"from {x.dtype} to {y.dtype} is not offered"
            yield from _per_tensor(x)
        case ir.Reshape():
            yield from _moves((x,), outputs)
            for shape in inputs[1:]:
                if shape.dtype not in (DType.INT32, DType.INT64):
                    yield f"its shape '{shape.label}' is {shape.dtype}; int32 is needed"
        case (
            ir.Pad()
            | ir.Concatenation()
            | ir.Split()
            | ir.Pack()
            | ir.Unpack()
            | ir.Transpose()
            | ir.StridedSlice()
            | ir.ResizeNearestNeighbor()
        ):
            yield from _moves(inputs, outputs)
            if isinstance(op, ir.Pad) and not _holds(y.dtype, op.value):
                yield f"pads {y.dtype} with {op.value}"
        case ir.Shape():
            if y.dtype is not DType.INT32:
                yield f"gives the shape as {y.dtype}; int32 is needed"
        case _:
            assert_never(op)


def _holds(dtype: DType, value: int) -> bool:
    """Return whether a type has an integer; of float32 only 0 is needed."""
    if dtype is DType.FLOAT32:
        return value == 0
    low, high = dtype.limits
    return low <= value <= high


def _weighted(inputs: Sequence[Tensor], y: Tensor, *, axis: int) -> Iterator[str]:
    x, weights, *biases = inputs
    yield from _int8(x)
    if x.dtype is not DType.INT8:
        return  # The rest follows from that.
    yield from _int8(y)
    for tensor in (weights, *biases):
        if not tensor.is_constant:
            yield f"'{tensor.label}' is computed; only constants are offered"
    for bias in biases:
        if bias.dtype is not DType.INT32:
            yield f"its bias '{bias.label}' is {bias.dtype}; int32 is needed"
    if weights.dtype is not DType.INT8:
        yield f"its weights '{weights.label}' are {weights.dtype}; int8 is needed"
    elif (quantization := weights.quantization) is None:
        yield f"its weights '{weights.label}' have no scale"
    else:
        if quantization.axis not in (None, axis):
            yield f"its weights are quantized along axis {quantization.axis}; {axis} is needed"
        if any(quantization.zero_points):
            yield "its weights have zero points other than 0"


def _int8(tensor: Tensor) -> Iterator[str]:
    if tensor.dtype is not DType.INT8:
        yield f"'{tensor.label}' is {tensor.dtype}; int8 is needed"
    else:
        yield from _per_tensor(tensor)


def _per_tensor(tensor: Tensor) -> Iterator[str]:
    quantization = tensor.quantization
    if quantization is None:
        yield f"'{tensor.label}' has no scale"
    elif len(quantization.scales) != 1:
        yield f"'{tensor.label}' has {len(quantization.scales)} scales; one is needed"
    elif quantization.scale <= 0:
        yield f"'{tensor.label}' has scale {quantization.scale}; above 0 is needed"


def _moves(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Iterator[str]:
    first = inputs[0].dtype
    for tensor in (*inputs, *outputs):
        if tensor.dtype != first:
            yield f"moves {first} to {tensor.dtype} ('{tensor.label}')"
    if first not in MOVABLE:
        yield f"moves elements of type {first}; {', '.join(MOVABLE)} are offered"
