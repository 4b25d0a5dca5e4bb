"""Short forms whose addends are given, so that several channels can share one.

Where the kernel's accumulator is larger than the sum it stands for, offsets move a line by less
than a step of the sum: one of them mostly does what an addend of the channel's own would do
(``requantization.py``). Where none does, a multiplier that leaves the real factor by a little asks
for another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from harness.arithmetic import Multiplier
from harness.arithmetic.fixed_point import INT32_MAX
from harness.ir.tensor import Array
from harness.kernels.requantization import Lines, base_offsets
from harness.kernels.short_form import Layer, checked, each_scale
from harness.kernels.step_function import step_functions

_TILTS = sorted({*range(-8, 9), *range(-192, 193, 2)}, key=abs)
"""By how much the multiplier may leave the real factor."""


def forms_with_addends(
    factors: Sequence[Multiplier],
    zero_point: int,
    low: int,
    high: int,
    reach: tuple[Array, Array],
    addends: Array,
    *,
    scale: int,
    shift: int,
) -> Layer:
    """Return forms without steps of as many channels as can be, with the addends that are given.

    The arguments are those of ``solve_layer``.
    """
    return _forms_with_addends(
        tuple(factors),
        (zero_point, low, high),
        tuple(np.asarray(end, np.int64).tobytes() for end in reach),
        addends.astype(np.int64).tobytes(),
        scale,
        shift,
    )


@lru_cache(maxsize=512)  # the cases of a sweep have models in common
def _forms_with_addends(
    factors: tuple[Multiplier, ...],
    clamp: tuple[int, int, int],
    reach: tuple[bytes, ...],
    given_addends: bytes,
    scale: int,
    shift: int,
) -> Layer:
    least, most = (np.frombuffer(end, np.int64) for end in reach)
    addends = np.frombuffer(given_addends, np.int64)
    channels = step_functions(factors, *clamp, (least, most))
    bits = each_scale(scale, channels)
    exact = np.ldexp(channels.slopes, shift + 32 - scale)
    fits = exact < INT32_MAX - max(_TILTS)
    slope = np.rint(np.where(fits, exact, 0)).astype(np.int64)
    base, none = base_offsets(channels, bits), np.zeros_like(slope)
    lines = Lines(channels, channels.thresholds(), bits, base, shift, none)
    # Lines leave out the zero point, and round.
    given = ((addends - (channels.zero_point << shift)) << 32) + (1 << 31)
    multipliers, offsets, todo = none.copy(), none.copy(), np.flatnonzero(fits)
    for tilt in _TILTS:
        multiplier = np.maximum(slope[todo] + tilt, 1)
        lowest, highest = lines.intercepts(todo, multiplier)
        first = -((given[todo] - lowest) // multiplier)
        last = (highest - given[todo]) // multiplier
        hit = first <= last
        multipliers[todo[hit]] = multiplier[hit]
        offsets[todo[hit]] = np.clip(0, first, last)[hit]
        todo = todo[~hit]
        if not todo.size:
            break
    fits[todo] = False
    layer = Layer(
        shift,
        np.where(fits, multipliers * channels.sign, 0),
        addends,
        np.where(fits, (offsets + base) * channels.sign, 0),
        none,
        solved=fits,
        clamps=False,
    )
    return checked(channels, layer, bits)
