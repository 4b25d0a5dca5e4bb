"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED.

Matrix products run in float64, where numpy has a fast one. They are exact: operands are integers
of at most 9 bits and every partial sum stays below 2**31 by the verifier's accumulator bound, far
from the 2**53 at which float64 begins to skip integers.
"""

from __future__ import annotations

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv, prepare_fully_connected
from harness.arithmetic.fixed_point import rescale_channels
from harness.ir import Graph
from harness.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected
from harness.ir.tensor import Array
from harness.reference.windows import cells, pad_rows_and_columns


def conv_2d(graph: Graph, op: Conv2D, x: Array, weights: Array, bias: Array | None = None) -> Array:
    """Return the convolution of ``[N, H, W, C]`` with ``[OC, KH, KW, C]``."""
    parameters = prepare_conv(graph, op)
    shape = graph.tensor(op.outputs[0]).shape
    padded = pad_rows_and_columns(_centred(x, parameters, np.float64), op.window, 0)
    by_cell = weights.astype(np.float64).transpose(1, 2, 3, 0)
    sums = np.zeros((*shape[:3], weights.shape[0]))
    for ky, kx, inputs in cells(padded, op.window, shape):
        sums += inputs @ by_cell[ky, kx]
    return _requantize(sums, bias, parameters)


def depthwise_conv_2d(
    graph: Graph, op: DepthwiseConv2D, x: Array, weights: Array, bias: Array | None = None
) -> Array:
    """Return each channel of ``[N, H, W, C]`` with its own slices of ``[1, KH, KW, C * M]``."""
    parameters = prepare_conv(graph, op)
    shape = graph.tensor(op.outputs[0]).shape
    padded = pad_rows_and_columns(_centred(x, parameters, np.int32), op.window, 0)
    padded = padded.repeat(op.depth_multiplier, axis=3)
    by_cell = weights[0].astype(np.int32)
    sums = np.zeros(shape, np.int32)
    for ky, kx, inputs in cells(padded, op.window, shape):
        sums += inputs * by_cell[ky, kx]
    return _requantize(sums, bias, parameters)


def fully_connected(
    graph: Graph, op: FullyConnected, x: Array, weights: Array, bias: Array | None = None
) -> Array:
    """Return the product of rows ``[batch, IN]`` with ``[OUT, IN]``."""
    parameters = prepare_fully_connected(graph, op)
    rows = _centred(x, parameters, np.float64).reshape(-1, weights.shape[1])
    outputs = _requantize(rows @ weights.astype(np.float64).T, bias, parameters)
    return outputs.reshape(graph.tensor(op.outputs[0]).shape)


def _centred(x: Array, parameters: ConvParameters, dtype: type[np.float64 | np.int32]) -> Array:
    """Return the input less its zero point, so that padding is 0."""
    centred: Array = x.astype(dtype)
    centred += parameters.input_offset
    return centred


def _requantize(sums: Array, bias: Array | None, parameters: ConvParameters) -> Array:
    accumulators = sums.astype(np.int64)
    if bias is not None:
        accumulators += bias
    outputs = rescale_channels(accumulators, parameters.multipliers) + parameters.output_offset
    return np.clip(outputs, parameters.low, parameters.high)
