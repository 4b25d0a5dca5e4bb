"""Going from one quantization to another, and to and from float32.

Source: tflite-micro, micro/kernels/{quantize,dequantize}_common.cc and, under
kernels/internal/reference, {quantize,requantize,dequantize}.h. Between integers::

    y = clamp(output_offset + rescale(x + input_offset, factor))

From float32 ``y = clamp(zero_point + round(x / scale))``, the division in float32, halves away
from zero. A quotient beyond 32 bits, which C leaves undefined, is clamped here before it becomes
an integer, and a NaN becomes ``low``. To float32 ``y = scale * (x - zero_point)``, which is one
rounding in float32 since both factors are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.arithmetic.activation import dtype_range
from harness.arithmetic.multiplier import Multiplier, quantize_multiplier
from harness.ir.graph import Graph
from harness.ir.ops import Dequantize, Quantize


@dataclass(frozen=True, slots=True)
class RequantizeParameters:
    """Parameters of a QUANTIZE from one integer type to another or to itself."""

    input_offset: int
    factor: Multiplier
    output_offset: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class QuantizeParameters:
    """Parameters of a QUANTIZE from float32; ``scale`` is a float32 value."""

    scale: float
    zero_point: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class DequantizeParameters:
    """Parameters of a DEQUANTIZE to float32; ``scale`` is a float32 value."""

    scale: float
    zero_point: int


def prepare_requantize(graph: Graph, op: Quantize) -> RequantizeParameters:
    """Return the parameters of a QUANTIZE whose input is an integer."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    low, high = dtype_range(y.dtype)
    return RequantizeParameters(
        input_offset=-x.zero_point,
        factor=quantize_multiplier(x.scale / y.scale, where=y.name),
        output_offset=y.zero_point,
        low=low,
        high=high,
    )


def prepare_quantize(graph: Graph, op: Quantize) -> QuantizeParameters:
    """Return the parameters of a QUANTIZE whose input is float32."""
    y = graph.tensor(op.outputs[0])
    low, high = dtype_range(y.dtype)
    return QuantizeParameters(y.scale, y.zero_point, low, high)


def prepare_dequantize(graph: Graph, op: Dequantize) -> DequantizeParameters:
    """Return the parameters of a DEQUANTIZE."""
    x = graph.tensor(op.inputs[0])
    return DequantizeParameters(x.scale, x.zero_point)
