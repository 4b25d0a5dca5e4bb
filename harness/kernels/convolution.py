"""Calls for convolution, depthwise convolution and fully connected ops.

The input's zero point is folded into the bias: ``sum(w * (x - z)) + b`` is ``sum(w * x) + b'`` with
``b' = b - z * sum(w)``, and a padded cell then holds ``z``. The verifier's bound on accumulators
covers both forms.
"""

from __future__ import annotations

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv, prepare_fully_connected
from harness.ir import Graph
from harness.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op, Padding, Window
from harness.ir.tensor import Array
from harness.kernels.call import SCRATCH, Call, Constant, Fields, RowCall, X, Y


def conv(graph: Graph, op: Conv2D) -> tuple[Call, ...]:
    """Return the call of a convolution."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    in_shape, out_shape = x.shape[1:], y.shape[1:]
    if _is_pointwise(op.window):
        in_shape, out_shape = _one_row(in_shape), _one_row(out_shape)
    parameters = _conv(graph, op, in_shape, out_shape)
    return (Call("conv.h", "conv2d", "conv2d_t", parameters, (X, Y)),)


def conv_row(graph: Graph, op: Conv2D) -> RowCall:
    """Return the call that makes a row of a convolution."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    return RowCall("conv.h", "conv2d_row", "conv2d_t", _conv(graph, op, x.shape[1:], y.shape[1:]))


def _conv(
    graph: Graph, op: Conv2D, in_shape: tuple[int, ...], out_shape: tuple[int, ...]
) -> Fields:
    """Return a ``conv2d_t``."""
    p = prepare_conv(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    return {
        "x": shape(in_shape),
        "y": shape(out_shape),
        "window": window(op.window),
        "padding": -p.input_offset,
        "weights": Constant("weights", weights),
        "channels": channels(p, folded_bias(graph, op, p, weights, axis=0)),
    }


def depthwise(graph: Graph, op: DepthwiseConv2D, operand: int | None) -> tuple[Call, ...]:
    """Return the call of a depthwise convolution, over its input if ``operand`` says so."""
    if operand is None:
        parameters = _depthwise(graph, op, by_channel=False)
        return (Call("depthwise.h", "depthwise", "depthwise_t", parameters, (X, Y)),)
    parameters = _depthwise(graph, op, by_channel=True)
    return (Call("depthwise.h", "depthwise_inplace", "depthwise_t", parameters, (Y, SCRATCH)),)


def depthwise_row(graph: Graph, op: DepthwiseConv2D) -> RowCall:
    """Return the call that makes a row of a depthwise convolution."""
    parameters = _depthwise(graph, op, by_channel=False)
    return RowCall("depthwise.h", "depthwise_row", "depthwise_t", parameters)


def _depthwise(graph: Graph, op: DepthwiseConv2D, *, by_channel: bool) -> Fields:
    """Return a ``depthwise_t``; ``by_channel`` keeps each channel's kernel together."""
    p = prepare_conv(graph, op)
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    weights = live_weights(graph, op, p, axis=3)
    bias = folded_bias(graph, op, p, weights, axis=3)
    kernels = np.moveaxis(weights[0], -1, 0) if by_channel else weights[0]
    return {
        "x": shape(x.shape[1:]),
        "y": shape(y.shape[1:]),
        "window": window(op.window),
        "depth_multiplier": op.depth_multiplier,
        "padding": -p.input_offset,
        "weights": Constant("weights", np.ascontiguousarray(kernels)),
        "channels": channels(p, bias),
    }


def fully_connected(graph: Graph, op: FullyConnected) -> tuple[Call, ...]:
    """Return the call of a fully connected op."""
    header, type_ = "fully_connected.h", "fully_connected_t"
    return (Call(header, "fully_connected", type_, _fully_connected(graph, op), (X, Y)),)


def fully_connected_row(graph: Graph, op: FullyConnected) -> RowCall:
    """Return the call of a fully connected op on a single pixel."""
    header, type_ = "fully_connected.h", "fully_connected_t"
    return RowCall(header, "fully_connected_row", type_, _fully_connected(graph, op))


def _fully_connected(graph: Graph, op: FullyConnected) -> Fields:
    """Return a ``fully_connected_t``."""
    p = prepare_fully_connected(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    out, depth = weights.shape
    return {
        "batch": graph.tensor(op.outputs[0]).elements // out,
        "in": depth,
        "out": out,
        "weights": Constant("weights", weights),
        "channels": channels(p, folded_bias(graph, op, p, weights, axis=0)),
    }


def shape(lengths: tuple[int, ...]) -> Fields:
    """Return a ``shape_t`` of ``[H, W, C]``."""
    return dict(zip("hwc", lengths, strict=True))


def window(w: Window) -> Fields:
    """Return a ``window_t``."""
    return {
        "kernel": w.kernel,
        "stride": w.stride,
        "dilation": w.dilation,
        "pad": (w.padding.top, w.padding.left),
    }


def _is_pointwise(w: Window) -> bool:
    return w.kernel == (1, 1) and w.stride == (1, 1) and w.padding == Padding()


def _one_row(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape whose pixels all lie in one row: rows do not matter to a 1x1 kernel."""
    height, width, channels = lengths
    return 1, height * width, channels


def live_weights(graph: Graph, op: Op, p: ConvParameters, *, axis: int) -> Array:
    """Return the weights, 0 in channels whose factor is 0: what they add up to does not matter."""
    weights = graph.tensor(op.inputs[1]).data
    assert weights is not None, "weights are constant"
    along = [1] * weights.ndim
    along[axis] = -1
    live: Array = weights * _live(p).reshape(along)
    return live


def folded_bias(graph: Graph, op: Op, p: ConvParameters, weights: Array, *, axis: int) -> Array:
    """Return the bias less the input's zero point times the sum of each channel's weights."""
    others = tuple(a for a in range(weights.ndim) if a != axis)
    bias = p.input_offset * weights.sum(axis=others, dtype=np.int64) + live_bias(graph, op, p)
    assert np.abs(bias).max() < 1 << 31, "the verifier bounds accumulators"
    folded: Array = bias.astype(np.int32)
    return folded


def live_bias(graph: Graph, op: Op, p: ConvParameters) -> Array:
    """Return the bias of each channel as int64, 0 where the factor is 0 or the op has none."""
    live = _live(p).astype(np.int64)
    if len(op.inputs) <= 2:
        return live * 0
    given = graph.tensor(op.inputs[2]).data
    assert given is not None, "a bias is constant"
    bias: Array = given.reshape(-1) * live
    return bias


def _live(p: ConvParameters) -> Array:
    return np.array([factor.multiplier != 0 for factor in p.multipliers], np.int8)


def channels(p: ConvParameters, bias: Array) -> Fields:
    """Return a ``channels_t``."""
    factors = p.multipliers if p.uniform is None else p.multipliers[:1]
    return {
        "bias": Constant("bias", bias),
        "multipliers": Constant("multipliers", np.array([f.multiplier for f in factors], np.int32)),
        "shifts": Constant("shifts", np.array([f.shift for f in factors], np.int8)),
        "factor_step": 0 if p.uniform else 1,
        "has_left_shifts": int(any(f.shift >= 0 for f in factors)),
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }
