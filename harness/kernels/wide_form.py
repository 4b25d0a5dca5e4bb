"""The shortest exact way from an accumulator to an int8 output without SMMLAR.

Where the high word of a product is made of parts, a constant can be added below it for nothing::

    t = (x * multiplier + intercept * 2^16) / 2^32 + addend     two or four multiplications
    y = clamp(t >> shift, low, high)

``intercept``, less ``step`` where x is negative, is one of each channel; ``addend`` serves all. It
has 16 bits below the point of t, enough to hit every threshold without an offset of the
accumulator. The rest is as in ``requantization.py``, and the proof as in ``short_form.py``.

With ARMv7-M one SMLAL computes it. With ARMv6-M, which multiplies 32 bits by 32 to 32, halves of x
and of the multiplier are multiplied; so that their sums fit, both stay below 2^30 and 2^27.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.arithmetic import Multiplier
from harness.arithmetic.fixed_point import INT32_MAX, INT32_MIN, Raw
from harness.ir.tensor import Array
from harness.kernels.step_function import Flags, StepFunctions, are_int32, step_functions

_MOST_MULTIPLIER = 1 << 30
_MOST_ACCUMULATOR = 1 << 27
_MOST_INTERCEPT = 1 << 29
_MAX_SHIFT = 14
"""With it the accumulator of a frozen channel is small enough."""

_FROZEN_BITS = 28
"""The multiplier of a frozen channel is this power of two."""

_TILTS = sorted(range(-24, 25), key=abs)
"""By how much the multiplier may leave the real factor, which moves intercepts on their grid."""

_BEYOND = 1 << 62


@dataclass(frozen=True, slots=True, eq=False)
class WideForm:
    """What all channels need; arrays are int64, one element a channel, and fit 32 bits.

    A channel that is ``frozen`` has one output, whatever its input: its accumulator is to be the
    one in ``biases``, as if its weights were 0.
    """

    shift: int
    addend: int
    multipliers: Raw
    intercepts: Raw
    steps: Raw
    frozen: Flags
    biases: Raw


def wide_form(
    factors: Sequence[Multiplier], zero_point: int, low: int, high: int, reach: tuple[Array, Array]
) -> WideForm | None:
    """Return the form of all channels, None if any has none.

    ``reach`` has the least and the greatest accumulator of each channel.
    """
    channels = step_functions(factors, zero_point, low, high, reach)
    varying = ~channels.are_constant()
    slopes = np.maximum(channels.slopes, 2.0**-62)
    ends = np.maximum(np.abs(channels.least), np.abs(channels.most)) * slopes
    by_multiplier = np.floor(np.log2((_MOST_MULTIPLIER - 8) / slopes)) - 32
    by_sum = np.floor(np.log2(INT32_MAX / (ends + 258)))
    shift = int(np.minimum(by_multiplier, by_sum)[varying].min(initial=_MAX_SHIFT))
    return _solve(channels, shift) if shift > 0 else None


def evaluate(form: WideForm, accumulators: Raw) -> Raw:
    """Return ``t`` of accumulators [..., channels]."""
    intercepts = form.intercepts - np.where(accumulators < 0, form.steps, 0)
    high: Raw = (accumulators * form.multipliers + (intercepts << 16)) >> 32
    return high + form.addend


def _solve(channels: StepFunctions, shift: int) -> WideForm | None:
    """Return the form under a shift: with steps only in channels that have none without."""
    constant = channels.are_constant()
    thresholds = channels.thresholds()
    turn = shift - channels.right + 16
    turns = np.where(turn >= 0, 1 << np.maximum(turn, 0), 0)
    slope = np.rint(np.ldexp(channels.slopes, shift + 32)).clip(0, _MOST_MULTIPLIER).astype(int)
    addend = (channels.zero_point << shift) + (1 << (shift - 1))
    multiplier, intercept, step = np.zeros((3, len(slope)), np.int64)
    todo = np.flatnonzero(~constant)
    for with_steps in (False, True):
        for tilt in _TILTS:
            a = np.maximum(slope[todo] + tilt, 0)
            steps = turns[todo] if with_steps else np.zeros_like(a)
            lowest, highest = _window(channels, thresholds, shift, todo, a, steps)
            middle = ((lowest >> 1) + (highest >> 1) + (1 << 15)) >> 16
            hit = (middle << 16 >= lowest) & (middle << 16 <= highest)
            multiplier[todo[hit]], step[todo[hit]] = a[hit], steps[hit]
            intercept[todo[hit]] = middle[hit]
            todo = todo[~hit]
    if todo.size:
        return None
    value = channels.reference(channels.least * channels.sign)
    form = WideForm(
        shift,
        addend,
        np.where(constant, 1 << _FROZEN_BITS, multiplier * channels.sign),
        # A falling line has its step on the other side of zero.
        intercept - np.where(channels.sign < 0, step, 0),
        step * channels.sign,
        constant,
        np.where(constant, (value - channels.zero_point) << (shift + 32 - _FROZEN_BITS), 0),
    )
    return form if prove(channels, form).all() else None


def _window(
    channels: StepFunctions, thresholds: Raw, shift: int, some: Raw, multiplier: Raw, step: Raw
) -> tuple[Raw, Raw]:
    """Return the interval of intercepts, times 2^16, whose lines pass all thresholds."""
    at, output = thresholds[:, some], channels.outputs - channels.zero_point
    sums = (output << (shift + 32)) - (1 << (shift + 31)) + np.where(output <= 0, step << 16, 0)
    reached, passed = at <= channels.most[some], at > channels.least[some]
    lowest = np.where(reached, sums - at * multiplier, -_BEYOND).max(axis=0, initial=-_BEYOND)
    before = (at - 1) * multiplier
    highest = np.where(passed, sums - 1 - before, _BEYOND).min(axis=0, initial=_BEYOND)
    return lowest, highest


def prove(channels: StepFunctions, form: WideForm) -> Flags:
    """Return for which channels the form equals the reference for every reachable accumulator.

    They are compared at the ends and on both sides of every threshold; between those both are
    monotone, as long as nothing leaves 32 bits, the parts of a product made of halves included.
    """
    points, expected, complete = channels.samples()
    points = np.where(form.frozen, form.biases, points)
    sums = evaluate(form, points)
    actual = np.clip(sums >> form.shift, channels.low, channels.high)
    sign = np.where(form.frozen, 1, channels.sign)
    rising = (form.multipliers * sign >= 0) & (form.steps * sign >= 0)
    fits = are_int32(*sums[:2]) & (np.abs(points[:2]).max(axis=0) < _MOST_ACCUMULATOR)
    fits &= np.abs(form.intercepts) + np.abs(form.steps) < _MOST_INTERCEPT
    fits &= np.abs(form.multipliers) < _MOST_MULTIPLIER
    proved: Flags = (expected == actual).all(axis=0) & complete & rising & fits
    return proved & bool(INT32_MIN <= form.addend <= INT32_MAX)
