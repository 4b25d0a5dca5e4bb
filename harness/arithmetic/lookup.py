"""Ops on one 8-bit value are tables of 256 results.

LOGISTIC, TANH and QUANTIZE between 8-bit types depend on nothing but the value, so that the whole
fixed-point computation happens here and the firmware looks up. Entry ``i`` is the result for the
value ``i + smallest``, where ``smallest`` is -128 for int8 and 0 for uint8.

Source: tflite-micro, kernels/internal/reference/integer_ops/{logistic,tanh}.h: inputs in Q4.27
outside of a radius saturate; micro/kernels/{logistic_common,tanh}.cc.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from harness.arithmetic import fixed_point
from harness.arithmetic.activation import dtype_range
from harness.arithmetic.fixed_point import Raw, rescale, rounding_shift_right
from harness.arithmetic.multiplier import decompose
from harness.arithmetic.quantize import prepare_requantize
from harness.ir.dtype import DType
from harness.ir.graph import Graph
from harness.ir.ops import Logistic, Op, Quantize, Tanh
from harness.ir.tensor import Tensor

TableOp = Logistic | Tanh | Quantize


class _Squashing(Protocol):
    def __call__(self, value: Raw, integer_bits: int) -> Raw: ...


INTEGER_BITS = 4
"""Integer bits of a scaled input of LOGISTIC and TANH."""


def is_table(graph: Graph, op: Op) -> bool:
    """Whether the op maps each 8-bit input value to one 8-bit output value."""
    byte = (DType.INT8, DType.UINT8)
    return isinstance(op, TableOp) and all(
        graph.tensor(t).dtype in byte for t in (op.inputs[0], op.outputs[0])
    )


def table(graph: Graph, op: TableOp) -> tuple[int, ...]:
    """Return the op's results for all 256 input values, ascending."""
    x = graph.tensor(op.inputs[0])
    smallest, largest = dtype_range(x.dtype)
    values = np.arange(smallest, largest + 1, dtype=np.int64)
    match op:
        case Logistic():
            results = _squash(x, values, fixed_point.logistic, result_bits=8, output_offset=-128)
        case Tanh():
            results = _squash(x, values, fixed_point.tanh, result_bits=7, output_offset=0)
        case Quantize():
            p = prepare_requantize(graph, op)
            results = p.output_offset + rescale(values + p.input_offset, p.factor)
            results = np.clip(results, p.low, p.high)
    return tuple(results.tolist())


def _squash(
    x: Tensor, values: Raw, function: _Squashing, *, result_bits: int, output_offset: int
) -> Raw:
    """Return ``function`` of all values, in ``result_bits`` below the point."""
    factor = decompose(x.scale * 2.0 ** (31 - INTEGER_BITS))
    radius = math.floor(((1 << INTEGER_BITS) - 1) * 2.0 ** (31 - INTEGER_BITS - factor.shift))
    centred = values - x.zero_point
    inside = np.clip(centred, 1 - radius, radius - 1) if radius else np.zeros_like(centred)
    results = function(rescale(inside, factor), INTEGER_BITS)
    results = output_offset + rounding_shift_right(results, 31 - result_bits)
    results = np.clip(results, -128, 127)
    return np.where(centred <= -radius, -128, np.where(centred >= radius, 127, results))
