"""A short form of requantization: from an accumulator to an int8 output, and its proof.

TensorFlow Lite rescales with two roundings and then clamps, some ten instructions. Seen from
outside that is a step function with at most 255 thresholds (``step_function.py``), and so is

    t = addend + (x * multiplier + 2^31) / 2^32         one SMMLAR
    t = t - (step if x < 0)                             AND, SUB: left out where all steps are 0
    y = saturate8(t >> shift)                           one SSAT with ASR

where ``x = (accumulator << scale) + offset`` costs nothing: the offset is added to the bias, and
``scale`` says by how much the kernel's accumulator is larger anyway. Two monotone functions are
equal over a range if they are equal at its ends and on both sides of every threshold, so a form is
proved by at most 512 evaluations of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.arithmetic import Multiplier
from harness.arithmetic.fixed_point import Raw
from harness.ir.tensor import Array
from harness.kernels.step_function import Flags, StepFunctions, are_int32, step_functions

MAX_SHIFT = 22
"""Nine bits above the point hold every difference to the zero point, with its sign."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Short forms of all channels under one shift; arrays are int64, one element a channel.

    Everything fits 32 bits, an offset once it is added to the scaled bias. ``clamps`` says that
    ``low`` and ``high`` must still be applied: int8 does not do it.
    """

    shift: int
    multipliers: Raw
    addends: Raw
    offsets: Raw
    steps: Raw
    solved: Flags
    clamps: bool

    @property
    def is_solved(self) -> bool:
        """Whether every channel has a form."""
        return bool(self.solved.all())


def evaluate(layer: Layer, accumulators: Raw, scale: int | Array = 0) -> Raw:
    """Return what a kernel makes of accumulators [..., channels], before any clamp."""
    return _saturated(_sums(layer, accumulators, np.asarray(scale, np.int64)), layer.shift)


def prove(
    layer: Layer,
    factors: Sequence[Multiplier],
    zero_point: int,
    low: int,
    high: int,
    reach: tuple[Array, Array],
    *,
    scale: int | Array = 0,
) -> Flags:
    """Return for which channels the form equals the reference for every reachable accumulator."""
    channels = step_functions(factors, zero_point, low, high, reach)
    return _proved(channels, layer, each_scale(scale, channels))


def each_scale(scale: int | Array, channels: StepFunctions) -> Raw:
    """Return the scale of each channel."""
    return np.broadcast_to(np.asarray(scale, np.int64), len(channels.factors))


def checked(channels: StepFunctions, layer: Layer, scale: Raw) -> Layer:
    """Return the layer without the forms that are not proved; and see whether they need a clamp."""
    solved = layer.solved & _proved(channels, layer, scale)
    ends = np.stack([channels.least, channels.most]) * channels.sign
    ends = evaluate(layer, ends, scale)[:, solved]
    return Layer(
        layer.shift,
        layer.multipliers * solved,
        layer.addends * solved,
        layer.offsets * solved,
        layer.steps * solved,
        solved=solved,
        clamps=bool(((ends < channels.low) | (ends > channels.high)).any()),
    )


def _proved(channels: StepFunctions, layer: Layer, scale: Raw) -> Flags:
    """Return where form and reference agree: at the ends, and on both sides of each threshold.

    No value may leave 32 bits, or the form would not be monotone. A multiplier of 0 is monotone
    whatever the accumulator wraps to.
    """
    points, expected, complete = channels.samples()
    sums = _sums(layer, points, scale)
    actual = np.clip(_saturated(sums, layer.shift), channels.low, channels.high)
    x = (points[:2] << scale) + layer.offsets
    rising = (layer.multipliers * channels.sign > 0) & (layer.steps * channels.sign >= 0)
    monotone = (rising & are_int32(*x)) | ((layer.multipliers == 0) & (layer.steps == 0))
    monotone &= are_int32(*sums[:2], *(sums[:2] + layer.steps))
    proved: Flags = (expected == actual).all(axis=0) & complete & monotone
    return proved & are_int32(layer.multipliers, layer.addends)


def _sums(layer: Layer, accumulators: Raw, scale: Raw) -> Raw:
    """Return the values of ``t``; those that leave 32 bits as they are, for a proof to see."""
    x = (accumulators << scale) + layer.offsets
    high = (x * layer.multipliers + (1 << 31)) >> 32
    sums: Raw = layer.addends + high - np.where(x < 0, layer.steps, 0)
    return sums


def _saturated(sums: Raw, shift: int) -> Raw:
    saturated: Raw = np.clip(sums >> shift, -128, 127)
    return saturated
