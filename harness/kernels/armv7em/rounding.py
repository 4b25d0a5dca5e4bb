"""How sums become outputs in ``armv7em/block.h``, the cheapest exact way for each channel.

A *line* is one multiplication, one addition and one saturating shift, whose numbers
:mod:`harness.kernels.requantization` finds and proves. *Round* does what TensorFlow Lite Micro
does: a doubling high multiply, and a shift that rounds halves away from zero. Both leave out the
clamp where the activation leaves all of int8; else outputs are shifted up to where saturation is
the upper clamp, and come down again by a saturating subtraction. What neither can do (negative
factors, left shifts, clamps to less than half of int8) is left to C.

If weights are packed, both ways do with a word a channel (:mod:`harness.kernels.armv7em.brief`),
where all channels of a layer can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from harness.arithmetic import ConvParameters
from harness.ir.tensor import Array
from harness.kernels.armv7em.quantities import Quantities
from harness.kernels.short_form import Layer
from harness.kernels.step_function import Flags

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

    ``can_be_rounded`` says which groups may go without their lines: one may be exact where rounding
    as the reference does is not in assembly, as with negative factors. ``rounds`` are multipliers
    and shifts [2, channels]; ``point`` is the zero point, doubled, and one. ``clamp`` is what
    outputs lose, saturating, and gain again. If weights are ``packed``, the channels of a pair
    share the addend of their lines. ``brief`` ways have a word a channel.
    """

    ways: tuple[Way, ...]
    can_be_rounded: tuple[bool, ...]
    lines: Lines
    rounds: Array
    point: int
    clamp: tuple[int, int]
    packed: bool
    brief: frozenset[Way] = frozenset()

    def starts(self, way: Way) -> Array:
        """Return what is added to the sums of channels."""
        offsets = self.lines.offsets
        return offsets if way is Way.LINE else np.zeros_like(offsets)

    def ends(self, way: Way) -> Array:
        """Return what a stream has behind the weights of each pair of channels, [pairs, words]."""
        pairs = len(self.lines.solved) // 2
        if way in self.brief:
            words: Array = self.lines.numbers[0] if way is Way.LINE else self.rounds[0]
            return words.reshape(pairs, 2)
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
        name = f"line_{clamp}_{self.lines.shift}" if way is Way.LINE else f"round_{clamp}"
        return f"brief_{name}" if way in self.brief else name


def choose_rounding(
    p: ConvParameters,
    channels: Sequence[int],
    reach: tuple[Array, Array],
    *,
    packed: bool,
    group: int,
    scale: int = 0,
    brief: int | None = None,
) -> Rounding:
    """Return how some channels are rounded, ``group`` of them at a time; ``reach`` is of each.

    All sums are larger by ``scale`` bits. Of packed weights the numbers may be brief, if no more
    groups than ``brief`` says go without a line for it.
    """
    up = 127 - p.high
    q = Quantities(p, channels, reach, packed, up, scale)
    clamp = up + p.low + 128, p.low + 128
    count = len(channels)
    if clamp[0] > 127:
        ways, never = (Way.EXACT,) * (count // group), (False,) * (count // group)
        return Rounding(ways, never, _no_lines(count, 0), q.rounds(), q.point, (0, 0), packed)
    lines, is_brief = _choose_lines(q, group, brief)
    short = {Way.LINE} if is_brief else set[Way]()
    rounds, can_be_rounded = q.rounds(), q.can_be_rounded()
    if brief is not None and not lines.solved.all():
        multipliers, exact = q.brief_rounds()
        if (exact | ~can_be_rounded).all():
            rounds[0] = multipliers
            short.add(Way.ROUND)
    groups = tuple(_all(can_be_rounded, group).tolist())
    ways = tuple(
        Way.LINE if has_line else Way.ROUND if is_rounded else Way.EXACT
        for has_line, is_rounded in zip(_all(lines.solved, group), groups, strict=True)
    )
    return Rounding(ways, groups, lines, rounds, q.point, clamp, packed, frozenset(short))


def needs_no_c(p: ConvParameters, channels: Sequence[int], reach: tuple[Array, Array]) -> bool:
    """Return whether all channels can be rounded in assembly, with a line or without."""
    up = 127 - p.high
    q = Quantities(p, channels, reach, packed=True, up=up)
    return up + p.low + 128 <= 127 and bool(q.can_be_rounded().all())


def _shifts(q: Quantities) -> list[int]:
    """Return shifts to try for the lines: what suits the first of each pair, and less."""
    layer = q.solve(~q.second, None, 0)
    if layer is None:
        return []
    return _some_shifts(range(layer.shift, 0, -1))


def _brief_shifts(q: Quantities) -> list[int]:
    """Return shifts to try for brief lines: even ones first, since each takes a function."""
    return sorted(_some_shifts(q.brief_shifts()), key=lambda shift: shift % 2)


def _some_shifts(shifts: Sequence[int]) -> list[int]:
    """Return the first of some shifts."""
    return [shift for shift in shifts[:_SHIFTS_TRIED] if 0 < shift <= _MAX_SHIFT]


def _choose_lines(q: Quantities, group: int, brief: int | None) -> tuple[Lines, bool]:
    """Return lines, and whether they are brief."""
    lines = _no_lines(len(q.channels), 0)
    if brief is not None:
        lines = _best(q, _brief_shifts(q), group, _brief_lines)
        if lines.solved.all():
            return lines, True
    others = _best(q, _shifts(q), group, _lines)
    missing = _all(others.solved, group).sum() - _all(lines.solved, group).sum()
    is_brief = brief is not None and missing <= brief
    return (lines if is_brief else others), is_brief


def _best(
    q: Quantities, shifts: Sequence[int], group: int, find: Callable[[Quantities, int], Lines]
) -> Lines:
    """Return the lines that most groups have, under one shift."""
    best = _no_lines(len(q.channels), 0)
    for shift in shifts:
        lines = find(q, shift)
        if _all(lines.solved, group).sum() > _all(best.solved, group).sum():
            best = lines
        if best.solved.all():
            break
    return best


def _brief_lines(q: Quantities, shift: int) -> Lines:
    """Return lines of all pairs of channels that are brief, under a shift."""
    lines = _no_lines(len(q.channels), shift)
    for some, layer in zip((~q.second, q.second), q.brief_lines(shift), strict=True):
        lines.take(some, layer)
    return lines


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
