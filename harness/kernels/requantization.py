"""The search for short forms of requantization (``short_form.py``), made before the build.

The slope of a form is the real factor. Thresholds of the reference lie half a step of its first
rounding below those of the real line where the output is above its zero point, and half a step
above where it is below, since halves go away from zero. One line can therefore only serve one side,
as a ReLU leaves it; else ``step`` makes good the difference. The intercept is known only to a
fraction of an accumulator step, finer than ``addend`` can say, so ``offset`` is searched: it counts
steps of the slope, whose multiples modulo 2^32 fall everywhere.

A negative factor is a positive one of the negated accumulator, exactly: the first rounding sees the
same product. The form then has a negative multiplier and step. A factor so large that the
multiplier would leave 32 bits has no form; nor has a channel that needs a fraction of a step, or an
intercept finer than any offset gives: a larger ``scale`` cures both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from harness.arithmetic import Multiplier
from harness.arithmetic.fixed_point import INT32_MAX, INT32_MIN, Raw
from harness.ir.tensor import Array
from harness.kernels.short_form import MAX_SHIFT, Layer, checked, each_scale
from harness.kernels.step_function import Flags, StepFunctions, step_functions

_SEARCHES = (
    *((0, offsets) for offsets in (16, 256, 2048)),
    *((slope, 2048) for slope in (1, -1, 2, -2, 5, -5)),
    (0, 16384),
    *((slope, 4096) for slope in (10, -10, 20, -20, 50, -50, 100, -100, 200, -200)),
)
"""How the search widens: by how much the multiplier leaves the real factor, and how many offsets
are tried to both sides. Few channels need more than the first three."""

_CELLS = 1 << 22
"""Cells of one search at most, so that it stays in a few megabytes."""

_BEYOND = 1 << 62


def solve_layer(
    factors: Sequence[Multiplier],
    zero_point: int,
    low: int,
    high: int,
    reach: tuple[Array, Array],
    *,
    scale: int | Array = 0,
    shift: int | None = None,
    steps: bool = True,
    nth: int = 0,
) -> Layer | None:
    """Return forms of as many channels as can be, or None if there are none.

    ``reach`` has the least and the greatest accumulator of each channel, ``scale`` the bits by
    which the kernel's accumulator is larger, for all or for each. ``shift`` is chosen unless
    given. ``steps`` allows forms with a step. ``nth`` asks for other forms than the first found.
    """
    return _solve_layer(
        tuple(factors),
        (zero_point, low, high),
        tuple(np.asarray(end, np.int64).tobytes() for end in reach),
        scale if isinstance(scale, int) else tuple(scale.tolist()),
        shift,
        steps,
        nth,
    )


@lru_cache(maxsize=512)  # the cases of a sweep have models in common
def _solve_layer(
    factors: tuple[Multiplier, ...],
    clamp: tuple[int, int, int],
    reach: tuple[bytes, ...],
    scale: int | tuple[int, ...],
    shift: int | None,
    steps: bool,
    nth: int,
) -> Layer | None:
    least, most = (np.frombuffer(end, np.int64) for end in reach)
    channels = step_functions(factors, *clamp, (least, most))
    bits = each_scale(np.array(scale), channels)
    best: Layer | None = None
    for candidate in shifts_to_try(channels, bits) if shift is None else [shift]:
        layer = _solve(channels, bits, candidate, steps, nth)
        if layer.solved.any() and (best is None or layer.solved.sum() > best.solved.sum()):
            best = layer
        if layer.is_solved:
            break
    return best


def shifts_to_try(channels: StepFunctions, scale: Raw) -> list[int]:
    """Return shifts to try: multiplier and sum must fit 32 bits.

    The least of the channels' largest serves all of them, if any does; the ones below it move the
    grid. Larger ones leave out a channel, and are tried in case that it has no form anyway.
    """
    slopes = np.maximum(channels.slopes, 2.0**-62)
    by_multiplier = np.floor(np.log2(INT32_MAX / slopes)) - 32 + scale
    ends = np.maximum(np.abs(channels.least), np.abs(channels.most)) * slopes
    by_sum = np.floor(np.log2(INT32_MAX / (ends + 258)))
    largest = np.minimum(by_multiplier, by_sum)[~channels.are_constant()]
    each = sorted(set(largest.clip(0, MAX_SHIFT).astype(int).tolist()) - {0}) or [1]
    return [each[0], *range(each[0] - 1, max(each[0] - 3, 0), -1), *each[1:]]


def _solve(channels: StepFunctions, scale: Raw, shift: int, steps: bool, nth: int) -> Layer:
    """Return forms under one shift: with steps only in channels that have none without."""
    layer = _form(channels, scale, shift, np.zeros_like(scale), nth)
    if steps and not layer.is_solved:
        # The reference turns at zero by one unit of its first rounding: 2^-right of an output.
        whole = ~layer.solved & (channels.right <= shift)
        step = np.where(whole, 1 << np.maximum(shift - channels.right, 0), 0)
        if step.any():
            layer = _form(channels, scale, shift, step, nth)
    return layer


def _form(channels: StepFunctions, scale: Raw, shift: int, step: Raw, nth: int) -> Layer:
    """Return the layer with given steps; ``solved`` is what was proved."""
    exact = np.ldexp(channels.slopes, (shift + 32 - scale).astype(int))
    fits = exact < INT32_MAX - 8
    slope = np.rint(np.where(fits, exact, 0)).astype(np.int64)
    base = base_offsets(channels, scale)
    lines = Lines(channels, channels.thresholds(), scale, base, shift, step)
    form = np.zeros((3, len(slope)), np.int64)
    todo = np.flatnonzero(fits)
    for change, offsets in _SEARCHES:
        multiplier = np.maximum(slope[todo] + change, 0)
        lowest, highest = lines.intercepts(todo, multiplier)
        hit, addend, offset = _offsets(multiplier, lowest, highest, offsets, nth)
        form[:, todo[hit]] = np.stack([multiplier, addend, offset])[:, hit]
        todo = todo[~hit]
        if not todo.size:
            break
    fits[todo] = False
    multiplier, addend, offset = form
    # A negative factor: the line falls, and the step is on the other side of zero.
    addend += (channels.zero_point << shift) - np.where(channels.sign < 0, step, 0)
    constant = channels.are_constant()
    value = channels.reference(channels.least * channels.sign) << shift
    layer = Layer(
        shift,
        np.where(fits & ~constant, multiplier * channels.sign, 0),
        np.where(constant, value, np.where(fits, addend, 0)),
        np.where(fits & ~constant, (offset + base) * channels.sign, 0),
        np.where(fits & ~constant, step * channels.sign, 0),
        solved=fits | constant,
        clamps=False,
    )
    return checked(channels, layer, scale)


def base_offsets(channels: StepFunctions, scale: Raw) -> Raw:
    """Return offsets that bring accumulators of a large bias back into 32 bits; mostly 0."""
    least, most = channels.least << scale, channels.most << scale
    margin = 1 << 15
    fits = (least >= INT32_MIN + margin) & (most <= INT32_MAX - margin)
    return np.where(fits, 0, -((least + most) >> 1))


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines that pass every threshold on the right side."""

    channels: StepFunctions
    thresholds: Raw
    scale: Raw
    base: Raw
    shift: int
    step: Raw

    def intercepts(self, some: npt.NDArray[np.intp], multiplier: Raw) -> tuple[Raw, Raw]:
        """Return the interval of ``addend * 2^32 + 2^31 + offset * multiplier`` that is exact.

        That is for ``some`` channels. The zero point is left out, to be added to the addend.
        """
        c, thresholds = self.channels, self.thresholds[:, some]
        output = c.outputs - c.zero_point
        sums = ((output << self.shift) + np.where(output <= 0, self.step[some], 0)) << 32
        at = ((thresholds << self.scale[some]) + self.base[some]) * multiplier
        before = at - (multiplier << self.scale[some])
        reached, passed = thresholds <= c.most[some], thresholds > c.least[some]
        lowest = np.where(reached, sums - at, -_BEYOND).max(axis=0, initial=-_BEYOND)
        highest = np.where(passed, sums - 1 - before, _BEYOND).min(axis=0, initial=_BEYOND)
        return lowest, highest


