"""Depthwise convolution for ARMv7E-M over planes of few pixels: what depthwise_small.h is told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.ir.ops import Padding, Window
from harness.ir.tensor import Array
from harness.kernels.armv7em.depthwise_geometry import GROUP, Geometry

_TASK_WORDS, _TAPS, _TAP_CODE_BYTES = 18, 7, 24
"""``SMALL_TASK_WORDS``, ``SMALL_TAPS``, and the bytes of code of a tap."""

_MOST_ROWS = 16
"""``SMALL_ROWS``."""

_OUTPUT_INSTRUCTIONS, _ROW_INSTRUCTIONS, _TAP_INSTRUCTIONS, _CELL_INSTRUCTIONS = 24, 6, 6, 6
"""What the core takes for four channels of an output, a kernel row and a tap of it; and what it
takes to copy a cell or a weight of four channels."""

_AROUND, _CHANNEL_INSTRUCTIONS, _ROW = 1.07, 32, 1.12
"""What is around that, for each instruction and each channel; and how much more cells take that lie
in different rows."""

_MOST_OUTPUTS = 64
"""Outputs for which windows are listed: 16 bytes of flash each."""


def scratch_bytes(g: Geometry) -> int:
    """Return the bytes of the task, a plane's cells, a kernel's weights, outputs put back."""
    saved = 4 * g.y[0] * g.y[1] if g.x[2] % GROUP else 0
    return 4 * _TASK_WORDS + 8 * (_cells(g) + _taps(g)) + saved


def instructions(g: Geometry) -> float | None:
    """Return roughly what a channel takes, None where the kernel does not do the op."""
    (_, dilation), (_, columns) = g.window.dilation, g.window.kernel
    outputs = g.y[0] * g.y[1]
    if g.y[2] != g.x[2] or g.x[2] < GROUP or outputs > _MOST_OUTPUTS:
        return None
    if dilation != 1 or columns > _TAPS:
        return None
    rows, taps = windows(g)[:, 2], _TAPS - windows(g)[:, 3] // _TAP_CODE_BYTES
    core = outputs * _OUTPUT_INSTRUCTIONS + rows.sum() * _ROW_INSTRUCTIONS
    core += (rows * taps).sum() * _TAP_INSTRUCTIONS
    return float(core + (_cells(g) + _taps(g)) * _CELL_INSTRUCTIONS) / GROUP


def loops(g: Geometry) -> float:
    """Return roughly what the loops execute for all channels."""
    return g.y[2] * (_AROUND * (instructions(g) or 0.0) + _CHANNEL_INSTRUCTIONS)


@dataclass(frozen=True, slots=True)
class RowLoops:
    """What the loops execute for rows of one pixel, the window of which is a plane."""

    window: Geometry

    def __call__(self, rows: int, columns: int, *, in_batches: bool) -> float:
        """Return the instructions for so many rows."""
        del columns, in_batches  # there is one column, and no other way
        return _ROW * rows * loops(self.window)


def windows(g: Geometry) -> Array:
    """Return the part of each output's window that lies on the plane: ``small_window_t``."""
    height, width, _ = g.x
    kernel_w = g.window.kernel[1]
    cells, weights = 4 * _TASK_WORDS, 4 * _TASK_WORDS + 8 * _cells(g)
    found = []
    for top, first_row, rows in _spans(g, 0):
        for left, first_column, columns in _spans(g, 1):
            unused = _TAPS - columns
            row = min(max(top + first_row * g.window.dilation[0], 0), height - 1)
            cell = row * width + min(max(left + first_column, 0), width - 1)
            tap = first_row * kernel_w + first_column
            found.append(
                (
                    cells + 8 * (cell - unused),
                    weights + 8 * (tap - unused),
                    max(rows, 1),
                    _TAP_CODE_BYTES * (unused if rows else _TAPS),
                )
            )
    return np.array(found, np.int32)


def window_of_a_row(g: Geometry) -> Geometry | None:
    """Return the window of one output as a plane of its own, None where rows are not one pixel.

    Its cells lie below each other, and may as well be rows of up to ``SMALL_TAPS`` side by side.
    """
    cells, padding = g.window.kernel[0], g.window.padding
    is_one_wide = g.x[1] == g.y[1] == g.window.kernel[1] == 1 and padding.left == 0
    if not is_one_wide or g.y[2] != g.x[2] or g.x[2] < GROUP or cells > _MOST_ROWS:
        return None
    side_by_side = max(taps for taps in range(1, _TAPS + 1) if cells % taps == 0)
    plane = cells // side_by_side, side_by_side
    window = Window(kernel=plane, stride=(1, 1), dilation=(1, 1), padding=Padding())
    return replace(g, x=(*plane, g.x[2]), y=(1, 1, g.y[2]), window=window)


def row_bytes(g: Geometry) -> tuple[int, int]:
    """Return the bytes in scratch from a kernel row to the next: of cells and of weights."""
    return 8 * g.x[1] * g.window.dilation[0], 8 * g.window.kernel[1]


def _spans(g: Geometry, axis: int) -> list[tuple[int, int, int]]:
    """Return for each output where its window begins, its first cell inside, and their number."""
    pad = (g.window.padding.top, g.window.padding.left)[axis]
    size, dilation = g.x[axis], g.window.dilation[axis]
    spans = []
    for output in range(g.y[axis]):
        begin = output * g.window.stride[axis] - pad
        inside = [k for k in range(g.window.kernel[axis]) if 0 <= begin + k * dilation < size]
        spans.append((begin, inside[0] if inside else 0, len(inside)))
    return spans


def _cells(g: Geometry) -> int:
    return g.x[0] * g.x[1]


def _taps(g: Geometry) -> int:
    return g.window.kernel[0] * g.window.kernel[1]
