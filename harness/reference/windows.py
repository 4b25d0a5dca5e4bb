"""How a window moves: for each of its cells, the inputs that this cell meets.

A convolution or a pool is a sum (or a maximum) over the cells of its window. Cell ``(ky, kx)`` of
all windows at once is a strided slice of the padded input::

    x[ky * dilation + stride * (0..OH-1), kx * dilation + stride * (0..OW-1)]

so that memory stays within a few copies of the input and the output, whatever the window's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from harness.ir.ops import Window
from harness.ir.tensor import Array


def pad_rows_and_columns(x: Array, window: Window, fill: int) -> Array:
    """Return ``[N, H, W, C]`` with the window's padding around H and W."""
    padding = window.padding
    if padding.is_zero:
        return x
    rows, columns = (padding.top, padding.bottom), (padding.left, padding.right)
    return np.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=fill)


def cells(
    padded: Array, window: Window, output_shape: tuple[int, ...]
) -> Iterator[tuple[int, int, Array]]:
    """Yield ``(ky, kx, inputs)``: for each cell of the window a view ``[N, OH, OW, C]``."""
    _, rows, columns, _ = output_shape
    (sy, sx), (dy, dx) = window.stride, window.dilation
    for ky, kx in product(*map(range, window.kernel)):
        top, left = ky * dy, kx * dx
        bottom, right = top + (rows - 1) * sy + 1, left + (columns - 1) * sx + 1
        yield ky, kx, padded[:, top:bottom:sy, left:right:sx]
