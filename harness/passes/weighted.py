"""Convolutions and fully connected ops seen alike: sums over cells of a window, and channels.

At the border of a padded tensor a window sees only some of its cells; windows that see the same
cells are of one *border class*. A 3x3 window over a padded plane has nine, a fully connected op
one::

    sum[class, output] = bias + sum over cells in class, channels of  w * (x - zero point)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv, prepare_fully_connected
from harness.ir import Graph, Tensor, TensorId
from harness.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Window
from harness.ir.tensor import Array, Quantization, constant

WeightedOp = Conv2D | DepthwiseConv2D | FullyConnected


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """One op: ``weights`` are [outputs, cells, channels], ``classes`` [classes, cells].

    A depthwise op has outputs that read one channel each: there ``channels`` is 1.
    """

    weights: Array
    bias: Array
    classes: Array
    parameters: ConvParameters


def weighted(graph: Graph, op: WeightedOp) -> Weighted | None:
    """Return an op as sums, None for a fully connected op whose rows cut through channels."""
    x, weights, *biases = (graph.tensor(t) for t in op.inputs)
    data = _data(weights).astype(np.float64)
    match op:
        case Conv2D():
            parameters = prepare_conv(graph, op)
            cells = data.reshape(weights.shape[0], -1, weights.shape[3])
            classes = border_classes(op.window, x.shape, graph.tensor(op.outputs[0]).shape)
        case DepthwiseConv2D():
            parameters = prepare_conv(graph, op)
            cells = data.reshape(-1, weights.shape[3]).T[:, :, None]
            classes = border_classes(op.window, x.shape, graph.tensor(op.outputs[0]).shape)
        case FullyConnected():
            if weights.shape[1] % channels_of(x):
                return None
            parameters = prepare_fully_connected(graph, op)
            cells = data.reshape(weights.shape[0], -1, channels_of(x))
            classes = np.ones((1, cells.shape[1]), np.bool_)
    bias = _data(biases[0]).reshape(-1) if biases else np.zeros(len(cells), np.int32)
    return Weighted(cells, bias.astype(np.float64), classes, parameters)


def channels_of(tensor: Tensor) -> int:
    """Return the length of the last axis."""
    return tensor.shape[-1] if tensor.shape else 1


def border_classes(window: Window, x: tuple[int, ...], y: tuple[int, ...]) -> Array:
    """Return which cells of a window lie inside, once for each class: [classes, KH * KW]."""
    padding, (sy, sx), (dy, dx) = window.padding, window.stride, window.dilation
    rows = _inside(window.kernel[0], sy, dy, padding.top, x[1], y[1])
    columns = _inside(window.kernel[1], sx, dx, padding.left, x[2], y[2])
    both: Array = rows[:, None, :, None] & columns[None, :, None, :]
    return both.reshape(len(rows) * len(columns), -1)


def _inside(cells: int, stride: int, dilation: int, before: int, size: int, outputs: int) -> Array:
    """Return the different sets of cells that lie inside an axis of ``size``."""
    first = np.arange(outputs) * stride - before
    at = first[:, None] + np.arange(cells) * dilation
    return np.unique((at >= 0) & (at < size), axis=0)


def slice_channels(tensor: Tensor, kept: Array, axis: int) -> Tensor:
    """Return a constant tensor with some of its slices along an axis, and their scales."""
    quantization = tensor.quantization
    if quantization is not None and quantization.axis == axis:
        chosen = np.flatnonzero(kept)
        quantization = Quantization(
            tuple(quantization.scales[i] for i in chosen),
            tuple(quantization.zero_points[i] for i in chosen),
            axis,
        )
    return constant(tensor.name, np.compress(kept, _data(tensor), axis), quantization)


def with_weights(op: WeightedOp, tensors: list[Tensor], weights: Tensor, bias: Array) -> WeightedOp:
    """Return the op with other weights and bias, which are added to ``tensors``.

    An op without a bias stays so while it would be 0 throughout. What the op read before is left
    to others that read it too.
    """
    added = [weights]
    if len(op.inputs) > 2:
        added.append(constant(tensors[op.inputs[2]].name, bias.astype(np.int32)))
    elif bias.any():
        added.append(constant(f"{weights.name}/bias", bias.astype(np.int32)))
    ids = tuple(TensorId(len(tensors) + i) for i in range(len(added)))
    tensors += added
    return replace(op, inputs=(op.inputs[0], *ids))


def _data(tensor: Tensor) -> Array:
    assert tensor.data is not None, tensor.name
    return tensor.data
