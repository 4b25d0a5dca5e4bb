"""ADD, SUB and MUL, on int8 with rescaling and on plain integers as they are."""

from __future__ import annotations

import numpy as np

from harness.arithmetic import prepare_add, prepare_mul
from harness.arithmetic.activation import output_range
from harness.arithmetic.fixed_point import Raw, rescale
from harness.ir import DType, Graph
from harness.ir.ops import Add, BinaryOp, Mul, Sub
from harness.ir.tensor import Array


def binary(graph: Graph, op: BinaryOp, a: Array, b: Array) -> Array:
    """Return the element-wise result; shapes broadcast."""
    if graph.tensor(op.outputs[0]).dtype is not DType.INT8:
        return _plain(graph, op, a, b)
    if isinstance(op, Mul):
        return _multiply(graph, op, a.astype(np.int64), b.astype(np.int64))
    return _add(graph, op, a.astype(np.int64), b.astype(np.int64))


def _add(graph: Graph, op: Add | Sub, a: Raw, b: Raw) -> Array:
    p = prepare_add(graph, op)
    scaled_a, scaled_b = (
        rescale((values + offset) << p.left_shift, factor)
        for values, offset, factor in zip((a, b), p.offsets, p.multipliers, strict=True)
    )
    total = scaled_a + scaled_b if isinstance(op, Add) else scaled_a - scaled_b
    return np.clip(rescale(total, p.output) + p.output_offset, p.low, p.high)


def _multiply(graph: Graph, op: Mul, a: Raw, b: Raw) -> Array:
    p = prepare_mul(graph, op)
    product = (a + p.offsets[0]) * (b + p.offsets[1])
    return np.clip(rescale(product, p.output) + p.output_offset, p.low, p.high)


def _plain(graph: Graph, op: BinaryOp, a: Array, b: Array) -> Array:
    """Integers without quantization (shape arithmetic): results wrap, then are clamped.

    ADD alone does not clamp: TensorFlow Lite Micro passes over its fused activation
    (micro/kernels/add.cc, EvalAdd).
    """
    function = {Add: np.add, Sub: np.subtract, Mul: np.multiply}[type(op)]
    output = graph.tensor(op.outputs[0])
    assert output.quantization is None, output.name
    result: Array = function(a, b, dtype=output.dtype.numpy)
    if isinstance(op, Add):
        return result
    return np.clip(result, *output_range(op.activation, output))
