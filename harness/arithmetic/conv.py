"""Convolution, depthwise convolution and fully connected: one accumulator, one rescaling.

``y = clamp(output_offset + rescale(bias + sum(w * (x + input_offset)), multipliers[channel]))``

The factor of a channel is ``input scale * weight scale / output scale`` in double precision. For
a fully connected op with one weight scale TensorFlow Lite first rounds the product of the two
scales to float32 (kernels/kernel_util.cc: GetQuantizedConvolutionMultipler), with several it does
not (micro/kernels/fully_connected_common.cc); both are kept. Weight scales may be negative.

The sum before the clamp may exceed 32 bits when a left shift is large: implementations clamp to
``[low - output_offset, high - output_offset]`` before they add the offset, or add in 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.arithmetic.activation import output_range
from harness.arithmetic.multiplier import Multiplier, quantize_multiplier
from harness.ir.graph import Graph
from harness.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected
from harness.ir.tensor import Quantization, Tensor


@dataclass(frozen=True, slots=True)
class ConvParameters:
    """What turns an accumulator into an output; ``multipliers`` has one for each channel."""

    input_offset: int
    output_offset: int
    multipliers: tuple[Multiplier, ...]
    low: int
    high: int

    @property
    def uniform(self) -> Multiplier | None:
        """The multiplier of all channels, if they share one."""
        return self.multipliers[0] if len(set(self.multipliers)) == 1 else None


def prepare_conv(graph: Graph, op: Conv2D | DepthwiseConv2D) -> ConvParameters:
    """Return the parameters of a convolution."""
    x, weights, y = (graph.tensor(t) for t in (*op.inputs[:2], op.outputs[0]))
    channels = weights.shape[0 if isinstance(op, Conv2D) else 3]
    return _parameters(op, x, y, _factors(x, weights, y, channels))


def prepare_fully_connected(graph: Graph, op: FullyConnected) -> ConvParameters:
    """Return the parameters of a fully connected op."""
    x, weights, y = (graph.tensor(t) for t in (*op.inputs[:2], op.outputs[0]))
    channels = weights.shape[0]
    if len(_quantization(weights).scales) > 1:
        return _parameters(op, x, y, _factors(x, weights, y, channels))
    product = float(np.float32(x.scale) * np.float32(weights.scale))
    return _parameters(op, x, y, (product / y.scale,) * channels)


def _quantization(tensor: Tensor) -> Quantization:
    assert tensor.quantization is not None, tensor.name
    return tensor.quantization


def _factors(x: Tensor, weights: Tensor, y: Tensor, channels: int) -> tuple[float, ...]:
    scales = _quantization(weights).scales
    if len(scales) == 1:
        scales *= channels
    return tuple(x.scale * scale / y.scale for scale in scales)


def _parameters(
    op: Conv2D | DepthwiseConv2D | FullyConnected, x: Tensor, y: Tensor, factors: tuple[float, ...]
) -> ConvParameters:
    low, high = output_range(op.activation, y)
    multipliers = {factor: quantize_multiplier(factor, where=y.name) for factor in set(factors)}
    return ConvParameters(
        input_offset=-x.zero_point,
        output_offset=y.zero_point,
        multipliers=tuple(multipliers[factor] for factor in factors),
        low=low,
        high=high,
    )
