"""A real factor as an integer multiplier and a shift.

TensorFlow Lite rescales 32-bit accumulators without floating point: a real factor ``r`` becomes
``multiplier / 2**31 * 2**shift`` with ``2**30 <= |multiplier| < 2**31`` (B. Jacob et al.,
arXiv:1712.05877, section 2.2; tflite-micro: kernels/internal/quantization_util.cc).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import UnsupportedModelError

MAX_SHIFT = 30
"""The largest left shift of a 32-bit value that keeps a bit of it."""


@dataclass(frozen=True, slots=True)
class Multiplier:
    """The factor ``multiplier / 2**31 * 2**shift``; a positive shift goes left."""

    multiplier: int
    shift: int

    @property
    def left(self) -> int:
        """Bits to shift left before the multiplication."""
        return max(self.shift, 0)

    @property
    def right(self) -> int:
        """Bits to shift right, rounding, after the multiplication."""
        return max(-self.shift, 0)

    @property
    def real(self) -> float:
        """The factor as a float."""
        return math.ldexp(self.multiplier, self.shift - 31)


def round_half_away(value: float) -> int:
    """Return the nearest integer; halves go away from zero, as C's ``round`` does."""
    nearest = math.floor(abs(value) + 0.5)
    return nearest if value >= 0 else -nearest


def decompose(real: float) -> Multiplier:
    """Return the multiplier and shift nearest to ``real``, whatever the shift."""
    mantissa, shift = math.frexp(real)
    multiplier = round_half_away(mantissa * (1 << 31))
    if multiplier == 1 << 31:
        return Multiplier(1 << 30, shift + 1)
    return Multiplier(multiplier, shift)


def quantize_multiplier(real: float, *, where: str = "") -> Multiplier:
    """Return the multiplier and shift that stand for ``real``, which may be negative.

    A factor below 2**-32 becomes zero, as in TensorFlow Lite. One of 2**30 or more is refused
    with UnsupportedModelError: shifting a 32-bit value that far left is not defined there.
    """
    factor = decompose(real)
    if factor.shift < -31:
        return Multiplier(0, 0)
    if factor.shift > MAX_SHIFT:
        raise UnsupportedModelError(
            f"{where or 'rescaling'}: a factor of {real:.3g} between two scales, "
            f"fixed-point arithmetic reaches 2^{MAX_SHIFT}",
            hint="the scales of this model are not from a working quantizer",
        )
    return factor
