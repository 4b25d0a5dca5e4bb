"""Element-wise addition, subtraction and multiplication.

Addition brings both operands to twice the larger of their scales, with 20 bits of headroom below
the point::

    y = clamp(output_offset + rescale(
            rescale((a + offset_a) << left_shift, a)
          ± rescale((b + offset_b) << left_shift, b), output))

Source: tflite-micro, micro/kernels/{add,sub,mul}_common.cc. ADD prepares its factors in double
precision, SUB in float32; both are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.arithmetic.activation import output_range
from harness.arithmetic.multiplier import Multiplier, quantize_multiplier
from harness.errors import UnsupportedModelError
from harness.ir.graph import Graph
from harness.ir.ops import Add, Mul, Sub

LEFT_SHIFT = 20


@dataclass(frozen=True, slots=True)
class AddParameters:
    """Parameters of ADD and SUB; the factors are at most 1, their shifts never positive."""

    offsets: tuple[int, int]
    left_shift: int
    multipliers: tuple[Multiplier, Multiplier]
    output: Multiplier
    output_offset: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class MulParameters:
    """``y = clamp(output_offset + rescale((a + offset_a) * (b + offset_b), output))``."""

    offsets: tuple[int, int]
    output: Multiplier
    output_offset: int
    low: int
    high: int


def prepare_add(graph: Graph, op: Add | Sub) -> AddParameters:
    """Return the parameters of an addition or a subtraction."""
    a, b, y = (graph.tensor(t) for t in (*op.inputs, op.outputs[0]))
    if isinstance(op, Add):
        twice = 2.0 * max(a.scale, b.scale)
        factors = (a.scale / twice, b.scale / twice, twice / ((1 << LEFT_SHIFT) * y.scale))
    else:
        wide = np.float32(2) * np.float32(max(a.scale, b.scale))
        step = np.float32(1 << LEFT_SHIFT) * np.float32(y.scale)
        factors = (
            float(np.float32(a.scale) / wide),
            float(np.float32(b.scale) / wide),
            float(wide / step),
        )
    of_a, of_b, of_y = (quantize_multiplier(factor, where=y.name) for factor in factors)
    if of_y.shift > 0:
        raise UnsupportedModelError(
            f"{y.name}: a step of the output ({y.scale:.3g}) is finer than 2^-{LEFT_SHIFT} of an "
            f"input's range, which TensorFlow Lite refuses too"
        )
    low, high = output_range(op.activation, y)
    return AddParameters(
        offsets=(-a.zero_point, -b.zero_point),
        left_shift=LEFT_SHIFT,
        multipliers=(of_a, of_b),
        output=of_y,
        output_offset=y.zero_point,
        low=low,
        high=high,
    )


def prepare_mul(graph: Graph, op: Mul) -> MulParameters:
    """Return the parameters of a multiplication."""
    a, b, y = (graph.tensor(t) for t in (*op.inputs, op.outputs[0]))
    low, high = output_range(op.activation, y)
    return MulParameters(
        offsets=(-a.zero_point, -b.zero_point),
        output=quantize_multiplier(a.scale * b.scale / y.scale, where=y.name),
        output_offset=y.zero_point,
        low=low,
        high=high,
    )
