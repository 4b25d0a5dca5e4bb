"""How sums become outputs: by a line where one is exact, else as the reference rounds.

A *line* needs one multiplication and no shift of its own for each channel:

    t = addend + sum * scale               VMLA or VMLAS: the scale is a power of two
    t = (t * multiplier + 2^30) / 2^31     VQRDMULH
    y = saturate8(t / 2^16)                VSRI, VQMOVN: what is left saturates like int8

The addend holds the bias, the zero point, half an output, and the fraction of a step by which the
reference's first rounding moves its thresholds (``step_function.py``). It is one number only where
outputs are on one side of the zero point, as a ReLU leaves them: halves go away from zero. All
other layers are rounded like the reference, with a shift for each channel.

VSRI takes the upper halves of two vectors together, which for lines are outputs, VSLI the lower
ones, which after rounding are, if sums cannot reach more: it takes no instruction to saturate them.

A line is proved, not trusted: both functions are monotone, so they are equal over what sums can
reach if they are equal at its ends and on both sides of every threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from harness.arithmetic import ConvParameters
from harness.arithmetic.fixed_point import INT32_MAX, Raw
from harness.ir.tensor import Array
from harness.kernels.step_function import (
    Flags,
    StepFunctions,
    accumulator_reach,
    are_int32,
    step_functions,
)

FRACTION = 16
"""Bits that are cut off."""

_CHANGES = (0, *(sign << bit for bit in range(3, 14) for sign in (1, -1)))
"""By how much multipliers may leave the real factor. That turns a line about its middle, where the
addends that are exact then are other fractions of a step: few channels need it."""

_FINER = 3
"""How many scales are tried, each twice the one before."""

_NARROW = (1 << 15) - 2
"""What outputs stay below so that they fit 16 bits however they are rounded."""

_BEYOND = 1 << 62


class Way(Enum):
    """How sums are rounded; the value is part of C names. Those of ROUND are narrow: 16 bits."""

    LINE = "line"
    ROUND = "round"
    CLAMP = "clamp"
    SHIFT = "shift"


@dataclass(frozen=True, slots=True, eq=False)
class Rounding:
    """How a layer is rounded: addends, multipliers, and shifts or a line's scales [3, channels]."""

    way: Way
    constants: Array

    @property
    def scale(self) -> int:
        """What all sums are multiplied with; it is 1 unless they make lines."""
        return int(self.constants[2, 0]) if self.way is Way.LINE else 1


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


def rounding(p: ConvParameters, weights: Array, bias: Array, *, one_scale: bool = True) -> Rounding:
    """Return how sums of ``weights`` [channels, taps] and int8 are rounded, if they can be.

    ``one_scale`` says that the lines of all channels must have the same.
    """
    line = _line(p, weights, bias, one_scale) if is_rectified(p) else None
    if line is not None:
        return line
    way = Way.ROUND if is_narrow(p, weights, bias) else Way.CLAMP
    return Rounding(way, rescaling(p, bias))


def is_narrow(p: ConvParameters, weights: Array, bias: Array) -> bool:
    """Return whether there is a line or sums can be rounded so that 16 bits hold them.

    The activation must leave all of int8, and all outputs without the zero point be that short.
    """
    if (p.low, p.high) != (-128, 127):
        return False
    reach = np.abs(accumulator_reach(weights, bias, -128, 127)).max(axis=0)
    return bool((reach * [abs(factor.real) for factor in p.multipliers] < _NARROW).all())


def rescaling(p: ConvParameters, bias: Array) -> Array:
    """Return the bias, multiplier and shift of each channel [3, channels], as the reference has."""
    multipliers = [factor.multiplier for factor in p.multipliers]
    shifts = [factor.shift for factor in p.multipliers]
    return np.array([bias, multipliers, shifts], np.int32)


def _line(p: ConvParameters, weights: Array, bias: Array, one_scale: bool) -> Rounding | None:
    """Return lines for all channels, or None if one of them has none."""
    reach = accumulator_reach(weights, bias, -128, 127)
    channels = step_functions(p.multipliers, p.output_offset, p.low, p.high, reach)
    exponents = np.frexp(channels.slopes)[1].astype(np.int64)
    exponents = np.full_like(exponents, exponents.max()) if one_scale else exponents
    for finer in range(_FINER):
        bits = (exponents + FRACTION + finer).clip(0, 30)
        multipliers, addends, solved = _numbers(channels, bits)
        # The bias is part of the accumulators that were proved, but not of the kernel's sums.
        addends += bias.astype(np.int64) << bits
        if (solved & are_int32(addends)).all():
            return Rounding(Way.LINE, np.array([addends, multipliers, 1 << bits], np.int32))
    return None


def _numbers(channels: StepFunctions, bits: Raw) -> tuple[Raw, Raw, Flags]:
    """Return the multiplier and the addend of each channel, and for which there are any."""
    exact = np.rint(np.ldexp(channels.slopes, (31 + FRACTION - bits).astype(int))).astype(np.int64)
    multipliers, addends = np.zeros((2, len(exact)), np.int64)
    solved = np.zeros(len(exact), np.bool_)
    for change in _CHANGES:
        tried = np.clip(exact + change, 1, INT32_MAX)
        tried_addends = _addends(channels, tried, bits)
        tried *= channels.sign
        proved = _proved(channels, tried, tried_addends, bits) & ~solved
        multipliers[proved], addends[proved] = tried[proved], tried_addends[proved]
        solved |= proved
        if solved.all():
            break
    return multipliers, addends, solved


def _addends(channels: StepFunctions, multipliers: Raw, bits: Raw) -> Raw:
    """Return the middle of the addends with which every threshold lies on the right side.

    Accumulators are negated where factors are negative, and addends with them.
    """
    thresholds = channels.thresholds()
    sums = (channels.outputs << FRACTION << 31) - (1 << 30)
    at = sums - (thresholds << bits) * multipliers
    reached, passed = thresholds <= channels.most, thresholds > channels.least
    lowest = np.where(reached, at, -_BEYOND).max(axis=0, initial=-_BEYOND)
    before = at - 1 + (multipliers << bits)
    highest = np.where(passed, before, _BEYOND).min(axis=0, initial=_BEYOND)
    middle = np.maximum(lowest, -_BEYOND) // 2 + np.minimum(highest, _BEYOND) // 2
    addends: Raw = middle // multipliers * channels.sign
    return addends


def _proved(channels: StepFunctions, multipliers: Raw, addends: Raw, bits: Raw) -> Flags:
    """Return for which channels the line equals the reference for all accumulators in reach."""
    points, expected, complete = channels.samples()
    sums = (points << bits) + addends
    high = (np.clip(sums, -(1 << 31), INT32_MAX) * multipliers + (1 << 30)) >> 31
    actual = np.clip(high >> FRACTION, -128, 127)
    proved: Flags = (actual == expected).all(axis=0) & complete & are_int32(*sums[:2])
    return proved
