"""Weights as ``armv7em/block.h`` reads them.

A pair of channels is one stretch of a stream: where the two sums begin, the weights, and what turns
the sums into outputs; packed weights begin with a unit before the sums. Of a pair the second
channel is summed up 256-fold if the weights are packed (halfwords ``256 * b + a``), which asks for
``b >= -127`` where ``a < 0``, and for eight bits more.

Pairs that lie side by side and are rounded alike are a part. Most layers are one part; a channel
that has no line costs two more.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from harness.arithmetic import ConvParameters
from harness.ir.tensor import Array
from harness.kernels.armv7em.quantities import PACKED_BITS
from harness.kernels.armv7em.rounding import Rounding, Way, choose_rounding
from harness.kernels.call import Constant, Fields, Name, Structs
from harness.kernels.step_function import accumulator_reach

UNIT = 4
"""Values that the inner loop multiplies at a time."""

_UNIT_WORDS = 2
"""Of a pair of channels."""

UNROLLED = 8
"""Units of a round of the inner loop."""

LANES = 3
"""Pixels that the inner loop makes at a time."""

_MANY_PIXELS = 120
"""With as many, two lanes for what is left over would save at most 6 instructions in 1000."""

_FEW = 2
"""Pairs of channels that may be rounded otherwise than all others for the sake of flash."""

MAX_PARTS = 6
"""What an op may have: each part takes a call for every three pixels."""


def ordered(weights: Array, order: Sequence[int]) -> Array:
    """Return weights [channels, taps] in an order of taps, 0 where it says -1, in whole units."""
    taps = np.pad(weights, [(0, 0), (0, 1)])
    padding = [-1] * (-len(order) % UNIT)
    result: Array = taps[:, [*order, *padding]]
    return result


def filters(p: ConvParameters, weights: Array, bias: Array, pixels: int) -> Fields:
    """Return a ``filters_t`` of two channels or more; ``weights`` are in the order of the stream.

    ``pixels`` are made at a time, so some of them may be left over; 0 is not to mind.

    An odd last channel is made once more with the one before it.
    """
    even, units = len(weights) - len(weights) % 2, weights.shape[1] // UNIT
    channels = [*range(even), *([even - 1, even] if even < len(weights) else [])]
    weights, bias = weights[channels], bias[channels]
    reach = accumulator_reach(weights, bias, -128, 127)
    packed = can_be_packed(weights, reach)
    few = _FEW if 0 < pixels < _MANY_PIXELS else 0
    rounding = choose_rounding(
        p, channels, reach, packed=packed, group=2, brief=few if packed else None
    )
    parts = parts_of(rounding, even // 2)
    prefix = f"block_{'packed' if packed else 'plain'}"
    rows = list[Fields]()
    for position, (way, pairs) in enumerate(parts):
        stream = Constant(
            f"weights_{position}", _stream(weights, bias, packed, rounding, way, pairs)
        )
        block: Fields = (
            {} if way is Way.EXACT else {"block": Name(f"{prefix}_{rounding.name(way)}")}
        )
        if block and packed and not any(rounding.clamp) and is_rest_worth_it(pixels):
            block = {**block, "two_lanes": Name(f"block_two_{rounding.name(way)}")}
        rows.append(
            {
                **block,
                "first": channels[2 * pairs[0]],
                "dot": dot(stream, units - 1, 2 * len(pairs), rounding),
            }
        )
    return {
        "count": len(rows),
        "parts": Structs("parts", "part_t", tuple(rows)),
        **exactly(p, Name("make_channels_exactly"), Name(f"{prefix}_sums"), [w for w, _ in parts]),
    }


def is_rest_worth_it(pixels: int) -> bool:
    """Return whether pixels that are left over are worth functions of their own.

    These save a quarter of one block in ``pixels / 3``, for half a kilobyte.
    """
    return pixels % LANES > 0 and pixels < _MANY_PIXELS


def dot(stream: Constant, units: int, channels: int, rounding: Rounding) -> Fields:
    """Return a ``dot_t`` whose loop does ``units``; a round is left out whole if there are none."""
    loops = max(-(-units // UNROLLED), 1)
    return {
        "stream": stream,
        "skip": loops * UNROLLED - units,
        "loops": loops,
        "channels": channels,
        "point": rounding.point,
        "high": rounding.clamp[0] * 0x01010101,
        "low": rounding.clamp[1] * 0x01010101,
    }


def can_be_packed(weights: Array, reach: tuple[Array, Array]) -> bool:
    """Return whether weights fit together into halfwords, and sums with eight bits more."""
    halfwords = 256 * weights[1::2].astype(np.int64) + weights[::2]
    ends = np.abs(np.stack(reach)[:, 1::2])
    # A line may add an offset to the sums, which is proved to fit.
    return bool((halfwords >= -(1 << 15)).all() and (ends < 1 << (31 - PACKED_BITS)).all())


def halfwords(weights: Array, *, packed: bool) -> Array:
    """Return weights of pairs as int16 [pairs, values]."""
    w = weights.astype(np.int64)
    joined: Array = 256 * w[1::2] + (w[::2] if packed else w[::2] & 0xFF)
    return joined.astype(np.int16)


def starts(bias: Array, offsets: Array, *, packed: bool) -> Array:
    """Return where sums begin, [channels]."""
    start = bias.astype(np.int64)
    if packed:
        start[1::2] <<= PACKED_BITS
    start += offsets
    if packed:
        start[1::2] += start[::2]
    return start


def wrapped(values: Array) -> Array:
    """Return int64 as the int32 that the core makes of them."""
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def parts_of(rounding: Rounding, whole: int) -> list[tuple[Way, Sequence[int]]]:
    """Return runs of groups that are rounded alike; what is behind the whole ones is on its own.

    Where there would be too many, lines give way if groups can be rounded without; if that is not
    enough, all groups are left to C.
    """
    ways = rounding.ways
    simpler = (
        ways,
        [Way.ROUND if can else way for way, can in zip(ways, rounding.can_be_rounded, strict=True)],
        [Way.EXACT for _ in ways],
    )
    for candidate in simpler:
        alike = [(way, group < whole) for group, way in enumerate(candidate)]
        parts, first = list[tuple[Way, Sequence[int]]](), 0
        for (way, _), run in groupby(alike):
            end = first + len(list(run))
            parts.append((way, range(first, end)))
            first = end
        if len(parts) <= MAX_PARTS:
            return parts
    raise AssertionError("two parts at most")


def _stream(
    weights: Array,
    bias: Array,
    packed: bool,
    rounding: Rounding,
    way: Way,
    pairs: Sequence[int],
) -> Array:
    """Return the stream of some pairs as int32 [pairs, words]."""
    start = wrapped(starts(bias, rounding.starts(way), packed=packed)).reshape(-1, 2)
    words = np.ascontiguousarray(halfwords(weights, packed=packed)).view(np.int32)
    ends = wrapped(rounding.ends(way))
    before = _UNIT_WORDS if packed else 0
    parts = [words[:, :before], start, words[:, before:], ends]
    stream: Array = np.concatenate(parts, axis=1)[list(pairs)]
    return stream


def exactly(p: ConvParameters, function: Name, sums: Name, ways: Sequence[Way]) -> Fields:
    """Return what computes the channels that are left to C, if there are any."""
    if Way.EXACT not in ways:
        return {}
    table = Structs("exact", "channels_t", (exact_channels(p),))
    return {"exactly": function, "sums": sums, "exact": table}


def exact_channels(p: ConvParameters) -> Fields:
    """Return a ``channels_t`` without a bias, which the sums have."""
    multipliers = np.array([factor.multiplier for factor in p.multipliers], np.int32)
    shifts = np.array([factor.shift for factor in p.multipliers], np.int8)
    return {
        "multipliers": Constant("multipliers", multipliers),
        "shifts": Constant("shifts", shifts),
        "factor_step": 1,
        "has_left_shifts": int((shifts >= 0).any()),
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }
