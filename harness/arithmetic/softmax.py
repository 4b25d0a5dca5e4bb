"""Softmax of int8 values.

Within a row only differences to the maximum matter, and of those there are 256: the exponentials
are a table. What remains at run time is the sum and one fixed-point reciprocal::

    e[i] = exponentials[max - x[i]]                          Q0.31, 0 beyond the table
    sum  = total of rounding_shift_right(e[i], 12)           Q12.19
    s, b = reciprocal(sum, 12)
    y[i] = min(127, rounding_shift_right(high_mul(s, e[i]), b + 23) - 128)

A shift of more than 31 gives 0. Source: tflite-micro, kernels/internal/reference/softmax.h,
micro/kernels/softmax_common.cc, kernels/internal/quantization_util.cc. Rows of more than 4095
elements could overflow the sum and are refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.arithmetic.fixed_point import exp_on_negative_values, rescale
from harness.arithmetic.multiplier import Multiplier, decompose
from harness.errors import UnsupportedModelError
from harness.ir.graph import Graph
from harness.ir.ops import Softmax

DIFFERENCE_BITS = 5
"""Integer bits of a scaled difference."""

SUM_BITS = 12
"""Integer bits of the sum of exponentials."""

MAX_ROW = (1 << SUM_BITS) - 1


@dataclass(frozen=True, slots=True)
class SoftmaxParameters:
    """``exponentials[d]`` is ``exp(-d * scale * beta)`` in Q0.31; at most 256, then zeros.

    They were computed for differences ``-d >= difference_min`` with ``multiplier``.
    """

    multiplier: Multiplier
    difference_min: int
    exponentials: tuple[int, ...]


def prepare_softmax(graph: Graph, op: Softmax) -> SoftmaxParameters:
    """Return the parameters of a softmax."""
    x = graph.tensor(op.inputs[0])
    if x.shape[-1] > MAX_ROW:
        raise UnsupportedModelError(
            f"{graph.tensor(op.outputs[0]).name}: a softmax over {x.shape[-1]} elements, "
            f"at most {MAX_ROW} keep the sum of exponentials within 32 bits"
        )
    real = min(op.beta * x.scale * (1 << (31 - DIFFERENCE_BITS)), 2.0**31 - 1)
    multiplier = decompose(real)
    whole = (1 << DIFFERENCE_BITS) - 1
    radius = math.floor(whole * 2.0 ** (31 - DIFFERENCE_BITS - multiplier.shift))
    differences = -np.arange(min(radius, 255) + 1, dtype=np.int64)
    exponentials = exp_on_negative_values(rescale(differences, multiplier), DIFFERENCE_BITS)
    return SoftmaxParameters(multiplier, -radius, tuple(exponentials.tolist()))
