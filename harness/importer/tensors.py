"""Tensors of the file become tensors of the graph, or the reason why they cannot.

A tensor whose type is not offered does not stop the reading: the ops that touch it are refused,
all of them in one message.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.errors import MalformedModelError
from harness.importer import limits
from harness.importer.flatbuffer import RawModel, RawQuantization, RawTensor
from harness.ir import DType, Quantization, Tensor
from harness.ir.tensor import short_name

_DTYPES = {dtype.name: dtype for dtype in DType}

_QUANTIZED = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32)


@dataclass(frozen=True, slots=True)
class UnusableTensor:
    """A sound tensor of a kind that no op here takes."""

    label: str
    reason: str


ImportedTensor = Tensor | UnusableTensor

_UNTOUCHED = UnusableTensor("", "is touched by no op")
"""Real files have such tensors, with shapes that would be faults anywhere else."""


def convert_tensors(raw: RawModel, *, name: str) -> tuple[ImportedTensor, ...]:
    """Return the tensors of a file, by position.

    Raises:
        MalformedModelError: shapes, data or quantization that contradict each other.
    """
    touched = {*raw.inputs, *raw.outputs}
    for op in raw.ops:
        touched.update(op.inputs, op.outputs)
    total = 0
    converted: list[ImportedTensor] = []
    for index, tensor in enumerate(raw.tensors):
        where = f"{name}: tensor {index} '{short_name(tensor.name)}'"
        result = _convert(tensor, where) if index in touched else _UNTOUCHED
        if isinstance(result, Tensor):
            total += result.size_bytes
        if total > limits.MAX_TOTAL_BYTES:
            raise MalformedModelError(
                f"{where}: the tensors so far take {total:,} B; "
                f"at most {limits.MAX_TOTAL_BYTES:,} B are allowed"
            )
        converted.append(result)
    return tuple(converted)


def _convert(raw: RawTensor, where: str) -> ImportedTensor:
    dtype = _DTYPES.get(raw.type_name)
    if dtype is None:
        return UnusableTensor(short_name(raw.name), f"has element type {raw.type_name.lower()}")
    if raw.is_sparse:
        return UnusableTensor(short_name(raw.name), "is sparse")
    if raw.is_variable:
        return UnusableTensor(
            short_name(raw.name), "is a variable: it keeps its value between inferences"
        )
    if raw.quantization is not None and raw.quantization.is_custom:
        return UnusableTensor(short_name(raw.name), "has custom quantization")
    if -1 in raw.shape:
        return UnusableTensor(short_name(raw.name), f"has the unknown shape {list(raw.shape)}")
    if fault := limits.shape_fault(raw.shape, dtype.itemsize):
        raise MalformedModelError(f"{where}: {fault}")
    data = None
    if raw.data is not None:
        expected = math.prod(raw.shape) * dtype.itemsize
        if len(raw.data) != expected:
            raise MalformedModelError(
                f"{where}: its buffer has {len(raw.data):,} B; "
                f"{dtype} {list(raw.shape)} needs {expected:,} B"
            )
        data = raw.data.view(dtype.numpy.newbyteorder("<")).reshape(raw.shape)
        data = np.ascontiguousarray(data, dtype=dtype.numpy).reshape(raw.shape)
    quantization = None
    if raw.quantization is not None and dtype in _QUANTIZED:
        quantization = _quantization(raw.quantization, raw.shape, dtype, where)
    return Tensor(raw.name, raw.shape, dtype, quantization, data)


def _quantization(
    raw: RawQuantization, shape: tuple[int, ...], dtype: DType, where: str
) -> Quantization | None:
    count = len(raw.scales)
    if not count:
        return None
    zero_points = raw.zero_points or (0,)
    if len(zero_points) == 1:
        zero_points *= count
    if len(zero_points) != count:
        raise MalformedModelError(f"{where}: {count} scales but {len(zero_points)} zero points")
    for scale in raw.scales:
        if not math.isfinite(scale) or scale == 0.0:
            raise MalformedModelError(
                f"{where}: scale {scale}; a finite number other than 0 is needed"
            )
    low, high = dtype.limits
    for zero_point in zero_points:
        if not low <= zero_point <= high:
            raise MalformedModelError(
                f"{where}: zero point {zero_point}; {dtype} holds {low} to {high}"
            )
    if count == 1:
        return Quantization(raw.scales, zero_points)
    # Converters leave any number here on tensors of one axis (a bias): it can only be axis 0.
    axis = 0 if len(shape) == 1 else raw.axis
    if not 0 <= axis < len(shape):
        raise MalformedModelError(f"{where}: quantized along axis {axis} of {list(shape)}")
    if shape[axis] != count:
        raise MalformedModelError(
            f"{where}: {count} scales for the {shape[axis]} slices of axis {axis}"
        )
    return Quantization(raw.scales, zero_points, axis)
