"""Depthwise convolutions on ARMv6-M, channel by channel: firmware/kernels/armv6m/depthwise.h."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.arithmetic import prepare_conv
from harness.ir import Graph
from harness.ir.ops import DepthwiseConv2D
from harness.kernels.call import SCRATCH, Call, Constant, Fields, Name, Operand, RowCall, X, Y
from harness.kernels.convolution import channels, folded_bias, live_weights, shape, window
from harness.kernels.dots import form_fields
from harness.kernels.step_function import accumulator_reach
from harness.kernels.variant import RowVariant, Variant
from harness.kernels.wide_form import wide_form

_NAME = "armv6m"
_HEADER = "armv6m/depthwise.h"
_TYPE = "planes_t"

_WIDTHS, _STRIDES, _COUNTS = (3, 5, 7), (1, 2), (6, 5, 4, 3)
"""The functions that there are, by widths of kernels, strides, and outputs at once."""

_AROUND = 30
"""What a call of one costs beside the products, counted in products."""

_LEAST_WIDTH, _LEAST_ROW = 4, 16
"""Outputs in a row from which on it takes fewer instructions than the portable kernel: for whole
ops, which gather each row once, and where each row gathers all that it needs."""

_SCRATCH_BYTES = 640
"""Scratch that a whole op should do with; more rows in it are moved less often."""


def depthwise(graph: Graph, op: DepthwiseConv2D, operand: int | None) -> Iterator[Variant]:
    """Yield the variant of a depthwise convolution, over its input if ``operand`` says so."""
    if not _is_supported(graph, op, _LEAST_WIDTH):
        return
    rows = _whole_rows(graph, op)
    function = "planes_depthwise"
    operands: tuple[Operand, ...] = (X, Y, SCRATCH)
    if operand is not None:
        function, operands = "planes_depthwise_inplace", (Y, SCRATCH)

    def calls() -> tuple[Call, ...]:
        return (Call(_HEADER, function, _TYPE, _planes(graph, op, rows), operands),)

    yield Variant(_NAME, calls, rows * _pitch(graph, op))


def depthwise_row(graph: Graph, op: DepthwiseConv2D) -> Iterator[RowVariant]:
    """Yield the variant that makes a row of a depthwise convolution."""
    if not _is_supported(graph, op, _LEAST_ROW):
        return
    rows = op.window.kernel[0]

    def calls() -> tuple[RowCall, ...]:
        parameters = _planes(graph, op, rows)
        name = "planes_depthwise_row"
        return (RowCall(_HEADER, name, _TYPE, parameters, takes_scratch=True),)

    yield RowVariant(_NAME, calls, rows * _pitch(graph, op))


def _is_supported(graph: Graph, op: DepthwiseConv2D, least: int) -> bool:
    """Return whether there is a function for the op, and rows are long enough for it to pay."""
    w = op.window
    is_long = graph.tensor(op.outputs[0]).shape[2] >= least
    return is_long and w.dilation == (1, 1) and w.kernel[1] in _WIDTHS and w.stride[1] in _STRIDES


def _at_once(graph: Graph, op: DepthwiseConv2D) -> int:
    """Return how many outputs of a row are made together so that few are made twice."""
    width = graph.tensor(op.outputs[0]).shape[2]
    taps = op.window.kernel[0] * op.window.kernel[1]
    return min(_COUNTS, key=lambda count: -(-width // count) * (taps * (count + 0.7) + _AROUND))


def _pitch(graph: Graph, op: DepthwiseConv2D) -> int:
    """Return the bytes of a row: under all windows, or under those of one call."""
    width = graph.tensor(op.outputs[0]).shape[2]
    outputs = max(width, _at_once(graph, op))
    return -(-((outputs - 1) * op.window.stride[1] + op.window.kernel[1]) // 4) * 4


def _whole_rows(graph: Graph, op: DepthwiseConv2D) -> int:
    """Return how many rows of a channel scratch holds."""
    height, stride = op.window.kernel[0], op.window.stride[0]
    most = (graph.tensor(op.outputs[0]).shape[1] - 1) * stride + height
    return min(max(_SCRATCH_BYTES // _pitch(graph, op), height), most)


def _planes(graph: Graph, op: DepthwiseConv2D, rows: int) -> Fields:
    """Return a ``planes_t``."""
    p = prepare_conv(graph, op)
    live = live_weights(graph, op, p, axis=3)
    bias = folded_bias(graph, op, p, live, axis=3)
    weights = np.moveaxis(live[0], -1, 0).reshape(live.shape[-1], -1)
    reach = accumulator_reach(weights, bias, -128, 127)
    form = wide_form(p.multipliers, p.output_offset, p.low, p.high, reach)
    if form is not None:
        weights = np.where(form.frozen[:, None], 0, weights).astype(np.int8)
        bias = np.where(form.frozen, form.biases, bias)
    # Cells are 128 more than they should be; sums may wrap on their way.
    less = bias.astype(np.int64) - 128 * weights.sum(axis=1, dtype=np.int64)
    count, width, stride = _at_once(graph, op), op.window.kernel[1], op.window.stride[1]
    return {
        "x": shape(graph.tensor(op.inputs[0]).shape[1:]),
        "y": shape(graph.tensor(op.outputs[0]).shape[1:]),
        "window": window(op.window),
        "depth_multiplier": op.depth_multiplier,
        "padding": 128 - p.input_offset,
        "pitch": _pitch(graph, op),
        "rows": rows,
        "weights": Constant("weights", np.ascontiguousarray(weights)),
        **form_fields(form, p.low),
        "exact": channels(p, less.astype(np.int32)),
        "at_once": count,
        "sums": Name(f"planes_{width}_{stride}_{count}"),
    }
