"""The reference's rescaling as what it is from outside: a step function of the accumulator.

``y = clamp(rescale(accumulator, factor) + zero_point, low, high)`` never falls as the accumulator
rises, or with a negative factor never rises, so at most 255 thresholds say all of it. Both
roundings can be undone exactly, which gives them without a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.arithmetic import Multiplier
from harness.arithmetic.fixed_point import INT32_MAX, INT32_MIN, Raw, rescale_channels
from harness.ir.tensor import Array

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class StepFunctions:
    """One function a channel: each array has one element a channel.

    Where the factor is negative, ``sign`` is -1, and ``least`` and ``most`` bound the negated
    accumulator: of that, every function rises. ``right`` and ``left`` are the factors' shifts.
    """

    factors: tuple[Multiplier, ...]
    zero_point: int
    low: int
    high: int
    sign: Raw
    left: Raw
    right: Raw
    least: Raw
    most: Raw

    @property
    def slopes(self) -> npt.NDArray[np.float64]:
        """The factors, less their signs."""
        return np.array([abs(factor.real) for factor in self.factors])

    @property
    def outputs(self) -> Raw:
        """The outputs above ``low``, each of which has a threshold, as a column."""
        return np.arange(self.low + 1, self.high + 1, dtype=np.int64)[:, None]

    def reference(self, accumulators: Raw) -> Raw:
        """Return the outputs of accumulators [..., channels]."""
        scaled = rescale_channels(accumulators, self.factors)
        clamped: Raw = np.clip(scaled + self.zero_point, self.low, self.high)
        return clamped

    def thresholds(self) -> Raw:
        """Return the least accumulator [outputs, channels], times ``sign``, that gives each output.

        One that lies beyond the reach is cut to its end, or to one above it.
        """
        multiplier = np.array([max(abs(f.multiplier), 1) for f in self.factors], np.int64)
        output = self.outputs - self.zero_point
        half = (np.int64(1) << self.right) >> 1
        rounded = (output << self.right) - half + ((output <= 0) & (half > 0))
        rounded = np.clip(rounded, INT32_MIN, INT32_MAX)
        shifted = -((-(rounded << 31) + (1 << 30)) // multiplier)
        thresholds: Raw = np.clip(-((-shifted) >> self.left), self.least, self.most + 1)
        return thresholds

    def samples(self) -> tuple[Raw, Raw, Flags]:
        """Return accumulators that tell two monotone functions apart, and the outputs there.

        These are both ends of the reach, then both sides of each threshold. The flags say in which
        channels the outputs do step at the thresholds, so that these are all.
        """
        ends, thresholds, outputs = (
            np.stack([self.least, self.most]),
            self.thresholds(),
            self.outputs,
        )
        sides = np.clip(thresholds - 1, *ends), np.clip(thresholds, *ends)
        points = np.concatenate([ends, *sides]) * self.sign
        expected = self.reference(points)
        below, above = expected[2 : 2 + len(outputs)], expected[2 + len(outputs) :]
        stepped = (below < outputs) | (thresholds <= self.least)
        stepped &= (above >= outputs) | (thresholds > self.most)
        complete: Flags = stepped.all(axis=0) & self.are_narrow()
        return points, expected, complete

    def are_constant(self) -> Flags:
        """Return which channels have one output for all accumulators."""
        first, last = self.reference(np.stack([self.least, self.most]) * self.sign)
        constant: Flags = (first == last) & self.are_narrow()
        return constant

    def are_narrow(self) -> Flags:
        """Return where no left shift leaves 32 bits: else the function is not monotone."""
        return are_int32(self.least << self.left, self.most << self.left)


def step_functions(
    factors: Sequence[Multiplier],
    zero_point: int,
    low: int,
    high: int,
    reach: tuple[Array, Array],
) -> StepFunctions:
    """Return the step functions of channels; ``reach`` is the least and greatest accumulators."""
    sign = np.array([-1 if factor.multiplier < 0 else 1 for factor in factors], np.int64)
    ends = np.broadcast_to(np.asarray(reach, np.int64), (2, len(factors)))
    least, most = np.sort(sign * ends, axis=0)
    left, right = np.array([(f.left, f.right) for f in factors], np.int64).T
    return StepFunctions(tuple(factors), zero_point, low, high, sign, left, right, least, most)


def accumulator_reach(weights: Array, bias: Array, low: int, high: int) -> tuple[Raw, Raw]:
    """Return the least and the greatest accumulator of each channel.

    ``weights`` is [channels, taps]; ``low`` and ``high`` bound the input less its zero point. A
    padded cell counts as 0, whether that is between them or not.
    """
    w = weights.astype(np.int64)
    up, down = np.maximum(w, 0).sum(axis=1), np.minimum(w, 0).sum(axis=1)
    low, high = min(low, 0), max(high, 0)
    return bias + up * low + down * high, bias + up * high + down * low


def are_int32(*values: Raw) -> Flags:
    """Return where all of several arrays of the same shape hold values that fit 32 bits."""
    fits = [(value >= INT32_MIN) & (value <= INT32_MAX) for value in values]
    flags: Flags = np.logical_and.reduce(fits)
    return flags
