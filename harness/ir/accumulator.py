"""How large an op's 32-bit accumulator can become.

TensorFlow Lite adds products in int32 without looking. A model that could overflow it has no
defined result there, so none could be bit-exact here.

Quantizers leave behind channels that died in training: a tiny weight scale, and a bias that was
cut to the end of its range. Their factor rounds to nothing, whatever the accumulator holds; they
do not count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.ir.ops import (
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Mean,
    Op,
)
from harness.ir.tensor import Array, Tensor

MAX_ACCUMULATOR = (1 << 31) - 1

_LOWEST = 128
"""The largest magnitude of an int8."""

_NEGLIGIBLE = 2.0**-33
"""A factor below 2^-32 becomes the multiplier 0 (tflite-micro: quantization_util.cc).

Half of it leaves room for the rounding of scales to float32 on the way.
"""


def accumulator_fault(op: Op, inputs: Sequence[Tensor], output: Tensor) -> str | None:
    """Return why an op's accumulator could overflow, or None if no input makes it.

    Types and shapes around the op must be sound.
    """
    if (bound := _bound(op, inputs, output)) > MAX_ACCUMULATOR:
        return f"its accumulator could reach {bound:,}; 32 bits hold {MAX_ACCUMULATOR:,}"
    return None


def negligible_channels(x: Tensor, weights: Tensor, output: Tensor) -> Array:
    """Return for each scale of the weights whether its channels are the zero point for sure."""
    assert weights.quantization is not None, weights.name
    scales = np.array(weights.quantization.scales)
    result: Array = np.abs(x.scale * scales / output.scale) < _NEGLIGIBLE
    return result


def _bound(op: Op, inputs: Sequence[Tensor], output: Tensor) -> int:
    x = inputs[0]
    match op:
        case Conv2D() | FullyConnected():
            return _weighted_bound(inputs, output, axis=0)
        case DepthwiseConv2D():
            return _weighted_bound(inputs, output, axis=3)
        case AveragePool2D(window=window):
            return _LOWEST * math.prod(map(min, window.kernel, x.shape[1:3]))
        case Mean(axes=axes):
            return 2 * _LOWEST * math.prod(x.shape[axis] for axis in axes)
        case _:
            return 0


def _weighted_bound(inputs: Sequence[Tensor], output: Tensor, *, axis: int) -> int:
    """Return the largest ``|bias| + sum(|w|) * (128 + |zero point|)`` of any channel.

    That bounds the sum in any order, with the zero point subtracted early or folded into the bias.
    """
    x, weights, *biases = inputs
    assert weights.data is not None, weights.name
    bias = np.zeros(1, np.int64)
    if biases:
        assert biases[0].data is not None, biases[0].name
        bias = np.abs(biases[0].data.reshape(-1).astype(np.int64))
    widest = _LOWEST + abs(x.zero_point)
    # Looking at the weights is needed only when their number alone allows an overflow.
    terms = weights.elements // weights.shape[axis]
    if (coarse := _LOWEST * widest * terms + int(bias.max())) <= MAX_ACCUMULATOR:
        return coarse
    others = tuple(a for a in range(weights.data.ndim) if a != axis)
    sums = np.abs(weights.data.astype(np.int16)).sum(axis=others, dtype=np.int64)
    bounds = np.where(negligible_channels(x, weights, output), 0, sums * widest + bias)
    return int(bounds.max())
