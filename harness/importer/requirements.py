"""What TensorFlow Lite Micro demands of scales and zero points before it runs an op.

Where it refuses, or where its fixed-point arithmetic would leave its range, there is no result
that ours could equal. Sources: tflite-micro, micro/kernels/*_common.cc (the Prepare functions),
kernels/kernel_util.cc, kernels/internal/quantization_util.cc.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.ir import DType, Graph, Op, Tensor, TensorId
from harness.ir import ops as ir
from harness.ir.ops import Activation
from harness.ir.types import is_plain, must_fold

MAX_FACTOR = 2.0**30
"""A larger factor between two scales would shift a 32-bit value out of its word."""

MAX_SOFTMAX_DEPTH = 4095
"""Softmax adds exponentials of at most 1.0 in fixed point with 12 integer bits."""

_PAIR = tuple[float, int]

_FIXED_OUTPUTS: dict[type[Op], tuple[_PAIR, str]] = {
    ir.Softmax: ((1 / 256, -128), "scale 1/256, zero point -128"),
    ir.Logistic: ((1 / 256, -128), "scale 1/256, zero point -128"),
    ir.Tanh: ((1 / 128, 0), "scale 1/128, zero point 0"),
}


def requirement_faults(op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[str]:
    """Return why an op with sound types cannot be done bit-exactly; empty if it can."""
    return list(_faults(op, inputs, outputs))


def flow_faults(graph: Graph) -> dict[int, str]:
    """Return, by position, why an op that must be known before the model runs is not."""
    known = {TensorId(t) for t, tensor in enumerate(graph.tensors) if tensor.is_constant}
    faults: dict[int, str] = {}
    for position, op in enumerate(graph.ops):
        if isinstance(op, ir.Shape) or known.issuperset(op.inputs):
            known.update(op.outputs)
        if isinstance(op, ir.Reshape) and not known.issuperset(op.inputs[1:]):
            faults[position] = "its target depends on the model's input data"
        if not must_fold(graph, op):
            continue
        if op.outputs[0] not in known:
            faults[position] = "int32 arithmetic on the model's input data is not offered"
        elif op.outputs[0] in graph.outputs:
            faults[position] = "a shape as a model output is not offered"
    return faults


def _faults(op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Iterator[str]:
    x, y = inputs[0], outputs[0]
    match op:
        case ir.Conv2D() | ir.DepthwiseConv2D():
            yield from _weight_factors(inputs, y)
        case ir.FullyConnected():
            yield from _weight_factors(inputs, y)
            yield from _dense(inputs, y)
        case ir.Add() | ir.Sub() | ir.Mul() if is_plain(inputs):
            pass
        case ir.Add() | ir.Sub():
            factor = 2 * max(x.scale, inputs[1].scale) / y.scale / (1 << 20)
            if factor >= 1:
                yield f"its inputs' scale is {factor * (1 << 19):.3g} times its output's"
            yield from _broadcast_rank(inputs)
        case ir.Mul():
            yield from _factor(x.scale * inputs[1].scale / y.scale)
            yield from _broadcast_rank(inputs)
        case ir.AveragePool2D() | ir.MaxPool2D():
            if abs(x.scale - y.scale) > 1e-6 or x.zero_point != y.zero_point:
                yield f"{_pair(x)} in, {_pair(y)} out; pooling needs them equal"
        case ir.Mean():
            yield from _factor(x.scale / y.scale)
        case ir.Softmax() | ir.Logistic() | ir.Tanh():
            wanted, text = _FIXED_OUTPUTS[type(op)]
            if (y.scale, y.zero_point) != wanted:
                yield f"its output has {_pair(y)}; {text} is needed"
            if isinstance(op, ir.Softmax):
                yield from _softmax(op, x)
        case ir.Quantize() if x.dtype is not DType.FLOAT32:
            yield from _factor(x.scale / y.scale)
        case ir.Concatenation():
            if op.activation is not Activation.NONE:
                yield f"fused activation {op.activation} on a concatenation is not offered"
            for tensor in inputs:
                if tensor.dtype is not DType.FLOAT32 and tensor.quantization != y.quantization:
                    yield f"'{tensor.label}' and the output have different scales or zero points"
        case ir.StridedSlice() if len(x.shape) > 4:
            yield f"slices {len(x.shape)} axes; at most 4 are offered"
        case ir.Pad() | ir.Transpose() if len(x.shape) > 5:
            yield f"moves {len(x.shape)} axes; at most 5 are offered"
        case ir.ResizeNearestNeighbor(align_corners=True, half_pixel_centers=True):
            yield "align_corners and half_pixel_centers exclude each other"
        case _:
            pass


def _factor(real: float) -> Iterator[str]:
    if not abs(real) < MAX_FACTOR:
        yield f"its scales differ by a factor of {real:.3g}; below 2^30 is needed"


def _weight_factors(inputs: Sequence[Tensor], y: Tensor) -> Iterator[str]:
    x, weights = inputs[:2]
    assert weights.quantization is not None
    largest = max(map(abs, weights.quantization.scales))
    yield from _factor(x.scale * largest / y.scale)


def _dense(inputs: Sequence[Tensor], y: Tensor) -> Iterator[str]:
    """With one weight scale, the bias must have the accumulator's scale."""
    x, weights, *biases = inputs
    assert weights.quantization is not None
    if len(weights.quantization.scales) > 1:
        return
    product = x.scale * weights.scale
    if product < 0:
        yield f"its weights have the single scale {weights.scale}; above 0 is needed"
    for bias in biases:
        if bias.quantization is None or len(bias.quantization.scales) > 1:
            continue
        if abs(product - bias.scale) / y.scale > 0.02:
            yield f"its bias has scale {bias.scale:.6g}; input times weights is {product:.6g}"


def _softmax(op: ir.Softmax, x: Tensor) -> Iterator[str]:
    if not (math.isfinite(op.beta) and op.beta * x.scale * (1 << 26) > 1):
        yield f"beta {op.beta:g} times input scale {x.scale:g} is too small or not a number"
    if x.shape[-1] > MAX_SOFTMAX_DEPTH:
        yield f"softmax over {x.shape[-1]:,} classes; at most {MAX_SOFTMAX_DEPTH:,} are offered"


def _broadcast_rank(inputs: Sequence[Tensor]) -> Iterator[str]:
    a, b = inputs
    if a.shape != b.shape and (rank := max(len(a.shape), len(b.shape))) > 4:
        yield f"broadcasts {rank} axes; at most 4 are offered"


def _pair(tensor: Tensor) -> str:
    return f"scale {tensor.scale:.6g}, zero point {tensor.zero_point}"
