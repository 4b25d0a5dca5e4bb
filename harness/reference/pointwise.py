"""SOFTMAX, LOGISTIC, TANH, QUANTIZE and DEQUANTIZE."""

from __future__ import annotations

import numpy as np

from harness.arithmetic import (
    dtype_range,
    is_table,
    prepare_dequantize,
    prepare_quantize,
    prepare_requantize,
    prepare_softmax,
    table,
)
from harness.arithmetic.fixed_point import high_mul, reciprocal, rescale, rounding_shift_right
from harness.arithmetic.lookup import TableOp
from harness.arithmetic.softmax import SUM_BITS
from harness.ir import DType, Graph
from harness.ir.ops import Dequantize, Quantize, Softmax
from harness.ir.tensor import Array


def softmax(graph: Graph, op: Softmax, x: Array) -> Array:
    """Return the softmax of each row of the last axis."""
    known = prepare_softmax(graph, op).exponentials
    exponentials = np.array(known + (0,) * (256 - len(known)), np.int64)
    values = x.astype(np.int64)
    terms = exponentials[values.max(axis=-1, keepdims=True) - values]
    sums = rounding_shift_right(terms, SUM_BITS).sum(axis=-1, keepdims=True)
    scale, excess_bits = reciprocal(sums, SUM_BITS)
    outputs = rounding_shift_right(high_mul(scale, terms), excess_bits + 31 - 8) - 128
    return np.clip(outputs, -128, 127)


def lookup(graph: Graph, op: TableOp, x: Array) -> Array:
    """Return the result of an op on single 8-bit values."""
    smallest, _ = dtype_range(graph.tensor(op.inputs[0]).dtype)
    return np.array(table(graph, op))[x.astype(np.int64) - smallest]


def quantize(graph: Graph, op: Quantize, x: Array) -> Array:
    """Return ``x``, float32 or quantized, in the quantization of the output."""
    if is_table(graph, op):
        return lookup(graph, op, x)
    if graph.tensor(op.inputs[0]).dtype is DType.FLOAT32:
        return _quantize_float32(graph, op, x)
    p = prepare_requantize(graph, op)
    outputs = rescale(x.astype(np.int64) + p.input_offset, p.factor) + p.output_offset
    return np.clip(outputs, p.low, p.high)


def _quantize_float32(graph: Graph, op: Quantize, x: Array) -> Array:
    p = prepare_quantize(graph, op)
    with np.errstate(over="ignore", invalid="ignore"):
        steps = (x / np.float32(p.scale)).astype(np.float64)
    steps = np.nan_to_num(steps, nan=-np.inf)
    steps = np.clip(steps, p.low - p.zero_point, p.high - p.zero_point)
    return np.trunc(steps + np.copysign(0.5, steps)).astype(np.int64) + p.zero_point


def dequantize(graph: Graph, op: Dequantize, x: Array) -> Array:
    """Return ``x`` as float32."""
    p = prepare_dequantize(graph, op)
    return (x.astype(np.float64) - p.zero_point) * p.scale
