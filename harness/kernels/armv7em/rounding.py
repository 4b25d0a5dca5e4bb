"""How sums become outputs in ``armv7em/block.h``, the cheapest exact way for each channel.

A *line* is one multiplication, one addition and one saturating shift, whose numbers
:mod:`harness.kernels.requantization` finds and proves. *Round* does what TensorFlow Lite Micro
does: a doubling high multiply, and a shift that rounds halves away from zero. Both leave out the
clamp where the activation leaves all of int8; else outputs are shifted up to where saturation is
the upper clamp, and come down again by a saturating subtraction. What neither can do (negative
factors, left shifts, clamps to less than half of int8) is left to C.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from harness.arithmetic import ConvParameters
from harness.ir.tensor import Array
from harness.kernels.requantization import Layer, solve_layer
from harness.kernels.step_function import Flags

PACKED_BITS = 8
"""By how many bits the sums of the second channel of a pair are larger if weights are packed."""

PACKED_SHIFT = 7
"""By how many bits its line is shifted more: its multiplier then has a bit more to be exact."""

_MAX_SHIFT = 15
"""Of the lines that block.h has."""

_SHIFTS_TRIED = 3


class Way(Enum):
    """How a group of channels is rounded; the value is part of C names."""

    LINE = "line"
    ROUND = "round"
    EXACT = "exact"


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Lines under one shift: multipliers and addends [2, channels], what is added to sums, and for
    which channels there is one."""

    shift: int
    numbers: Array
    offsets: Array
    solved: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Rounding:
    """How channels are rounded: a way for each group of them, and the numbers of each channel.

    ``rounds`` are multipliers, addends and shifts [3, channels]. ``clamp`` is what outputs lose,
    saturating, and gain again.
    """

    ways: tuple[Way, ...]
    lines: Lines
    rounds: Array
    clamp: tuple[int, int]

    def starts(self, way: Way) -> Array:
        """Return what is added to the sums of channels."""
        offsets = self.lines.offsets
        return offsets if way is Way.LINE else np.zeros_like(offsets)

    def ends(self, way: Way) -> Array:
        """Return what a stream has behind the weights, [parts, channels]."""
        match way:
            case Way.LINE:
                return self.lines.numbers
            case Way.ROUND:
                return self.rounds
            case Way.EXACT:
                return self.rounds[:0]

    def name(self, way: Way) -> str:
        """Return how the C functions of a way are called."""
        if way is Way.EXACT:
            return "sums"
        clamp = "clamp" if any(self.clamp) else "int8"
        return f"line_{clamp}_{self.lines.shift}" if way is Way.LINE else f"round_{clamp}"


def choose_rounding(
    p: ConvParameters,
    channels: Sequence[int],
    reach: tuple[Array, Array],
    *,
    packed: bool,
    group: int,
) -> Rounding:
    """Return how some channels are rounded, ``group`` of them at a time; ``reach`` is of each."""
    up = 127 - p.high
    q = Quantities(p, channels, reach, packed, up)
    clamp = up + p.low + 128, p.low + 128
    count = len(channels)
    if clamp[0] > 127:
        ways = (Way.EXACT,) * (count // group)
        return Rounding(ways, _no_lines(count, 0), q.rounds(), (0, 0))
    lines = _no_lines(count, 0)
    for shift in _shifts(q):
        tried = _lines(q, shift)
        if _all(tried.solved, group).sum() > _all(lines.solved, group).sum():
            lines = tried
        if lines.solved.all():
            break
    ways = tuple(
        Way.LINE if has_line else Way.ROUND if can_be_rounded else Way.EXACT
        for has_line, can_be_rounded in zip(
            _all(lines.solved, group), _all(q.can_be_rounded(), group), strict=True
        )
    )
    return Rounding(ways, lines, q.rounds(), clamp)


@dataclass(frozen=True, slots=True, eq=False)
class Quantities:
    """What decides over the rounding of channels: factors, reach, and how far outputs go up."""

    p: ConvParameters
    channels: Sequence[int]
    reach: tuple[Array, Array]
    packed: bool
    up: int

    @property
    def second(self) -> Flags:
        """Which channels are the second of a pair whose sums are larger."""
        odd: Flags = (np.arange(len(self.channels)) % 2 == 1) & self.packed
        return odd

    def solve(self, some: Flags, scale: int, shift: int | None) -> Layer | None:
        """Return the lines of some channels."""
        factors = [self.p.multipliers[self.channels[i]] for i in np.flatnonzero(some).tolist()]
        low, high = self.p.low + self.up, self.p.high + self.up
        return solve_layer(
            factors,
            self.p.output_offset + self.up,
            low,
            high,
            (self.reach[0][some], self.reach[1][some]),
            scale=scale,
            shift=shift,
            steps=False,
        )

    def rounds(self) -> Array:
        """Return the numbers that round each channel: multiplier, addend and shift."""
        factors = [self.p.multipliers[channel] for channel in self.channels]
        shifts = np.array([max(factor.right, 1) for factor in factors], np.int64)
        multipliers = np.array([factor.multiplier for factor in factors], np.int64)
        zero_point = self.p.output_offset + self.up
        addends = (np.int64(zero_point) << shifts) + (np.int64(1) << (shifts - 1))
        return np.stack([multipliers, addends, shifts])

    def can_be_rounded(self) -> Flags:
        """Return which channels these numbers are exact for: nothing leaves 32 bits."""
        factors = [self.p.multipliers[channel] for channel in self.channels]
        regular = [f.multiplier == 0 or (f.multiplier > 0 and f.right > 0) for f in factors]
        _, addends, _ = self.rounds()
        most = np.abs(np.stack(self.reach)).max(axis=0)
        flags: Flags = np.array(regular) & (most < 1 << 30) & (most + np.abs(addends) < 1 << 31)
        return flags


def _shifts(q: Quantities) -> list[int]:
    """Return shifts to try for the lines: what suits the first of each pair, and less."""
    layer = q.solve(~q.second, 0, None)
    if layer is None:
        return []
    return [s for s in range(layer.shift, layer.shift - _SHIFTS_TRIED, -1) if 0 < s <= _MAX_SHIFT]


def _lines(q: Quantities, shift: int) -> Lines:
    """Return the lines of all channels under a shift."""
    lines = _no_lines(len(q.channels), shift)
    for some, scale in ((~q.second, 0), (q.second, PACKED_BITS)):
        if not some.any():
            continue
        layer = q.solve(some, scale, shift + (PACKED_SHIFT if scale else 0))
        if layer is not None:
            lines.numbers[:, some] = np.stack([layer.multipliers, layer.addends])
            lines.offsets[some] = layer.offsets
            lines.solved[some] = layer.solved
    return lines


def _no_lines(channels: int, shift: int) -> Lines:
    numbers = np.zeros((2, channels), np.int64)
    return Lines(shift, numbers, np.zeros(channels, np.int64), np.zeros(channels, np.bool_))


def _all(flags: Flags, group: int) -> Flags:
    """Return for which groups all flags are set."""
    result: Flags = np.asarray(flags.reshape(-1, group).all(axis=1), np.bool_)
    return result
