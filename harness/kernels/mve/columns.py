"""Weights and constants of ``columns_t``: a matrix that columns of int8 are multiplied with."""

from __future__ import annotations

import numpy as np

from harness.arithmetic import ConvParameters
from harness.ir.tensor import Array
from harness.kernels.call import Constant, Fields, Name

_LANES = 16
"""int8 in a vector."""

_BLOCK = 4
"""Channels that are computed together."""

_UNROLLED = 9
"""As many chunks have functions of their own, without a loop: a ninth of the instructions less."""


def is_rectified(p: ConvParameters) -> bool:
    """Return whether all results below the zero point are clamped to it.

    Then it does not matter how they are rounded.
    """
    return p.low >= p.output_offset


def is_supported(p: ConvParameters) -> bool:
    """Return whether the kernels can rescale so: they shift to the right only.

    Unless results are rectified they take 1 from what is negative before they round, which without
    a shift would remain.
    """
    most = 0 if is_rectified(p) else -1
    return all(factor.shift <= most for factor in p.multipliers)


def columns(p: ConvParameters, weights: Array, bias: Array) -> Fields:
    """Return a ``columns_t``; ``weights`` are ``[channels, depth]``."""
    channels, depth = weights.shape
    order = _channels_of_blocks(channels)
    chunks = -(-depth // _LANES)
    # [blocks, 4, chunks, 16] to [blocks, chunks, 4, 16]
    blocks = _chunked(weights, chunks)[order].swapaxes(1, 2)
    return {
        "depth": depth,
        "channels": channels,
        "blocks": len(order),
        "chunks": chunks,
        "is_rectified": int(is_rectified(p)),
        "weights": Constant("weights", np.ascontiguousarray(blocks)),
        "constants": Constant("constants", _constants(p, bias, order)),
        "output": output(p),
        "pairs": Name(_pairs(p, chunks)),
    }


def _pairs(p: ConvParameters, chunks: int) -> str:
    """Return the function for pairs of columns: one for their chunks, or for any number."""
    suffix = "_rectified" if is_rectified(p) else ""
    return f"columns_pairs_{chunks if chunks <= _UNROLLED else 0}{suffix}"


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


def _constants(p: ConvParameters, bias: Array, order: Array) -> Array:
    """Return of each block four biases, four multipliers, and four shifts in one word."""
    multipliers = np.array([f.multiplier for f in p.multipliers], np.int32)
    shifts = np.array([f.shift for f in p.multipliers], np.int8)
    packed = np.ascontiguousarray(shifts[order]).view(np.int32)
    return np.hstack([bias[order], multipliers[order], packed])
