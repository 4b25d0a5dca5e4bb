"""Pooling and mean.

Pools keep the quantization of their input and only clamp; an average rounds to the nearest
integer, halves away from zero, and does not count padded cells (tflite-micro:
kernels/internal/reference/integer_ops/pooling.h).

MEAN sums all elements, takes off the zero points and rescales once, with the division by their
number folded into the multiplier (kernels/internal/reference/reduce.h: QuantizedMeanOrSum, which
micro/kernels/reduce_common.cc calls for every choice of axes)::

    y = clamp(output_offset + rescale(sum(x) + sum_offset, factor))
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.arithmetic.activation import dtype_range, output_range
from harness.arithmetic.multiplier import Multiplier, quantize_multiplier
from harness.ir.graph import Graph
from harness.ir.ops import AveragePool2D, MaxPool2D, Mean


@dataclass(frozen=True, slots=True)
class PoolParameters:
    """The clamp of a pool."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class MeanParameters:
    """``count`` elements go into each output; ``sum_offset`` is -count * input zero point."""

    count: int
    sum_offset: int
    factor: Multiplier
    output_offset: int
    low: int
    high: int


def prepare_pool(graph: Graph, op: AveragePool2D | MaxPool2D) -> PoolParameters:
    """Return the parameters of a pool."""
    return PoolParameters(*output_range(op.activation, graph.tensor(op.outputs[0])))


def prepare_mean(graph: Graph, op: Mean) -> MeanParameters:
    """Return the parameters of a mean."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    count = math.prod(x.shape[axis] for axis in op.axes)
    factor = quantize_multiplier(x.scale / y.scale, where=y.name)
    bits = min(count.bit_length() - 1, 32, 31 + factor.shift)
    low, high = dtype_range(y.dtype)
    return MeanParameters(
        count=count,
        sum_offset=-count * x.zero_point,
        factor=Multiplier((factor.multiplier << bits) // count, factor.shift - bits),
        output_offset=y.zero_point,
        low=low,
        high=high,
    )
