"""Weights of depthwise convolutions as the kernels for ARMv7E-M read them from flash."""

from __future__ import annotations

import numpy as np

from harness.ir.tensor import Array
from harness.kernels.armv7em.depthwise_geometry import Geometry

_WORD_ORDER = (0, 2, 1, 3)
"""Bytes of four weights from which two words are made by a mask: the halves of the first word are
in bytes 0 and 2, those of the second in 1 and 3."""


def cut(weights: Array, geometry: Geometry) -> Array:
    """Return what of the weights [KH, KW, OC] ever lies on the tensor, turned if need be."""
    (row, column), (kernel_h, kernel_w) = geometry.first, geometry.window.kernel
    if geometry.is_turned:
        kernel_h, kernel_w = kernel_w, kernel_h
    some = weights[row : row + kernel_h, column : column + kernel_w]
    return some.swapaxes(0, 1) if geometry.is_turned else some


def packed(weights: Array, geometry: Geometry, pairs: int) -> tuple[Array, int, int]:
    """Return the weights [OC, bytes] in the order of a task; its taps of two rows and of one.

    Weights of a 3x3 kernel are a ``depthwise_3x3_weights_t``, those of lines of column pairs a line
    after the other, and taps of neither kind then.
    """
    if geometry.is_3x3:
        (a0, a1, a2), (b0, b1, b2), (c0, c1, c2) = weights
        return np.stack([a0, a1, b0, b1, c0, c1, a2, c2, b2], axis=-1), 0, 0
    if geometry.is_by_columns:
        _, width, channels = weights.shape
        order = [i + k for i in range(0, width, 4) for k in _WORD_ORDER if i + k < width]
        by_lines = weights[:, order].reshape(-1, channels).T
        return np.ascontiguousarray(by_lines), 0, 0
    return _of_row_pairs(weights, geometry, pairs)


def _of_row_pairs(weights: Array, geometry: Geometry, pairs: int) -> tuple[Array, int, int]:
    """Return the weights of lines of row pairs, likewise.

    Of taps of two rows, a word has two: the second's rows in bytes 0 and 2, the first's in 1 and 3.
    The last row of an odd number has taps of one row, a byte each; if those before are odd in
    number, the first of them goes with them.
    """
    kernel_h, kernel_w, channels = weights.shape
    padded = np.zeros((2 * pairs, geometry.taps, channels), np.int8)
    padded[:kernel_h, :kernel_w] = weights
    phase = np.arange(geometry.taps) * geometry.window.dilation[1] % geometry.phases
    ordered = padded[:, np.argsort(phase, kind="stable")]
    taps = ordered.reshape(pairs, 2, -1, channels).transpose(3, 0, 2, 1).reshape(channels, -1, 2)
    of_one = geometry.taps if kernel_h == 2 * pairs - 1 and pairs > 1 else 0
    of_two = taps.shape[1] - of_one
    words = -(-of_two // 2)
    even = np.zeros((channels, max(taps.shape[1], 2 * words), 2), np.int8)
    even[:, : taps.shape[1]] = taps
    two = even[:, : 2 * words].reshape(channels, -1, 2, 2)
    packed = np.stack([two[:, :, 1, 0], two[:, :, 0, 0], two[:, :, 1, 1], two[:, :, 0, 1]], axis=2)
    lone = even[:, 2 * words :, 0]
    whole: Array = np.concatenate([packed.reshape(channels, -1), lone], axis=1)
    return whole, min(2 * words, taps.shape[1]), lone.shape[1]
