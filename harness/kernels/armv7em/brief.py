"""Two words for all that rounds a pair of channels whose weights are packed.

A line needs a multiplier and an addend. Nearly any addend will do for the second channel of a pair,
whose sums are 256 times as large, so that an offset makes up for it; and for the first one it need
only be one of a few hundred. So the last bits of the second multiplier are the addend, too: they
may be any of those few hundred as long as the offset goes with them. They are so many that addend
and offset of the first channel are large. The last bits of its own multiplier then move its line up
and down, finely and almost without tilting it.

Channels that are rounded as the reference does it have their shift, less one, in the last four bits
of the multiplier. That moves the product by less than 2^-11 of a step of the sum, for sums up to
2^16, and whether it matters is seen at the outputs' thresholds; where it does, a multiplier that is
16 or 32 off may do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from harness.arithmetic import Multiplier
from harness.arithmetic.fixed_point import INT32_MAX, Raw
from harness.ir.tensor import Array
from harness.kernels.requantization import Lines, base_offsets, shifts_to_try
from harness.kernels.short_form import Layer, checked, each_scale
from harness.kernels.step_function import Flags, StepFunctions, step_functions

ADDEND_BITS = 22
"""How many bits of the second multiplier are the addend: ``ADDEND_BITS`` of block.h."""

SHIFT_BITS = 4
"""How many bits of a multiplier are the shift."""

SECOND_BITS = 8
"""By how many bits the sums of the second channels are larger, and their lines shifted more."""

_TILTS = sorted({*range(-32, 33), *range(-192, 193, 4)}, key=abs)
_SECOND_TILTS = sorted(range(-384, 385), key=abs)
"""By how much the multipliers may leave the real factors."""

_TRIES = 8
"""Addends of a first channel that its second is asked for, for each tilt."""

_Reach = tuple[Array, Array]
_Asked = tuple[tuple[Multiplier, ...], tuple[int, int, int], tuple[bytes, bytes]]
"""Factors; zero point, low and high; and reach."""


def asked(factors: list[Multiplier], zero_point: int, low: int, high: int, reach: _Reach) -> _Asked:
    """Return what is asked of channels as something to remember the answer by."""
    least, most = (np.asarray(end, np.int64).tobytes() for end in reach)
    return tuple(factors), (zero_point, low, high), (least, most)


def shifts_of_pairs(of_channels: _Asked) -> list[int]:
    """Return shifts to try for the lines of all channels, the largest that suits all first."""
    channels = _steps(of_channels)
    return shifts_to_try(channels, each_scale(0, channels))


@lru_cache(maxsize=512)  # the cases of a sweep have models in common
def lines_of_pairs(of_first: _Asked, of_second: _Asked, shift: int) -> tuple[Layer, Layer]:
    """Return lines of both channels of pairs, whose addends are in the second multipliers."""
    first, second = _Half(_steps(of_first), 0, shift), _Half(_steps(of_second), SECOND_BITS, shift)
    slopes, near = first.slopes(), second.slopes()
    multipliers = np.maximum(near + np.array(_SECOND_TILTS)[:, None], 1)
    candidates = (multipliers * second.channels.sign) & ((1 << ADDEND_BITS) - 1)
    is_open = np.ones_like(multipliers, np.bool_)  # for all that is known of the second channel
    found = np.zeros((2, 2, len(slopes)), np.int64)  # multipliers and offsets of both
    addends, solved = np.zeros(len(slopes), np.int64), (slopes == 0) | (near == 0)
    taken = np.zeros_like(solved)
    for tilt in _TILTS:
        lines = first.lines(np.flatnonzero(~solved), slopes + tilt)
        hits = lines.goes_with(candidates) & is_open[:, lines.some]
        for _ in range(_TRIES):
            rows, at = np.flatnonzero(hits.any(axis=0)), hits.argmax(axis=0)
            if not rows.size:
                break
            at = at[rows]
            pairs = lines.some[rows]
            others = second.lines(pairs, multipliers[at, pairs], each=True)
            addend = candidates[at, pairs]
            good = others.goes_with(addend)
            found[0, :, pairs[good]] = lines.of(rows, addend)[good]
            found[1, :, pairs[good]] = others.of(np.arange(len(pairs)), addend)[good]
            addends[pairs[good]], taken[pairs[good]] = addend[good], True
            is_open[at[~good], pairs[~good]] = False
            hits[at, rows] = False
            hits[:, rows[good]] = False
        solved |= taken
    layers = [
        half.proved(numbers, addends, taken)
        for half, numbers in zip((first, second), found, strict=True)
    ]
    return layers[0], layers[1]


@lru_cache(maxsize=512)
def rounded(of_channels: _Asked, point: int) -> tuple[Raw, Flags]:
    """Return multipliers whose last bits are the shift less one, and where they are exact.

    ``point`` is the zero point and half a unit, doubled.
    """
    channels = _steps(of_channels)
    points, expected, complete = channels.samples()
    size, shifts = 1 << SHIFT_BITS, np.maximum(channels.right, 1) - 1
    exact = np.array([factor.multiplier for factor in channels.factors], np.int64)
    multipliers, todo = exact.copy(), np.flatnonzero(complete & (shifts < size))
    for off in sorted(range(-8, 9), key=abs):
        shift = shifts[todo]
        near = exact[todo] + off * size + (shift - exact[todo] + size // 2) % size - size // 2
        sums = points[:, todo]
        # What the core does, which is monotone as the reference is.
        high = (2 * sums * near + (1 << 31)) >> 32
        outputs = np.clip((high + (point << shift) - (sums < 0)) >> shift >> 1, -128, 127)
        outputs = np.clip(outputs, channels.low, channels.high)
        good = (outputs == expected[:, todo]).all(axis=0) & (near >= 0) & (near <= INT32_MAX)
        multipliers[todo[good]] = near[good]
        todo = todo[~good]
        if not todo.size:
            break
    solved = complete & (shifts < size)
    solved[todo] = False
    return multipliers, solved


def _steps(channels: _Asked) -> StepFunctions:
    factors, clamp, (least, most) = channels
    return step_functions(
        factors, *clamp, (np.frombuffer(least, np.int64), np.frombuffer(most, np.int64))
    )


@dataclass(frozen=True, eq=False)
class _Half:
    """The first or the second channels of pairs; their sums are larger by ``scale`` bits."""

    channels: StepFunctions
    scale: int
    before: int

    @cached_property
    def _all(self) -> Lines:
        c, scales = self.channels, each_scale(self.scale, self.channels)
        none = np.zeros_like(c.sign)
        return Lines(c, c.thresholds(), scales, base_offsets(c, scales), self.shift, none)

    @property
    def shift(self) -> int:
        """How far lines are shifted."""
        return self.before + self.scale

    def slopes(self) -> Raw:
        """Return the multiplier that comes nearest to each factor; 0 where it leaves 32 bits."""
        exact = np.ldexp(self.channels.slopes, self.before + 32)
        fits = exact < INT32_MAX - _SECOND_TILTS[-1]
        return np.rint(np.where(fits, exact, 0)).astype(np.int64)

    def lines(self, some: npt.NDArray[np.intp], multipliers: Raw, *, each: bool = False) -> _Lines:
        """Return the lines of some channels with given multipliers, in ``each`` case or of all.

        Channels that no line passes at all are left out, unless it is ``each`` one that is asked.
        """
        asked = np.maximum(multipliers if each else multipliers[some], 1)
        lowest, highest = self._all.intercepts(some, asked)
        keep = (lowest <= highest) | each
        point = self.channels.zero_point << self.shift
        return _Lines(some[keep], asked[keep], lowest[keep], highest[keep], point)

    def proved(self, numbers: Raw, addends: Raw, solved: Flags) -> Layer:
        """Return the layer of such lines that are exact."""
        sign, base = self.channels.sign, self._all.base
        multipliers, offsets = numbers
        layer = Layer(
            self.shift,
            multipliers * sign,
            addends,
            (offsets + base * solved) * sign,
            np.zeros_like(sign),
            solved=solved,
            clamps=False,
        )
        return checked(self.channels, layer, self._all.scale)


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Lines of some channels, whose multipliers are given: their intercepts are in a range."""

    some: npt.NDArray[np.intp]
    multipliers: Raw
    lowest: Raw
    highest: Raw
    point: int

    def _offsets(self, rows: npt.NDArray[np.intp], addends: Raw) -> tuple[Raw, Raw]:
        """Return the first and the last offset that go with addends."""
        given = ((addends - self.point) << 32) + (1 << 31)
        first = -((given - self.lowest[rows]) // self.multipliers[rows])
        return first, (self.highest[rows] - given) // self.multipliers[rows]

    def goes_with(self, addends: Raw) -> Flags:
        """Return whether there is an offset; of more addends than one [n, all channels]."""
        rows = np.arange(len(self.some))
        first, last = self._offsets(rows, addends if addends.ndim == 1 else addends[:, self.some])
        flags: Flags = first <= last
        return flags

    def of(self, rows: npt.NDArray[np.intp], addends: Raw) -> Raw:
        """Return multipliers and the offsets nearest to 0, [rows, 2]."""
        offsets = np.clip(0, *self._offsets(rows, addends))
        numbers: Raw = np.stack([self.multipliers[rows], offsets], axis=1)
        return numbers
