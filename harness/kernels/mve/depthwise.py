"""Calls of depthwise convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv
from harness.ir import Graph
from harness.ir.ops import DepthwiseConv2D
from harness.ir.tensor import Array
from harness.kernels.call import SCRATCH, Call, Constant, Fields, Name, Operand, RowCall, X, Y
from harness.kernels.convolution import folded_bias, live_weights, shape, window
from harness.kernels.mve.columns import output
from harness.kernels.mve.lines import VECTOR, Lines, batch_lines, row_lines, whole_lines
from harness.kernels.mve.planes import Planes, planes_of
from harness.kernels.mve.rounding import (
    Rounding,
    Way,
    is_narrow,
    is_rectified,
    is_supported,
    rescaling,
    rounding,
)
from harness.kernels.variant import RowVariant, Variant

_NAME = "mve"
_HEADER = "mve/depthwise.h"
_TYPE = "mve_depthwise_t"


def depthwise(graph: Graph, op: DepthwiseConv2D, operand: int | None) -> Iterator[Variant]:
    """Yield the variant of a depthwise convolution, over its input if ``operand`` says so."""
    slides = op.window.dilation == (1, 1)
    if operand is not None and not slides:
        return
    planes = planes_of(graph, op, may_turn=slides)
    lines = row_lines(planes)
    if slides:
        may_go_by_channel = _may_go_by_channel(graph, op, planes)
        is_inplace = operand is not None
        lines = whole_lines(planes, is_inplace=is_inplace, may_go_by_channel=may_go_by_channel)
    if not _is_supported(prepare_conv(graph, op), lines):
        return
    function = "mve_depthwise" if slides else "mve_depthwise_by_rows"
    operands: tuple[Operand, ...] = (X, Y, SCRATCH)
    if operand is not None:
        function, operands = "mve_depthwise_inplace", (Y, SCRATCH)

    def calls() -> tuple[Call, ...]:
        return (Call(_HEADER, function, _TYPE, _parameters(graph, op, planes, lines), operands),)

    way, (height, width, _) = _likely_way(prepare_conv(graph, op)), planes.y
    if slides:
        loops = lines.instructions(planes, height, way)
    else:
        loops = height * lines.row_instructions(planes, width, way)
    yield Variant(_NAME, calls, lines.scratch_bytes, loops=loops)


def depthwise_row(graph: Graph, op: DepthwiseConv2D) -> Iterator[RowVariant]:
    """Yield the variants that make rows of a depthwise convolution, with less and less scratch."""
    planes = planes_of(graph, op, may_turn=False)
    if not _is_supported(prepare_conv(graph, op), row_lines(planes)):
        return
    is_over = op.depth_multiplier == 1
    slides = op.window.dilation == (1, 1)
    if slides:
        may_go_by_channel = _may_go_by_channel(graph, op, planes)
        for lines in batch_lines(planes, may_go_by_channel=may_go_by_channel):
            row = row_lines(planes, lines.scratch_bytes)
            # Whoever lays rows over others with little scratch may be given more.
            is_over = is_over and row.columns == planes.y[1]
            yield _rows(graph, op, planes, row, lines, is_over=is_over)
    least = row_lines(planes)
    if not slides or least.columns < planes.y[1]:
        is_over = is_over and least.columns == planes.y[1]
        yield _rows(graph, op, planes, least, least, is_over=is_over)


def _rows(
    graph: Graph,
    op: DepthwiseConv2D,
    planes: Planes,
    row: Lines,
    batch: Lines,
    *,
    is_over: bool,
) -> RowVariant:
    """Return the variant with these lines for a single row, and with those for several."""

    def calls(lines: Lines, function: str) -> tuple[RowCall, ...]:
        parameters = _parameters(graph, op, planes, lines, in_batches=True)
        call = RowCall(_HEADER, function, _TYPE, parameters, takes_scratch=True)
        return (replace(call, makes_rows=function != "mve_depthwise_row"),)

    by_rows, way = row is batch, _likely_way(prepare_conv(graph, op))
    several = "mve_depthwise_batch" + "_by_rows" * by_rows

    def loops(rows: int, columns: int, *, in_batches: bool) -> float:
        if in_batches and not by_rows:
            return batch.instructions(planes, rows, way)
        return rows * row.row_instructions(planes, columns, way)

    return RowVariant(
        _NAME,
        partial(calls, row, "mve_depthwise_row"),
        max(row.scratch_bytes, batch.scratch_bytes),
        partial(calls, batch, several),
        loops=loops,
        over_operand=is_over,
    )


def _is_supported(p: ConvParameters, lines: Lines) -> bool:
    """Return whether there is a pass: rectified results may also be shifted to the left."""
    return is_supported(p) or (is_rectified(p) and bool(lines.shifts))


def _may_go_by_channel(graph: Graph, op: DepthwiseConv2D, planes: Planes) -> bool:
    """Return whether sums can be rounded where lanes are channels."""
    p = prepare_conv(graph, op)
    if op.depth_multiplier != 1 or not is_supported(p):
        return False
    taps, bias = _taps(graph, op, p, planes)
    return is_narrow(p, taps.reshape(len(taps), -1), bias)


def _taps(
    graph: Graph, op: DepthwiseConv2D, p: ConvParameters, planes: Planes
) -> tuple[Array, Array]:
    """Return the weights ``[OC, KW, KH]`` of lines, and the bias for such inputs as they have."""
    weights = live_weights(graph, op, p, axis=3)[:, *planes.taps]
    bias = folded_bias(graph, op, p, weights, axis=3)
    order = (2, 0, 1) if planes.is_turned else (2, 1, 0)
    return weights[0].transpose(order), bias


def _parameters(
    graph: Graph, op: DepthwiseConv2D, planes: Planes, lines: Lines, *, in_batches: bool = False
) -> Fields:
    """Return an ``mve_depthwise_t``, for whole tensors or for some rows ``in_batches``."""
    p = prepare_conv(graph, op)
    taps, bias = _taps(graph, op, p, planes)
    rounded = _rounding(p, taps, bias, lines)
    constants = _constants(rounded, lines)
    in_lines = _in_lines(taps, lines)
    return {
        "x": shape(planes.x),
        "y": shape(planes.y),
        "window": window(planes.window),
        "depth_multiplier": op.depth_multiplier,
        "padding": -p.input_offset,
        "pitch": lines.pitch,
        "line_bytes": lines.line_bytes,
        "rows": lines.rows,
        "columns": lines.columns,
        "lines": lines.lines,
        "slack": lines.slack,
        "chunks": lines.chunks,
        "weight_bytes": in_lines[0].nbytes,
        "weights": Constant("weights", in_lines),
        "rescale": Constant("rescale", constants),
        "rescale_words": constants.size // len(in_lines),
        "scale": rounded.scale if lines.by_channel and rounded.way is Way.LINE else 0,
        "output": output(p),
        "pass": Name(_pass(rounded.way, lines, lines.fills(planes.y[0], in_batches=in_batches))),
    }


def _likely_way(p: ConvParameters) -> Way:
    """Return how sums are rounded, most likely: to prove that there are lines takes time."""
    if is_rectified(p):
        return Way.LINE
    return Way.ROUND if (p.low, p.high) == (-128, 127) else Way.CLAMP


def _rounding(p: ConvParameters, taps: Array, bias: Array, lines: Lines) -> Rounding:
    """Return how sums are rounded: the pass for any kernel does it as the reference."""
    found = rounding(p, taps.reshape(len(taps), -1), bias, one_scale=lines.by_channel)
    if found.way is Way.LINE and lines.shifts:
        return found
    way = Way.ROUND if found.way is Way.LINE else found.way
    way = way if is_supported(p) else Way.SHIFT
    return Rounding(way, rescaling(p, bias))


def _constants(rounded: Rounding, lines: Lines) -> Array:
    """Return the constants of each channel, or of eight of them: four even ones, four odd ones."""
    is_line = rounded.way is Way.LINE
    if not lines.by_channel:
        constants = rounded.constants[[0, 2, 1]] if is_line else rounded.constants
        return np.ascontiguousarray(constants.T)
    constants = _filled_up(rounded.constants[: 2 if is_line else 3].T, lines)
    lanes = constants.reshape(-1, lines.lines // 2, 2, constants.shape[1])
    return np.ascontiguousarray(lanes.transpose(0, 3, 2, 1))


def _filled_up(channels: Array, lines: Lines) -> Array:
    """Return an array with one row a channel, and zeros so that all lines have one."""
    behind = -len(channels) % lines.lines
    return np.pad(channels, ((0, behind), *[(0, 0)] * (channels.ndim - 1)))


def _pass(way: Way, lines: Lines, is_full: bool) -> str:
    if not lines.shifts:
        return "depthwise_any"
    if lines.by_channel:
        return f"depthwise_channels_{lines.chunks}_{way.value}"
    shared, full = len(lines.shifts), "_full" * is_full
    return f"depthwise_{lines.step}_{lines.chunks}_{lines.rows}_{shared}_{way.value}{full}"


def _in_lines(taps: Array, lines: Lines) -> Array:
    """Return weights ``[OC, KW, KH]`` in the order of lines: ``[OC, shared, chunks * 16]``.

    Channels that are made together are filled up.
    """
    if lines.by_channel:
        taps = _filled_up(taps, lines)
    channels, width, height = taps.shape
    columns = np.zeros((channels, width, lines.pitch), np.int8)
    columns[:, :, :height] = taps
    flat = columns.reshape(channels, -1)[:, : (width - 1) * lines.pitch + height]
    room = lines.chunks * VECTOR - flat.shape[1]
    shifted = [np.pad(flat, ((0, 0), (shift, room - shift))) for shift in lines.shifts or [0]]
    return np.stack(shifted, axis=1)
