"""Calls of convolutions: which cells a window gathers, and in which order they meet the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from harness.arithmetic import prepare_conv
from harness.ir import Graph
from harness.ir.ops import Conv2D, Padding, Window
from harness.kernels.armv7em import block_2x4, loops
from harness.kernels.armv7em.blocks import BLOCK_2X4, BLOCK_3X2, Block, Runs
from harness.kernels.armv7em.depthwise_geometry import is_rounded
from harness.kernels.armv7em.filters import filters, is_rest_worth_it, ordered
from harness.kernels.armv7em.fully_connected import (
    fully_connected,
    fully_connected_row,
    is_fully_connected,
    window_row,
)
from harness.kernels.call import SCRATCH, Call, Fields, Name, Operand, RowCall, X, Y
from harness.kernels.convolution import folded_bias, live_weights, shape, window
from harness.kernels.kernel_set import KernelSet
from harness.kernels.variant import RowLoops, RowVariant, Variant

_MAX_RUNS = 32

_PADDED_BYTES = 1024
"""So small an input is put into its padding, as a large part of it is border."""

_MOST_BAND = 16
"""Rows that a batch puts into their padding at a time, at most."""


def conv(graph: Graph, op: Conv2D, operand: int | None, kernels: KernelSet) -> Iterator[Variant]:
    """Yield the variants of a convolution, over its input if ``operand`` says so."""
    runs = _runs(graph, op)
    if is_fully_connected(graph, op):
        yield from fully_connected(graph, op, operand, kernels)
    elif _is_supported(graph, op, runs):
        _, height, width, _ = graph.tensor(op.outputs[0]).shape
        for block in _blocks(graph, op, runs, height * width, kernels):
            pixels = 0 if kernels.is_compact else height * width
            yield _whole(graph, op, operand, block, runs, pixels)


def _blocks(
    graph: Graph, op: Conv2D, runs: Runs, pixels: int, kernels: KernelSet
) -> tuple[Block, ...]:
    """Return the inner loops that are offered for so many pixels in a row, the best first.

    Where cycles are not counted, that is the one with fewer instructions.
    """
    if not kernels.counts_cycles or not block_2x4.is_supported(graph, op):
        return (BLOCK_3X2,)
    shape = _shape(graph, op, runs, pixels)
    is_better = loops.CYCLES_2X4.of(shape) < loops.CYCLES_3X2.of(shape)
    return (BLOCK_2X4, BLOCK_3X2) if is_better else (BLOCK_3X2, BLOCK_2X4)


def _shape(
    graph: Graph, op: Conv2D, runs: Runs, pixels: int, *, has_narrow: bool = True
) -> loops.Shape:
    """Return what a loop makes; not all windows are gathered run by run."""
    at_once = is_pointwise(op.window) or any(runs == of for of, _ in BLOCK_3X2.gathers)
    channels = graph.tensor(op.outputs[0]).shape[3]
    return loops.Shape(pixels, 0 if at_once else runs.count, runs.units, channels, has_narrow)


def _instructions(
    graph: Graph, op: Conv2D, block: Block, runs: Runs, *, is_padded: bool = False
) -> RowLoops:
    """Return what counts the instructions of a loop; of an input in its padding, without border."""
    x, y = (graph.tensor(t).shape[1:] for t in (op.inputs[0], op.outputs[0]))
    border = 0.0 if is_padded else runs.count * loops.border_share(op.window, x, y)
    around = border * loops.BORDER + y[2] * loops.ROUND * is_rounded(graph, op)

    def instructions(rows: int, columns: int, *, in_batches: bool) -> float:
        left_over = y[1] * (y[0] if in_batches else 1)
        has_narrow = is_rest_worth_it(left_over)
        shape = _shape(graph, op, runs, rows * columns, has_narrow=has_narrow)
        return block.instructions.of(shape) + rows * columns * around

    return instructions


def _whole(
    graph: Graph, op: Conv2D, operand: int | None, block: Block, runs: Runs, pixels: int
) -> Variant:
    """Return the variant of one inner loop."""

    def call(function: str, type_: str, parameters: Fields, operands: tuple[Operand, ...]) -> Call:
        name = function.replace("*", block.suffix)
        return Call(block.header, name, type_, parameters, operands)

    def pointwise() -> tuple[Call, ...]:
        parameters = _pointwise(graph, op, block, runs, pixels)
        if operand is None:
            return (call("dsp_pointwise*", "dsp_pointwise_t", parameters, (X, Y, SCRATCH)),)
        return (call("dsp_pointwise*_inplace", "dsp_pointwise_t", parameters, (Y, SCRATCH)),)

    def gathering() -> tuple[Call, ...]:
        parameters = _conv(graph, op, block, runs, pixels)
        return (call("dsp_conv*", "dsp_conv_t", parameters, (X, Y, SCRATCH)),)

    def padded() -> tuple[Call, ...]:
        parameters = _padded(graph, op, block, runs, pixels, height)
        return (call("dsp_conv*_padded", "dsp_conv_padded_t", parameters, (X, Y, SCRATCH)),)

    _, height, width, _ = graph.tensor(op.outputs[0]).shape
    scratch, calls, is_padded = block.expanded_bytes(runs), gathering, _is_padded(graph, op)
    if is_pointwise(op.window):
        calls = pointwise
    else:
        scratch += 2 * _border_bytes(runs)
    if is_padded:
        scratch, calls = scratch + _band_bytes(graph, op, height), padded
    count = _instructions(graph, op, block, runs, is_padded=is_padded)
    return Variant(block.name, calls, scratch, loops=count(height, width, in_batches=True))


def conv_row(graph: Graph, op: Conv2D, kernels: KernelSet) -> Iterator[RowVariant]:
    """Yield the variants that make a row of a convolution."""
    runs = _runs(graph, op)
    if is_fully_connected(graph, op) and op.window.kernel == (1, 1):
        yield from fully_connected_row(graph, op, kernels)
        return
    if not _is_supported(graph, op, runs):
        return
    width = graph.tensor(op.outputs[0]).shape[2]
    if width == 1:
        one = fully_connected_row if is_pointwise(op.window) else window_row
        yield from one(graph, op, kernels)
        return
    for block in _blocks(graph, op, runs, width, kernels):
        if _is_padded(graph, op):
            yield from _padded_rows(graph, op, block, runs, compact=kernels.is_compact)
        yield _rows(graph, op, block, runs, compact=kernels.is_compact)


def _rows(graph: Graph, op: Conv2D, block: Block, runs: Runs, *, compact: bool) -> RowVariant:
    """Return the variant of one inner loop, by rows."""
    _, height, width, _ = graph.tensor(op.outputs[0]).shape
    if is_pointwise(op.window):
        name, scratch = "dsp_pointwise", block.expanded_bytes(runs)
    else:
        name, scratch = "dsp_conv", block.expanded_bytes(runs) + 2 * _border_bytes(runs)

    def calls(*, in_batches: bool) -> tuple[RowCall, ...]:
        rows, made = (height, "batch") if in_batches else (1, "row")
        pixels = 0 if compact else rows * width
        make = _pointwise if is_pointwise(op.window) else _conv
        parameters = make(graph, op, block, runs, pixels)
        function = f"{name}{block.suffix}_{made}"
        call = RowCall(block.header, function, f"{name}_t", parameters, takes_scratch=True)
        return (replace(call, makes_rows=in_batches),)

    return RowVariant(
        block.name,
        partial(calls, in_batches=False),
        scratch,
        partial(calls, in_batches=True),
        loops=_instructions(graph, op, block, runs),
        over_operand=is_pointwise(op.window),
    )


def _padded_rows(
    graph: Graph, op: Conv2D, block: Block, runs: Runs, *, compact: bool
) -> Iterator[RowVariant]:
    """Yield the variants that put what rows of a batch see into its padding, fewer and fewer."""
    one = _rows(graph, op, block, runs, compact=compact)
    _, height, width, _ = graph.tensor(op.outputs[0]).shape
    pixels, is_one = 0 if compact else height * width, one.loops
    assert is_one is not None
    padded = _instructions(graph, op, block, runs, is_padded=True)

    def calls(band: int) -> tuple[RowCall, ...]:
        parameters = _padded(graph, op, block, runs, pixels, band)
        function, type_ = f"dsp_conv{block.suffix}_padded_batch", "dsp_conv_padded_t"
        call = RowCall(block.header, function, type_, parameters, takes_scratch=True)
        return (replace(call, makes_rows=True),)

    def loops(rows: int, columns: int, *, in_batches: bool) -> float:
        return (padded if in_batches else is_one)(rows, columns, in_batches=in_batches)

    most = min(height, _MOST_BAND)
    for band in range(most - most % block.lanes, 0, -block.lanes):
        scratch = one.scratch_bytes + _band_bytes(graph, op, band)
        yield replace(one, scratch_bytes=scratch, batch_calls=partial(calls, band), loops=loops)


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


def _pointwise(graph: Graph, op: Conv2D, block: Block, runs: Runs, pixels: int) -> Fields:
    """Return a ``dsp_pointwise_t``: rows do not matter."""
    (_, *x), (_, *y) = (graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    return {
        "x": shape((1, x[0] * x[1], x[2])),
        "y": shape((1, y[0] * y[1], y[2])),
        "words": runs.words,
        "filters": _filters(graph, op, block, runs, pixels),
    }


def _conv(graph: Graph, op: Conv2D, block: Block, runs: Runs, pixels: int) -> Fields:
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
            "rest_bytes": runs.count * runs.words * 8 * block.lanes,
        },
        "lanes": Name(block.gather(runs, compact=not pixels)),
        "filters": _filters(graph, op, block, runs, pixels),
    }


def _is_padded(graph: Graph, op: Conv2D) -> bool:
    """Whether an input is put into its padding."""
    around = math.prod(_padded_shape(graph, op, graph.tensor(op.outputs[0]).shape[1]))
    return not op.window.padding.is_zero and around <= _PADDED_BYTES


def _padded_shape(graph: Graph, op: Conv2D, rows: int) -> tuple[int, int, int]:
    """Return the shape of what windows of so many rows see: rows of the input in their padding."""
    width, depth = graph.tensor(op.outputs[0]).shape[2], graph.tensor(op.inputs[0]).shape[3]
    (sy, sx), (extent_h, extent_w) = op.window.stride, op.window.extent
    return (rows - 1) * sy + extent_h, (width - 1) * sx + extent_w, depth


def _band_bytes(graph: Graph, op: Conv2D, rows: int) -> int:
    """Return the bytes of what windows of so many rows see, in whole words."""
    return -(-math.prod(_padded_shape(graph, op, rows)) // 4) * 4


def _padded(graph: Graph, op: Conv2D, block: Block, runs: Runs, pixels: int, band: int) -> Fields:
    """Return a ``dsp_conv_padded_t`` that makes so many rows at a time."""
    _, height, width, depth = graph.tensor(op.inputs[0]).shape
    around = _padded_shape(graph, op, band)
    top, left = op.window.padding.top, op.window.padding.left
    conv = _conv(graph, op, block, runs, pixels)
    return {
        "conv": {
            **conv,
            "x": shape(around),
            "window": window(replace(op.window, padding=Padding())),
        },
        "height": height,
        "row_bytes": width * depth,
        "above": top,
        "seen": max(min(width, around[1] - left), 0) * depth,
        "at": left * depth,
        "band": band,
    }


def _filters(graph: Graph, op: Conv2D, block: Block, runs: Runs, pixels: int) -> Fields:
    p = prepare_conv(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    in_order = ordered(weights.reshape(len(weights), -1), runs.order)
    if block is BLOCK_2X4:
        return block_2x4.filters(p, in_order, bias)
    return filters(p, in_order, bias, pixels)
