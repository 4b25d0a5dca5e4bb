"""The range that an op clamps its integer result to.

Source: tflite-micro, kernels/kernel_util.cc (CalculateActivationRangeQuantized): the bounds of a
fused activation are divided by the output's scale in float32 and rounded, halves away from zero.
"""

from __future__ import annotations

import numpy as np

from harness.arithmetic.multiplier import round_half_away
from harness.ir.dtype import DType
from harness.ir.ops import Activation
from harness.ir.tensor import Tensor

_REAL_RANGE: dict[Activation, tuple[float | None, float | None]] = {
    Activation.NONE: (None, None),
    Activation.RELU: (0.0, None),
    Activation.RELU6: (0.0, 6.0),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
}


def dtype_range(dtype: DType) -> tuple[int, int]:
    """Return the smallest and the largest value of an integer type."""
    info = np.iinfo(dtype.value)
    return int(info.min), int(info.max)


def activation_range(
    activation: Activation, scale: float, zero_point: int, dtype: DType
) -> tuple[int, int]:
    """Return the lowest and the highest quantized value that the activation lets through."""
    smallest, largest = dtype_range(dtype)
    low, high = _REAL_RANGE[activation]
    return (
        smallest if low is None else max(smallest, _quantize(low, scale, zero_point)),
        largest if high is None else min(largest, _quantize(high, scale, zero_point)),
    )


def output_range(activation: Activation, output: Tensor) -> tuple[int, int]:
    """Return the range of a per-tensor quantized output; an integer without scale has scale 1."""
    if output.quantization is None:
        return activation_range(activation, 1.0, 0, output.dtype)
    return activation_range(activation, output.scale, output.zero_point, output.dtype)


def _quantize(real: float, scale: float, zero_point: int) -> int:
    with np.errstate(over="ignore"):
        steps = float(np.float32(real) / np.float32(scale))
    return zero_point + round_half_away(min(max(steps, -(2.0**31)), 2.0**31))
