"""Calls of convolutions: which cells a window gathers, and in which order they meet the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from harness.arithmetic import prepare_conv
from harness.ir import Graph
from harness.ir.ops import Conv2D, Padding, Window
from harness.kernels.armv7em import block_2x4, loops
from harness.kernels.armv7em.filters import LANES, UNIT, filters, ordered
from harness.kernels.armv7em.fully_connected import (
    fully_connected,
    fully_connected_row,
    is_fully_connected,
    window_row,
)
from harness.kernels.call import SCRATCH, Call, Fields, Name, Operand, RowCall, X, Y
from harness.kernels.convolution import folded_bias, live_weights, shape, window
from harness.kernels.kernel_set import KernelSet
from harness.kernels.variant import RowVariant, Variant

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
    def units(self) -> int:
        """Units of values of a window."""
        return -(-self.count * (4 * self.words + self.rest) // UNIT)


@dataclass(frozen=True, slots=True)
class Block:
    """What the inner loop makes at a time: so many pixels, by C functions of one ``suffix``.

    ``gathers`` are functions that gather some windows; the first one gathers any.
    """

    name: str
    suffix: str
    lanes: int
    gathers: tuple[tuple[Runs | None, str], ...]

    @property
    def header(self) -> str:
        """The C header."""
        return f"armv7em/conv{self.suffix}.h"

    def gather(self, runs: Runs, *, compact: bool) -> str:
        """Return the function that gathers windows of some runs."""
        return next(
            function for of, function in self.gathers if of is None or (of == runs and not compact)
        )

    def expanded_bytes(self, runs: Runs) -> int:
        """Return the bytes of its expanded windows."""
        return runs.units * UNIT * 2 * self.lanes


_3X2 = Block(
    "armv7em",
    "",
    LANES,
    ((Runs(3, 3, 9), "gather_nines"), (Runs(3, 3, 3), "gather_threes"), (None, "gather_lanes")),
)
"""Three pixels and two channels: windows of any kind, and what 3x3 windows see of three channels
and of one."""

_2X4 = Block(
    "armv7em 2x4",
    "_2x4",
    block_2x4.LANES,
    (
        (Runs(3, 3, 9), "gather_nines_of_both"),
        (Runs(3, 3, 3), "gather_threes_of_both"),
        (None, "gather_both"),
    ),
)
"""Two pixels and four channels."""


def conv(graph: Graph, op: Conv2D, operand: int | None, kernels: KernelSet) -> Iterator[Variant]:
    """Yield the variants of a convolution, over its input if ``operand`` says so."""
    runs = _runs(graph, op)
    if is_fully_connected(graph, op):
        yield from fully_connected(graph, op, operand)
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
        return (_3X2,)
    shape = _shape(graph, op, runs, pixels)
    is_better = loops.CYCLES_2X4.of(shape) < loops.CYCLES_3X2.of(shape)
    return (_2X4, _3X2) if is_better else (_3X2, _2X4)


def _shape(graph: Graph, op: Conv2D, runs: Runs, pixels: int) -> loops.Shape:
    """Return what a loop makes; not all windows are gathered run by run."""
    at_once = is_pointwise(op.window) or any(runs == of for of, _ in _3X2.gathers)
    count = 0 if at_once else runs.count
    return loops.Shape(pixels, count, runs.units, graph.tensor(op.outputs[0]).shape[3])


def _times(graph: Graph, op: Conv2D, block: Block, runs: Runs, pixels: int) -> float:
    """Return how many instructions a loop takes for each of the one that costs were fitted to."""
    if block is _3X2:
        return 1.0
    shape = _shape(graph, op, runs, pixels)
    return loops.INSTRUCTIONS_2X4.of(shape) / loops.INSTRUCTIONS_3X2.of(shape)


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
        parameters = _padded(graph, op, block, runs, pixels)
        return (call("dsp_conv*_padded", "dsp_conv_padded_t", parameters, (X, Y, SCRATCH)),)

    scratch, calls = block.expanded_bytes(runs), gathering
    if is_pointwise(op.window):
        calls = pointwise
    else:
        scratch += 2 * _border_bytes(runs)
        around = math.prod(_padded_shape(graph, op))
        if not op.window.padding.is_zero and around <= _PADDED_BYTES:
            scratch, calls = scratch + -(-around // 4) * 4, padded
    _, height, width, _ = graph.tensor(op.outputs[0]).shape
    times = _times(graph, op, block, runs, height * width)
    return Variant(block.name, calls, scratch, times=times)


def conv_row(graph: Graph, op: Conv2D, kernels: KernelSet) -> Iterator[RowVariant]:
    """Yield the variants that make a row of a convolution."""
    runs = _runs(graph, op)
    if is_fully_connected(graph, op) and op.window.kernel == (1, 1):
        yield from fully_connected_row(graph, op)
        return
    if not _is_supported(graph, op, runs):
        return
    width = graph.tensor(op.outputs[0]).shape[2]
    if width == 1:
        one = fully_connected_row if is_pointwise(op.window) else window_row
        yield from one(graph, op)
        return
    for block in _blocks(graph, op, runs, width, kernels):
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
        times=_times(graph, op, block, runs, width),
        over_operand=is_pointwise(op.window),
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


def _padded_shape(graph: Graph, op: Conv2D) -> tuple[int, int, int]:
    """Return the shape of what all windows see: the input in its padding."""
    (_, height, width, _), x = graph.tensor(op.outputs[0]).shape, graph.tensor(op.inputs[0]).shape
    (sy, sx), (extent_h, extent_w) = op.window.stride, op.window.extent
    return (height - 1) * sy + extent_h, (width - 1) * sx + extent_w, x[3]


def _padded(graph: Graph, op: Conv2D, block: Block, runs: Runs, pixels: int) -> Fields:
    """Return a ``dsp_conv_padded_t``."""
    (_, height, width, depth), around = graph.tensor(op.inputs[0]).shape, _padded_shape(graph, op)
    top, left = op.window.padding.top, op.window.padding.left
    conv = _conv(graph, op, block, runs, pixels)
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


def _filters(graph: Graph, op: Conv2D, block: Block, runs: Runs, pixels: int) -> Fields:
    p = prepare_conv(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    in_order = ordered(weights.reshape(len(weights), -1), runs.order)
    if block is _2X4:
        return block_2x4.filters(p, in_order, bias)
    return filters(p, in_order, bias, pixels)
