"""What a depthwise convolution for ARMv7E-M knows of each channel: its bias and its multiplier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.arithmetic import ConvParameters
from harness.ir.tensor import Array
from harness.kernels.armv7em.depthwise_geometry import Geometry
from harness.kernels.call import Constant, Fields, Name
from harness.kernels.shared_addend import forms_with_addends
from harness.kernels.short_form import Layer
from harness.kernels.step_function import Flags, accumulator_reach

_SCALE, _SHIFT = 8, 9
"""``DEPTHWISE_SCALE`` and ``DEPTHWISE_SHIFT``. With 9 bits behind the point 28 of the 14,736
channels in eight networks have no short form, with 8 bits 43, with 10 bits 72."""

_NUDGES = 12
"""Addends that are tried above and below the zero point."""

_EXACT = -(1 << 31)
"""``DEPTHWISE_EXACT``."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What channels need beside weights: biases and multipliers [OC, 2] with an addend for all.

    Or, of those that have no short form, their place among the ``exact`` ones [n, 3]. Channels that
    are rounded have ``shifts`` [OC], and the zero point and half a unit, doubled, as the addend.
    """

    channels: Array
    addend: int
    exact: Array
    shifts: Array | None

    @property
    def all_shifts(self) -> Constant | Name:
        """The shifts as a field."""
        return Name("NULL") if self.shifts is None else Constant("shifts", self.shifts)

    def exactly(self, function: str) -> Fields:
        """Return the exact channels, and the C function that computes them, if there are any."""
        if not len(self.exact):
            return {"exact": Name("NULL"), "exactly": Name("NULL")}
        return {"exact": Constant("exact", self.exact), "exactly": Name(function)}


def table_of(
    p: ConvParameters,
    weights: Array,
    bias: Array,
    start: Array,
    geometry: Geometry,
    *,
    has_core: bool,
) -> Table:
    """Return the table of channels.

    ``start`` is what a kernel's sum begins with: the bias, the zero point folded into it or not.
    """
    count = weights.shape[2]
    flat = weights.reshape(-1, count).T.astype(np.int64)
    zero_point = -p.input_offset
    reach = accumulator_reach(flat, bias, -128 - zero_point, 127 - zero_point)
    shifts: Array | None = None
    if geometry.is_rounded:
        multipliers, shifts, solved = _rounded(p, reach)
        offsets, addend = np.zeros(count, np.int64), 2 * p.output_offset + 1
    else:
        layer, addend = _forms(p, reach)
        multipliers, offsets = layer.multipliers, layer.offsets
        solved = layer.solved & (not layer.clamps)
    table = np.zeros((count, 2), np.int64)
    exact: list[tuple[int, int, int]] = []
    for c in range(count):
        if has_core and solved[c]:
            scaled = (int(start[c]) << _SCALE) + int(offsets[c])
            table[c] = _wrapped(scaled), int(multipliers[c])
        else:
            factor = p.multipliers[c]
            table[c] = len(exact), _EXACT
            exact.append((int(start[c]), factor.multiplier, factor.shift))
    return Table(table.astype(np.int32), addend, np.array(exact, np.int32), shifts)


def _rounded(p: ConvParameters, reach: tuple[Array, Array]) -> tuple[Array, Array, Flags]:
    """Return what rounds each channel, multipliers and shifts less one, and where it is exact.

    It is what the reference does as long as nothing leaves 32 bits.
    """
    multipliers = np.array([factor.multiplier for factor in p.multipliers], np.int64)
    shifts = np.array([max(factor.right, 1) - 1 for factor in p.multipliers], np.int64)
    regular = [f.multiplier == 0 or (f.multiplier > 0 and f.right > 0) for f in p.multipliers]
    most = np.abs(np.stack(reach)).max(axis=0)
    addends = np.abs((2 * p.output_offset + 1) << shifts)
    exact: Flags = np.array(regular) & (most < 1 << (31 - _SCALE)) & (most + addends < 1 << 31)
    return multipliers, shifts.astype(np.uint8), exact


def _forms(p: ConvParameters, reach: tuple[Array, Array]) -> tuple[Layer, int]:
    """Return short forms of the channels, and the addend with which most have one."""
    best: tuple[Layer, int] | None = None
    for nudge in sorted(range(-_NUDGES, _NUDGES + 1), key=abs):
        addend = (p.output_offset << _SHIFT) + nudge
        layer = forms_with_addends(
            p.multipliers,
            p.output_offset,
            p.low,
            p.high,
            reach,
            np.full(len(p.multipliers), addend),
            scale=_SCALE,
            shift=_SHIFT,
        )
        if best is None or layer.solved.sum() > best[0].solved.sum():
            best = layer, addend
        if layer.is_solved:
            break
    assert best is not None
    return best


def _wrapped(value: int) -> int:
    """Return what 32 bits keep of a value: sums may wrap on their way, as their end fits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)
