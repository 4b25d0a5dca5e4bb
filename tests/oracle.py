"""TensorFlow Lite Micro's arithmetic once more: one number at a time, from the definitions.

Slow, on Python's integers and fractions, and sharing nothing with the package. Each function
follows the cited definition step by step, so that it can be read against it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np

from harness.ir import Graph
from harness.ir.ops import (
    Activation,
    Add,
    AveragePool2D,
    BinaryOp,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mul,
    Window,
)
from harness.ir.tensor import Array


def truncated_division(a: int, b: int) -> int:
    """Divide as C does, towards zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def rounded(value: Fraction) -> int:
    """Round to the nearest integer, halves away from zero."""
    return math.floor(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


def doubling_high_mul(a: int, b: int) -> int:
    """gemmlowp's SaturatingRoundingDoublingHighMul."""
    if a == b == -(2**31):
        return 2**31 - 1
    nudge = 2**30 if a * b >= 0 else 1 - 2**30
    return truncated_division(a * b + nudge, 2**31)


def divide_by_pot(x: int, exponent: int) -> int:
    """gemmlowp's RoundingDivideByPOT."""
    return rounded(Fraction(x, 2**exponent))


def fixed_point(real: Fraction) -> tuple[int, int]:
    """TensorFlow Lite's QuantizeMultiplier: a 31-bit multiplier and a shift."""
    shift = 0
    while abs(real) >= 1:
        real, shift = real / 2, shift + 1
    while 0 < abs(real) < Fraction(1, 2):
        real, shift = real * 2, shift - 1
    multiplier = rounded(real * 2**31)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def rescaled(x: int, multiplier: int, shift: int) -> int:
    """TensorFlow Lite's MultiplyByQuantizedMultiplier with two roundings."""
    wrapped = (x * 2 ** max(shift, 0) + 2**31) % 2**32 - 2**31
    return divide_by_pot(doubling_high_mul(wrapped, multiplier), max(-shift, 0))


def clamped(x: int, activation: Activation, scale: float, zero_point: int) -> int:
    """Clamp a quantized int8 result to what the activation lets through."""
    low, high = {
        Activation.NONE: (-math.inf, math.inf),
        Activation.RELU: (0, math.inf),
        Activation.RELU6: (0, 6),
        Activation.RELU_N1_TO_1: (-1, 1),
    }[activation]
    if low > -math.inf:
        x = max(x, zero_point + rounded(Fraction(float(np.float32(low) / np.float32(scale)))))
    if high < math.inf:
        x = min(x, zero_point + rounded(Fraction(float(np.float32(high) / np.float32(scale)))))
    return min(max(x, -128), 127)


def cells(
    window: Window, y: int, x: int, shape: tuple[int, ...]
) -> list[tuple[int, int, int, int]]:
    """The cells ``(ky, kx, row, column)`` of the window at output (y, x) that lie inside."""
    found = []
    for ky, kx in product(range(window.kernel[0]), range(window.kernel[1])):
        row = y * window.stride[0] + ky * window.dilation[0] - window.padding.top
        column = x * window.stride[1] + kx * window.dilation[1] - window.padding.left
        if 0 <= row < shape[1] and 0 <= column < shape[2]:
            found.append((ky, kx, row, column))
    return found


def convolution(
    graph: Graph, op: Conv2D | DepthwiseConv2D, y: int, x: int, channel: int, value: Array
) -> int:
    """One output of a convolution, plain or depthwise."""
    source, weights, output = (graph.tensor(t) for t in (*op.inputs[:2], op.outputs[0]))
    assert weights.data is not None
    assert weights.quantization is not None
    total = 0
    for ky, kx, row, column in cells(op.window, y, x, source.shape):
        if isinstance(op, Conv2D):
            pairs = [(c, weights.data[channel, ky, kx, c]) for c in range(source.shape[3])]
        else:
            pairs = [(channel // op.depth_multiplier, weights.data[0, ky, kx, channel])]
        for depth, weight in pairs:
            total += int(weight) * (int(value[0, row, column, depth]) - source.zero_point)
    if len(op.inputs) == 3:
        bias = graph.tensor(op.inputs[2]).data
        assert bias is not None
        total += int(bias[channel])
    scales = weights.quantization.scales
    factor = source.scale * scales[channel % len(scales)] / output.scale
    result = output.zero_point + rescaled(total, *fixed_point(Fraction(factor)))
    return clamped(result, op.activation, output.scale, output.zero_point)


def pool(
    graph: Graph, op: AveragePool2D | MaxPool2D, y: int, x: int, channel: int, value: Array
) -> int:
    """One output of a pool."""
    inside = cells(op.window, y, x, value.shape)
    values = [int(value[0, row, column, channel]) for _, _, row, column in inside]
    if isinstance(op, MaxPool2D):
        result = max(values)
    else:
        result = rounded(Fraction(sum(values), len(values)))
    output = graph.tensor(op.outputs[0])
    return clamped(result, op.activation, output.scale, output.zero_point)


def dense(graph: Graph, op: FullyConnected, row: int, channel: int, value: Array) -> int:
    """One output of a fully connected op."""
    source, weights, output = (graph.tensor(t) for t in (*op.inputs[:2], op.outputs[0]))
    assert weights.data is not None
    assert weights.quantization is not None
    total = 0
    for weight, element in zip(weights.data[channel], value[row], strict=True):
        total += int(weight) * (int(element) - source.zero_point)
    if len(op.inputs) == 3:
        bias = graph.tensor(op.inputs[2]).data
        assert bias is not None
        total += int(bias[channel])
    scales = weights.quantization.scales
    if len(scales) > 1:
        factor = source.scale * scales[channel] / output.scale
    else:
        factor = float(np.float32(source.scale) * np.float32(scales[0])) / output.scale
    result = output.zero_point + rescaled(total, *fixed_point(Fraction(factor)))
    return clamped(result, op.activation, output.scale, output.zero_point)


def binary(graph: Graph, op: BinaryOp, a: int, b: int) -> int:
    """One output of ADD, SUB or MUL."""
    left, right, output = (graph.tensor(t) for t in (*op.inputs, op.outputs[0]))
    x, y = a - left.zero_point, b - right.zero_point
    if isinstance(op, Mul):
        factor = left.scale * right.scale / output.scale
        result = rescaled(x * y, *fixed_point(Fraction(factor)))
    else:
        real = float if isinstance(op, Add) else np.float32
        scale_x, scale_y, scale = real(left.scale), real(right.scale), real(output.scale)
        twice = real(2) * max(scale_x, scale_y)
        x = rescaled(x * 2**20, *fixed_point(Fraction(float(scale_x / twice))))
        y = rescaled(y * 2**20, *fixed_point(Fraction(float(scale_y / twice))))
        total = x + y if isinstance(op, Add) else x - y
        factor = float(twice / (real(2**20) * scale))
        result = rescaled(total, *fixed_point(Fraction(factor)))
    return clamped(output.zero_point + result, op.activation, output.scale, output.zero_point)
