"""Weights and constants of ``columns_t``: a matrix that columns of int8 are multiplied with."""

from __future__ import annotations

import numpy as np

from harness.arithmetic import ConvParameters
from harness.ir.tensor import Array
from harness.kernels.call import Constant, Fields, Name
from harness.kernels.mve.rounding import Rounding, Way, rounding
from harness.kernels.step_function import accumulator_reach

_LANES = 16
"""int8 in a vector."""

_BLOCK = 4
"""Channels that are computed together, of one or two columns."""

_PAIR = 2
"""Channels that are computed together, of four columns."""

_UNROLLED = 9
"""As many chunks have functions of their own, without a loop: a ninth of the instructions less."""

_SHORT = 1 << 23
"""What sums of quads stay below, so that VQDMLAH takes 1 from negative ones with any shift."""


def columns(p: ConvParameters, weights: Array, bias: Array, count: int, at_once: int = 0) -> Fields:
    """Return a ``columns_t``; ``weights`` are ``[channels, depth]``.

    ``count`` columns are multiplied, or so, ``at_once`` of them if that is not 0.
    """
    channels, depth = weights.shape
    rounded = rounding(p, weights, bias)
    chunked = _chunked(weights)
    chunks = chunked.shape[1]
    fields: Fields = {
        "depth": depth,
        "channels": channels,
        "chunks": chunks,
        "scale": rounded.scale,
        "output": output(p),
    }
    is_short = np.abs(accumulator_reach(weights, bias, -128, 127)).max() < _SHORT
    if is_short and _goes_by_quads(rounded.way, channels, chunks, at_once or count):
        single = f"quads_single_{chunks}_{rounded.way.value}"
        alone: Fields = {"single": Name(single)} if count % 4 == 1 else {}
        return {**fields, "quads": {**_quads(p, rounded, chunked, depth), **alone}}
    order = _channels_of_blocks(channels, _BLOCK)
    way = rounded.way.value
    return {
        **fields,
        "blocks": len(order),
        # [blocks, 4, chunks, 16] to [blocks, chunks, 4, 16]
        "weights": Constant("weights", np.ascontiguousarray(chunked[order].swapaxes(1, 2))),
        "constants": Constant("constants", _constants(rounded, order)),
        "pairs": Name(f"columns_pairs_{chunks if chunks <= _UNROLLED else 0}_{way}"),
        "single": Name(f"columns_single_{way}"),
    }


def output(p: ConvParameters) -> Fields:
    """Return an ``output_t``."""
    return {"zero_point": p.output_offset, "low": p.low, "high": p.high}


def _channels_of_blocks(channels: int, size: int) -> Array:
    """Return the channels of each block: the last ends with the last channel."""
    first = np.arange(0, channels, size).clip(max=max(channels - size, 0))
    order: Array = (first[:, None] + np.arange(size)).clip(max=channels - 1)
    return order


def _goes_by_quads(way: Way, channels: int, chunks: int, count: int) -> bool:
    """Return whether four columns at a time take fewer instructions than two, and one left over."""
    if way is Way.CLAMP or chunks > _UNROLLED:
        return False
    more = 5 * (way is Way.ROUND)
    blocks = -(-channels // _PAIR)
    one = 15 + blocks * (5 * chunks + 12 + more)
    four = 20 + blocks * (14 * chunks + 11 + more)
    quads = 50 + count // 4 * four + (0, one, four + 20, four + 20)[count % 4]
    blocks = -(-channels // _BLOCK)
    pairs = 30 + count // 2 * (26 + blocks * (14 * chunks + 18 + more))
    single = 20 + blocks * (10 * chunks + 17 + more)
    if channels < _BLOCK:
        return quads < count * (single + 25)
    return quads < pairs + count % 2 * single


def _quads(p: ConvParameters, rounded: Rounding, chunked: Array, depth: int) -> Fields:
    """Return a ``quads_t``."""
    channels, chunks, _ = chunked.shape
    order = _channels_of_blocks(channels, _PAIR)
    addends, multipliers, shifts = rounded.constants
    steps = np.append(np.diff(order[:, 0]), -order[-1, 0] - 1)[:, None]
    words = [addends[order], multipliers[order], steps]
    constant = np.int32(rounded.scale)
    if rounded.way is Way.ROUND:
        words.append((shifts & 0xFF)[order])
        constant = np.full(2, p.output_offset, np.int16).view(np.int32)[0]
    stream = [chunked[order].swapaxes(1, 2).reshape(len(order), -1).view(np.int32), *words]
    return {
        "channels": channels,
        "first": depth - _LANES * (chunks - 1),
        "constant": int(constant),
        "stream": Constant("weights", np.hstack(stream).astype(np.int32)),
        "quads": Name(f"quads_{chunks}_{rounded.way.value}"),
    }


def _chunked(weights: Array) -> Array:
    """Return weights ``[channels, chunks, 16]``; what is left over makes the first chunk."""
    channels, depth = weights.shape
    chunks = -(-depth // _LANES)
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
