"""Calls of convolutions: which cells a window gathers, and in which order they meet the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from harness.arithmetic import prepare_conv
from harness.ir import Graph
from harness.ir.ops import Conv2D, Padding, Window
from harness.kernels.armv7em.filters import LANES, UNIT, filters, ordered
from harness.kernels.armv7em.fully_connected import (
    fully_connected,
    fully_connected_row,
    is_fully_connected,
    window_row,
)
from harness.kernels.call import SCRATCH, Call, Fields, Name, RowCall, X, Y
from harness.kernels.convolution import folded_bias, live_weights, shape, window
from harness.kernels.variant import RowVariant, Variant

_NAME = "armv7em"
_HEADER = "armv7em/conv.h"

_MAX_RUNS = 32

_PADDED_BYTES = 1024
"""So small an input is put into its padding, as a large part of it is border."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The cells of a window that lie side by side: how many such runs, and values of each.

    ``words`` of four values are expanded together. Runs are rounded up to them where the products
    are no more; else the values left over come last.
    """

    count: int
    cells: int
    values: int

    @property
    def words(self) -> int:
        """Words of four values that a run is expanded in."""
        up = -(-self.values // 4)
        return up if self.count * up == -(-self.count * self.values // 4) else self.values // 4

    @property
    def rest(self) -> int:
        """Values of a run that are left over."""
        return max(self.values - 4 * self.words, 0)

    @property
    def order(self) -> list[int]:
        """Taps in the order in which they are gathered; -1 is none."""
        taps = []
        for run in range(self.count):
            for word in range(self.words):
                for value in (4 * word, 4 * word + 2, 4 * word + 1, 4 * word + 3):
                    taps.append(run * self.values + value if value < self.values else -1)
        for run in range(self.count):
            first = run * self.values + 4 * self.words
            taps += range(first, first + self.rest)
        return taps

    @property
    def expanded_bytes(self) -> int:
        """Bytes of three expanded windows."""
        values = self.count * (4 * self.words + self.rest)
        return -(-values // UNIT) * UNIT * 2 * LANES


_GATHER = "gather_lanes"
_GATHERS = {Runs(3, 3, 9): "gather_nines", Runs(3, 3, 3): "gather_threes"}
"""Functions for any windows, and for what 3x3 windows see of three channels, and of one."""


def conv(
    graph: Graph, op: Conv2D, operand: int | None, *, compact: bool = False
) -> Iterator[Variant]:
    """Yield the variant of a convolution, over its input if ``operand`` says so.

    A ``compact`` one takes less flash, and more time.
    """
    runs = _runs(graph, op)
    if is_fully_connected(graph, op):
        yield from fully_connected(graph, op, operand)
        return
    if not _is_supported(graph, op, runs):
        return
    _, height, width, _ = graph.tensor(op.outputs[0]).shape
    pixels = 0 if compact else height * width
    if is_pointwise(op.window):

        def pointwise() -> tuple[Call, ...]:
            parameters = _pointwise(graph, op, runs, pixels)
            if operand is None:
                return (
                    Call(_HEADER, "dsp_pointwise", "dsp_pointwise_t", parameters, (X, Y, SCRATCH)),
                )
            return (
                Call(_HEADER, "dsp_pointwise_inplace", "dsp_pointwise_t", parameters, (Y, SCRATCH)),
            )

        yield Variant(_NAME, pointwise, runs.expanded_bytes)
        return

    def gathering() -> tuple[Call, ...]:
        parameters = _conv(graph, op, runs, pixels)
        return (Call(_HEADER, "dsp_conv", "dsp_conv_t", parameters, (X, Y, SCRATCH)),)

    def padded() -> tuple[Call, ...]:
        parameters = _padded(graph, op, runs, pixels)
        return (Call(_HEADER, "dsp_conv_padded", "dsp_conv_padded_t", parameters, (X, Y, SCRATCH)),)

    scratch = runs.expanded_bytes + 2 * _border_bytes(runs)
    around = math.prod(_padded_shape(graph, op))
    if not op.window.padding.is_zero and around <= _PADDED_BYTES:
        yield Variant(_NAME, padded, -(-around // 4) * 4 + scratch)
    else:
        yield Variant(_NAME, gathering, scratch)


def conv_row(graph: Graph, op: Conv2D, *, compact: bool = False) -> Iterator[RowVariant]:
    """Yield the variant that makes a row of a convolution."""
    runs = _runs(graph, op)
    if is_fully_connected(graph, op) and op.window.kernel == (1, 1):
        yield from fully_connected_row(graph, op)
        return
    if not _is_supported(graph, op, runs):
        return
    _, height, width, _ = graph.tensor(op.outputs[0]).shape
    if width == 1:
        one = fully_connected_row if is_pointwise(op.window) else window_row
        yield from one(graph, op)
        return
    if is_pointwise(op.window):
        name, scratch = "dsp_pointwise", runs.expanded_bytes
    else:
        name, scratch = "dsp_conv", runs.expanded_bytes + 2 * _border_bytes(runs)

    def calls(*, in_batches: bool) -> tuple[RowCall, ...]:
        rows, made = (height, "batch") if in_batches else (1, "row")
        pixels = 0 if compact else rows * width
        parameters = (_pointwise if is_pointwise(op.window) else _conv)(graph, op, runs, pixels)
        call = RowCall(_HEADER, f"{name}_{made}", f"{name}_t", parameters, takes_scratch=True)
        return (replace(call, makes_rows=in_batches),)

    yield RowVariant(
        _NAME, partial(calls, in_batches=False), scratch, partial(calls, in_batches=True)
    )


def inplace_operands(graph: Graph, op: Conv2D) -> tuple[int, ...]:
    """Return whether a pointwise convolution may overwrite its input.

    Three pixels are read before they are written, and outputs must not overtake inputs.
    """
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if x.is_constant or not is_pointwise(op.window) or y.shape[3] > x.shape[3]:
        return ()
    return (0,) if _is_supported(graph, op, _runs(graph, op)) else ()


def is_pointwise(w: Window) -> bool:
    """Return whether pixels are read one by one, in order."""
    return w.kernel == (1, 1) and w.stride == (1, 1) and w.padding == Padding()


def _is_supported(graph: Graph, op: Conv2D, runs: Runs) -> bool:
    return runs.count <= _MAX_RUNS and graph.tensor(op.outputs[0]).shape[3] > 1


def _runs(graph: Graph, op: Conv2D) -> Runs:
    _, height, width, depth = graph.tensor(op.inputs[1]).shape
    if op.window.dilation[1] == 1 or width == 1:
        return Runs(height, width, width * depth)
    return Runs(height * width, 1, depth)


def _border_bytes(runs: Runs) -> int:
    """Return the bytes in which a run at the border is put together, in whole words."""
    return -(-runs.values // 4) * 4


def _pointwise(graph: Graph, op: Conv2D, runs: Runs, pixels: int) -> Fields:
    """Return a ``dsp_pointwise_t``: rows do not matter."""
    (_, *x), (_, *y) = (graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    return {
        "x": shape((1, x[0] * x[1], x[2])),
        "y": shape((1, y[0] * y[1], y[2])),
        "words": runs.words,
        "filters": _filters(graph, op, runs, pixels),
    }


def _conv(graph: Graph, op: Conv2D, runs: Runs, pixels: int) -> Fields:
    """Return a ``dsp_conv_t``."""
    return {
        "x": shape(graph.tensor(op.inputs[0]).shape[1:]),
        "y": shape(graph.tensor(op.outputs[0]).shape[1:]),
        "window": window(op.window),
        "padding": graph.tensor(op.inputs[0]).zero_point,
        "row_runs": runs.count // op.window.kernel[0],
        "run_cells": runs.cells,
        "border_bytes": _border_bytes(runs),
        "gather": {
            "step": op.window.stride[1] * graph.tensor(op.inputs[0]).shape[3],
            "runs": runs.count,
            "words": runs.words,
            "rest": runs.rest,
            "rest_bytes": runs.count * runs.words * 8 * LANES,
        },
        "lanes": Name(_GATHERS.get(runs, _GATHER) if pixels else _GATHER),
        "filters": _filters(graph, op, runs, pixels),
    }


def _padded_shape(graph: Graph, op: Conv2D) -> tuple[int, int, int]:
    """Return the shape of what all windows see: the input in its padding."""
    (_, height, width, _), x = graph.tensor(op.outputs[0]).shape, graph.tensor(op.inputs[0]).shape
    (sy, sx), (extent_h, extent_w) = op.window.stride, op.window.extent
    return (height - 1) * sy + extent_h, (width - 1) * sx + extent_w, x[3]


def _padded(graph: Graph, op: Conv2D, runs: Runs, pixels: int) -> Fields:
    """Return a ``dsp_conv_padded_t``."""
    (_, height, width, depth), around = graph.tensor(op.inputs[0]).shape, _padded_shape(graph, op)
    top, left = op.window.padding.top, op.window.padding.left
    conv = _conv(graph, op, runs, pixels)
    return {
        "conv": {
            **conv,
            "x": shape(around),
            "window": window(replace(op.window, padding=Padding())),
        },
        "row_bytes": width * depth,
        "rows": min(height, around[0] - top),
        "seen": max(min(width, around[1] - left), 0) * depth,
        "at": (top * around[1] + left) * depth,
    }


def _filters(graph: Graph, op: Conv2D, runs: Runs, pixels: int) -> Fields:
    p = prepare_conv(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    return filters(p, ordered(weights.reshape(len(weights), -1), runs.order), bias, pixels)
