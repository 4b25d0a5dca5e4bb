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

from harness.arithmetic import ConvParameters, Multiplier
from harness.ir.tensor import Array
from harness.kernels.requantization import solve_layer
from harness.kernels.shared_addend import forms_with_addends
from harness.kernels.short_form import Layer
from harness.kernels.step_function import Flags

PACKED_BITS = 8
"""By how many bits the sums of the second channel of a pair are larger if weights are packed."""

PACKED_SHIFT = 7
"""By how many bits its line is shifted more: its multiplier then has a bit more to be exact."""

_MAX_SHIFT = 15
"""Of the lines that block.h has."""

_SHIFTS_TRIED = 2

_LINES_TRIED = 12
"""Of the first channel of a pair, until the second finds one."""


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

    def take(self, some: Flags, layer: Layer) -> None:
        """Let some channels have the lines of a layer."""
        self.numbers[:, some] = np.stack([layer.multipliers, layer.addends])
        self.offsets[some] = layer.offsets
        self.solved[some] = layer.solved


@dataclass(frozen=True, slots=True, eq=False)
class Rounding:
    """How channels are rounded: a way for each group of them, and the numbers of each channel.

    ``rounds`` are multipliers and shifts [2, channels]; ``point`` is the zero point, doubled, and
    one. ``clamp`` is what outputs lose, saturating, and gain again. If weights are ``packed``, the
    channels of a pair share the addend of their lines.
    """

    ways: tuple[Way, ...]
    lines: Lines
    rounds: Array
    point: int
    clamp: tuple[int, int]
    packed: bool

    def starts(self, way: Way) -> Array:
        """Return what is added to the sums of channels."""
        offsets = self.lines.offsets
        return offsets if way is Way.LINE else np.zeros_like(offsets)

    def ends(self, way: Way) -> Array:
        """Return what a stream has behind the weights of each pair of channels, [pairs, words]."""
        pairs = len(self.lines.solved) // 2
        match way:
            case Way.LINE:
                numbers = self.lines.numbers.T.reshape(pairs, 4)
                return numbers[:, :3] if self.packed else numbers
            case Way.ROUND:
                multipliers, shifts = self.rounds.reshape(2, pairs, 2)
                both = shifts[:, 0] - 1 + ((shifts[:, 1] - 1) << 8)
                return np.concatenate([multipliers, both[:, None]], axis=1)
            case Way.EXACT:
                return np.zeros((pairs, 0), np.int64)

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
    scale: int = 0,
) -> Rounding:
    """Return how some channels are rounded, ``group`` of them at a time; ``reach`` is of each.

    All sums are larger by ``scale`` bits.
    """
    up = 127 - p.high
    q = Quantities(p, channels, reach, packed, up, scale)
    clamp = up + p.low + 128, p.low + 128
    count = len(channels)
    if clamp[0] > 127:
        ways = (Way.EXACT,) * (count // group)
        return Rounding(ways, _no_lines(count, 0), q.rounds(), q.point, (0, 0), packed)
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
    return Rounding(ways, lines, q.rounds(), q.point, clamp, packed)


def needs_no_c(p: ConvParameters, channels: Sequence[int], reach: tuple[Array, Array]) -> bool:
    """Return whether all channels can be rounded in assembly, with a line or without."""
    up = 127 - p.high
    q = Quantities(p, channels, reach, packed=True, up=up)
    return up + p.low + 128 <= 127 and bool(q.can_be_rounded().all())


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

    def _asked(
        self, some: Flags
    ) -> tuple[Sequence[Multiplier], int, int, int, tuple[Array, Array]]:
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


def _shifts(q: Quantities) -> list[int]:
    """Return shifts to try for the lines: what suits the first of each pair, and less."""
    layer = q.solve(~q.second, None, 0)
    if layer is None:
        return []
    return [s for s in range(layer.shift, layer.shift - _SHIFTS_TRIED, -1) if 0 < s <= _MAX_SHIFT]


def _lines(q: Quantities, shift: int) -> Lines:
    """Return the lines of all channels under a shift.

    Where the second channel of a pair finds no line with the addend of the first, another line of
    the first is tried.
    """
    lines = _no_lines(len(q.channels), shift)
    todo = np.ones(len(q.channels), np.bool_)
    for nth in range(_LINES_TRIED if q.packed else 1):
        first, second = todo & ~q.second, todo & q.second
        layer = q.solve(first, shift, nth)
        if layer is None:
            break
        lines.take(first, layer)
        if q.packed:
            lines.take(second, q.follow(second, layer.addends, shift + PACKED_SHIFT))
        todo = (lines.solved[::2] & ~lines.solved[1::2]).repeat(2)
        if not todo.any():
            break
    return lines


def _no_lines(channels: int, shift: int) -> Lines:
    numbers = np.zeros((2, channels), np.int64)
    return Lines(shift, numbers, np.zeros(channels, np.int64), np.zeros(channels, np.bool_))


def _all(flags: Flags, group: int) -> Flags:
    """Return for which groups all flags are set."""
    result: Flags = np.asarray(flags.reshape(-1, group).all(axis=1), np.bool_)
    return result
