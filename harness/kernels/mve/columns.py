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


def columns(p: ConvParameters, weights: Array, bias: Array) -> Fields:
    """Return a ``columns_t``; ``weights`` are ``[channels, depth]``."""
    channels, depth = weights.shape
    order = _channels_of_blocks(channels)
    chunks = -(-depth // _LANES)
    # [blocks, 4, chunks, 16] to [blocks, chunks, 4, 16]
    rounded = rounding(p, weights, bias)
    way = rounded.way.value
    blocks = _chunked(weights, chunks)[order].swapaxes(1, 2)
    return {
        "depth": depth,
        "channels": channels,
        "blocks": len(order),
        "chunks": chunks,
        "scale": rounded.scale,
        "weights": Constant("weights", np.ascontiguousarray(blocks)),
        "constants": Constant("constants", _constants(rounded, order)),
        "output": output(p),
        "pairs": Name(f"columns_pairs_{chunks if chunks <= _UNROLLED else 0}_{way}"),
        "single": Name(f"columns_single_{way}"),
    }


def output(p: ConvParameters) -> Fields:
    """Return an ``output_t``."""
    return {"zero_point": p.output_offset, "low": p.low, "high": p.high}


def _channels_of_blocks(channels: int) -> Array:
    """Return the channels of each block: the last ends with the last channel."""
    first = np.arange(0, channels, _BLOCK).clip(max=max(channels - _BLOCK, 0))
    order: Array = (first[:, None] + np.arange(_BLOCK)).clip(max=channels - 1)
    return order


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
