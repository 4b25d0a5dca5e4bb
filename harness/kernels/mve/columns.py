"""Weights and constants of ``columns_t``: a matrix that columns of int8 are multiplied with."""

from __future__ import annotations

import numpy as np

from harness.arithmetic import ConvParameters
from harness.ir.tensor import Array
from harness.kernels.call import Constant, Fields, Name
from harness.kernels.mve.rounding import Rounding, Way, rounding

_LANES = 16
"""int8 in a vector."""

_BLOCK = 4
"""Channels that are computed together."""

_UNROLLED = 9
"""As many chunks have functions of their own, without a loop: a ninth of the instructions less."""

_EIGHTS = 4
"""As many have functions for eight channels at a time."""


def columns(p: ConvParameters, weights: Array, bias: Array, *, has_pairs: bool) -> Fields:
    """Return a ``columns_t``; ``weights`` are ``[channels, depth]``.

    ``has_pairs`` says that there is more than one column.
    """
    channels, depth = weights.shape
    chunks = -(-depth // _LANES)
    # [blocks, 4, chunks, 16] to [blocks, chunks, 4, 16]
    rounded = rounding(p, weights, bias)
    way = rounded.way.value
    goes_by_eights = has_pairs and _goes_by_eights(rounded.way, channels, chunks)
    order = _channels_of_eights(channels) if goes_by_eights else _channels_of_blocks(channels)
    pairs = f"columns_pairs_{chunks if chunks <= _UNROLLED else 0}_{way}"
    single = f"columns_single_{way}"
    if goes_by_eights:
        pairs = single = f"columns_eights_{chunks}_{way}"
    blocks = _chunked(weights, chunks)[order].swapaxes(1, 2)
    return {
        "depth": depth,
        "channels": channels,
        "together": 2 * _BLOCK if goes_by_eights else _BLOCK,
        "blocks": len(order),
        "chunks": chunks,
        "scale": rounded.scale,
        "weights": Constant("weights", np.ascontiguousarray(blocks)),
        "constants": Constant("constants", _constants(rounded, order)),
        "output": output(p),
        "pairs": Name(pairs),
        "single": Name(single),
    }


def output(p: ConvParameters) -> Fields:
    """Return an ``output_t``."""
    return {"zero_point": p.output_offset, "low": p.low, "high": p.high}


def _channels_of_blocks(channels: int) -> Array:
    """Return the channels of each block: the last ends with the last channel."""
    first = np.arange(0, channels, _BLOCK).clip(max=max(channels - _BLOCK, 0))
    order: Array = (first[:, None] + np.arange(_BLOCK)).clip(max=channels - 1)
    return order


def _goes_by_eights(way: Way, channels: int, chunks: int) -> bool:
    """Return whether eight channels at a time take fewer instructions than four."""
    if way is Way.CLAMP or channels < 2 * _BLOCK or chunks > _EIGHTS:
        return False
    by_eights = -(-channels // (2 * _BLOCK)) * 2 * (14 * chunks + 16)
    return by_eights < -(-channels // _BLOCK) * (14 * chunks + 19)


def _channels_of_eights(channels: int) -> Array:
    """Return the channels of each block: those of eight together are even, and then odd."""
    first = np.arange(0, channels, 2 * _BLOCK).clip(max=channels - 2 * _BLOCK)
    order: Array = first[:, None, None] + np.arange(2 * _BLOCK).reshape(_BLOCK, 2).T
    return order.reshape(-1, _BLOCK)


def _chunked(weights: Array, chunks: int) -> Array:
    """Return weights ``[channels, chunks, 16]``; what is left over makes the first chunk."""
    channels, depth = weights.shape
    first = depth - _LANES * (chunks - 1)
    result = np.zeros((channels, chunks, _LANES), np.int8)
    result[:, 0, :first] = weights[:, :first]
    result[:, 1:] = weights[:, first:].reshape(channels, chunks - 1, _LANES)
    return result


def _constants(rounded: Rounding, order: Array) -> Array:
    """Return of each block four addends, four multipliers, and four shifts in one word, if any."""
    addends, multipliers, shifts = rounded.constants
    if rounded.way is Way.LINE:
        return np.hstack([addends[order], multipliers[order]])
    packed = np.ascontiguousarray(shifts.astype(np.int8)[order]).view(np.int32)
    return np.hstack([addends[order], multipliers[order], packed])
