"""Fixed-point arithmetic on arrays, as gemmlowp defines it.

Every value is an int32; arrays here are int64 so that a product of two fits. A value in format
Qm.n stands for ``raw / 2**n`` with ``m + n = 31``. The functions equal those of gemmlowp's
``fixedpoint/fixedpoint.h`` (github.com/google/gemmlowp) for every input that occurs, including
its two kinds of rounding: products round halves up, divisions by a power of two round halves away
from zero. Rescaling an accumulator does both, one after the other ("double rounding").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.arithmetic.multiplier import Multiplier

Raw = npt.NDArray[np.int64]

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1

ONE = INT32_MAX
"""The value 1 in Q0.31, which falls short by one step."""

_EXP_FACTORS = (
    (-2, 1672461947),
    (-1, 1302514674),
    (0, 790015084),
    (1, 290630308),
    (2, 39332535),
    (3, 720401),
    (4, 242),
)
"""``exp(-2**k)`` in Q0.31, for each k."""

_EXP_MINUS_EIGHTH = 1895147668
_ONE_THIRD = 715827883
_FORTY_EIGHT_SEVENTEENTHS = 1515870810
_MINUS_THIRTY_TWO_SEVENTEENTHS = -1010580540


def wrap_int32(value: Raw) -> Raw:
    """Return the value modulo 2**32, as a signed 32-bit number."""
    return value.astype(np.int32).astype(np.int64)


def high_mul(a: Raw, b: Raw | int) -> Raw:
    """Return ``2 * a * b / 2**32``, rounded, saturated at ``(-2**31) ** 2``.

    gemmlowp nudges by ``2**30`` or ``1 - 2**30`` and divides towards zero; that is the same as
    adding ``2**30`` and shifting right, for both signs.
    """
    product: Raw = (a * b + (1 << 30)) >> 31
    return np.minimum(product, INT32_MAX)


def rounding_shift_right(value: Raw, bits: Raw | int) -> Raw:
    """Return ``value / 2**bits``, halves rounded away from zero."""
    half = (np.int64(1) << np.asarray(bits, np.int64)) >> 1
    nearest: Raw = (value + half - ((value < 0) & (half > 0))) >> bits
    return nearest


def saturating_shift_left(value: Raw, bits: int) -> Raw:
    """Return ``value * 2**bits``, saturated to 32 bits."""
    shifted: Raw = np.clip(value << bits, INT32_MIN, INT32_MAX)
    return shifted


def rescale(value: Raw, factor: Multiplier) -> Raw:
    """Return ``value`` times ``factor``, rounded twice; a left shift wraps at 32 bits."""
    shifted = wrap_int32(value << factor.left) if factor.left else value
    product = high_mul(shifted, factor.multiplier)
    return rounding_shift_right(product, factor.right) if factor.right else product


def rescale_channels(value: Raw, factors: tuple[Multiplier, ...]) -> Raw:
    """Return ``value`` with each slice of the last axis times its own factor."""
    multiplier = np.array([f.multiplier for f in factors], np.int64)
    left = np.array([f.left for f in factors], np.int64)
    right = np.array([f.right for f in factors], np.int64)
    shifted = wrap_int32(value << left) if left.any() else value
    return rounding_shift_right(high_mul(shifted, multiplier), right)


def exp_on_negative_values(value: Raw, integer_bits: int) -> Raw:
    """Return ``exp(value)`` in Q0.31, for ``value <= 0`` with ``integer_bits`` up to 5.

    The value is taken apart into multiples of 1/4 and a rest in [-1/4, 0): the rest goes through
    a polynomial, each bit of the multiple through one multiplication with a constant.
    """
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (value & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_0(saturating_shift_left(rest, integer_bits))
    multiple = rest - value
    for exponent, factor in _EXP_FACTORS:
        if exponent < integer_bits:
            is_set = (multiple >> (fraction_bits + exponent)) & 1
            result = np.where(is_set, high_mul(result, factor), result)
    return np.where(value == 0, ONE, result)


def _exp_between_minus_quarter_and_0(value: Raw) -> Raw:
    """Return ``exp(value)`` in Q0.31: a Taylor polynomial of degree 4 about -1/8."""
    x = value + (1 << 28)
    x2 = high_mul(x, x)
    x3 = high_mul(x2, x)
    x4_over_4 = rounding_shift_right(high_mul(x2, x2), 2)
    tail = rounding_shift_right(high_mul(x4_over_4 + x3, _ONE_THIRD) + x2, 1)
    return high_mul(x + tail, _EXP_MINUS_EIGHTH) + _EXP_MINUS_EIGHTH


def _newton_reciprocal(value: Raw) -> Raw:
    """Return ``2 / (1 + value)`` in Q2.29, for ``value`` in [0, 1] as Q0.31: three steps."""
    half_denominator = (value + ONE + 1) >> 1
    x = high_mul(half_denominator, _MINUS_THIRTY_TWO_SEVENTEENTHS) + _FORTY_EIGHT_SEVENTEENTHS
    for _ in range(3):
        error = (1 << 29) - high_mul(half_denominator, x)
        x = x + saturating_shift_left(high_mul(x, error), 2)
    return x


def one_over_one_plus(value: Raw) -> Raw:
    """Return ``1 / (1 + value)`` in Q0.31, for ``value`` in [0, 1] as Q0.31."""
    return saturating_shift_left(_newton_reciprocal(value), 1)


def one_minus_over_one_plus(value: Raw) -> Raw:
    """Return ``(1 - value) / (1 + value)`` in Q0.31, for ``value`` in [0, 1] as Q0.31."""
    return saturating_shift_left(_newton_reciprocal(value) - (1 << 29), 2)


def logistic(value: Raw, integer_bits: int) -> Raw:
    """Return ``1 / (1 + exp(-value))`` in Q0.31."""
    positive = one_over_one_plus(exp_on_negative_values(-np.abs(value), integer_bits))
    result = np.where(value > 0, positive, ONE - positive)
    return np.where(value == 0, 1 << 30, result)


def tanh(value: Raw, integer_bits: int) -> Raw:
    """Return the hyperbolic tangent in Q0.31.

    ``exp(-2 |value|)`` costs no shift: the same raw value is read with one integer bit more.
    """
    positive = one_minus_over_one_plus(exp_on_negative_values(-np.abs(value), integer_bits + 1))
    return np.where(value == 0, 0, np.where(value > 0, positive, -positive))


def reciprocal(value: Raw, integer_bits: int) -> tuple[Raw, Raw]:
    """Return ``1 / value`` as Q0.31 and the bits by which it must still be shifted right.

    ``value`` is positive with ``integer_bits``; it is first normalised to [1, 2).
    """
    leading_zeros = 32 - np.frexp(value.astype(np.float64))[1].astype(np.int64)
    excess = (value << leading_zeros) - (1 << 31)
    return one_over_one_plus(excess), integer_bits - leading_zeros