def _offsets(
    multiplier: Raw, lowest: Raw, highest: Raw, offsets: int, nth: int
) -> tuple[Flags, Raw, Raw]:
    """Return where an addend hits the interval, that addend, and the smallest offset it needs.

    Or the ``nth`` smallest, from 0 on.
    """
    tried = np.arange(-offsets, offsets + 1)
    tried = tried[np.argsort(np.abs(tried), kind="stable")]
    middle = np.maximum(lowest, -_BEYOND // 2) // 2 + np.minimum(highest, _BEYOND // 2) // 2
    hit = np.zeros(len(multiplier), np.bool_)
    addend, offset = np.zeros((2, len(multiplier)), np.int64)
    possible = np.flatnonzero(lowest <= highest)
    at_once = max(1, _CELLS // len(tried))
    for start in range(0, len(possible), at_once):
        some = possible[start : start + at_once]
        rest = (1 << 31) + tried * multiplier[some, None]
        nearest = (middle[some, None] - rest + (1 << 31)) >> 32
        total = (nearest << 32) + rest
        hits = (total >= lowest[some, None]) & (total <= highest[some, None])
        hits &= hits.cumsum(axis=1) > nth
        first, rows = hits.argmax(axis=1), np.arange(len(some))
        hit[some] = hits[rows, first]
        addend[some], offset[some] = nearest[rows, first], tried[first]
    return hit, addend, offset
