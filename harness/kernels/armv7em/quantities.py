"""What decides over the rounding of channels, and the questions that it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.arithmetic import ConvParameters, Multiplier
from harness.ir.tensor import Array
from harness.kernels.armv7em.brief import asked, lines_of_pairs, rounded, shifts_of_pairs
from harness.kernels.requantization import solve_layer
from harness.kernels.shared_addend import forms_with_addends
from harness.kernels.short_form import Layer
from harness.kernels.step_function import Flags

PACKED_BITS = 8
"""By how many bits the sums of the second channel of a pair are larger if weights are packed."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantities:
    """What decides over the rounding of channels: factors, reach, and how far outputs go up.

    Sums are larger than what is reached by ``scale`` bits.
    """

    p: ConvParameters
    channels: Sequence[int]
    reach: tuple[Array, Array]
    packed: bool
    up: int
    scale: int = 0

    @property
    def every(self) -> Flags:
        """All channels."""
        return np.ones(len(self.channels), np.bool_)

    @property
    def second(self) -> Flags:
        """Which channels are the second of a pair whose sums are larger."""
        odd: Flags = (np.arange(len(self.channels)) % 2 == 1) & self.packed
        return odd

    @property
    def point(self) -> int:
        """The zero point and half a unit, doubled."""
        return 2 * (self.p.output_offset + self.up) + 1

    def solve(self, some: Flags, shift: int | None, nth: int) -> Layer | None:
        """Return the lines of some channels, or the ``nth`` of those that there are."""
        return solve_layer(*self._asked(some), scale=self.scale, shift=shift, steps=False, nth=nth)

    def follow(self, some: Flags, addends: Array, shift: int) -> Layer:
        """Return the lines of some channels whose sums are larger, and whose addends are given."""
        return forms_with_addends(*self._asked(some), addends, scale=PACKED_BITS, shift=shift)

    def brief_shifts(self) -> list[int]:
        """Return shifts to try for brief lines, the best first."""
        return shifts_of_pairs(asked(*self._asked(self.every)))

    def brief_lines(self, shift: int) -> tuple[Layer, Layer]:
        """Return brief lines of the first and the second channels of pairs."""
        first, second = (asked(*self._asked(some)) for some in (~self.second, self.second))
        return lines_of_pairs(first, second, shift)

    def brief_rounds(self) -> tuple[Array, Flags]:
        """Return brief multipliers that round each channel, and where they are exact."""
        return rounded(asked(*self._asked(self.every)), self.point)

    def _asked(self, some: Flags) -> tuple[list[Multiplier], int, int, int, tuple[Array, Array]]:
        """Return factors, zero point, low, high and reach of some channels."""
        return (
            [self.p.multipliers[self.channels[i]] for i in np.flatnonzero(some).tolist()],
            self.p.output_offset + self.up,
            self.p.low + self.up,
            self.p.high + self.up,
            (self.reach[0][some], self.reach[1][some]),
        )

    def rounds(self) -> Array:
        """Return the numbers that round each channel: multiplier and shift."""
        factors = [self.p.multipliers[channel] for channel in self.channels]
        shifts = np.array([max(factor.right, 1) for factor in factors], np.int64)
        multipliers = np.array([factor.multiplier for factor in factors], np.int64)
        return np.stack([multipliers, shifts])

    def can_be_rounded(self) -> Flags:
        """Return which channels these numbers are exact for: nothing leaves 32 bits."""
        factors = [self.p.multipliers[channel] for channel in self.channels]
        regular = [f.multiplier == 0 or (f.multiplier > 0 and f.right > 0) for f in factors]
        addends = self.point << (self.rounds()[1] - 1)
        most = np.abs(np.stack(self.reach)).max(axis=0)
        flags: Flags = np.array(regular) & (most < 1 << 30) & (most + np.abs(addends) < 1 << 31)
        return flags
