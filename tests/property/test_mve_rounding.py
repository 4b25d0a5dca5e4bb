"""Lines of the kernels for MVE against the reference's rescaling, at many sums in reach."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.arithmetic import ConvParameters, Multiplier, quantize_multiplier
from harness.arithmetic.fixed_point import Raw, rescale_channels
from harness.ir.tensor import Array
from harness.kernels.mve.rounding import Rounding, Way, rounding
from harness.kernels.step_function import accumulator_reach

factors = st.tuples(st.floats(-9, -3), st.sampled_from([1, 1, 1, -1])).map(
    lambda drawn: quantize_multiplier(drawn[1] * math.exp(drawn[0]))
)


def outputs(line: Rounding, sums: Raw) -> Raw:
    """Return what VMLA, VQRDMULH, VSRI and VQMOVN make of sums [..., channels]."""
    addends, multipliers, scales = line.constants.astype(np.int64)
    t = sums * scales + addends
    assert (np.abs(t) < 1 << 31).all()
    high = (2 * t * multipliers + (1 << 31)) >> 32
    assert (np.abs(high) < 1 << 31).all()
    result: Raw = np.clip(high >> 16, -128, 127)
    return result


def layer(some: list[Multiplier], seed: int, taps: int) -> tuple[ConvParameters, Array, Array]:
    random = np.random.default_rng(seed)
    weights = random.integers(-127, 128, (len(some), taps)).astype(np.int8)
    bias = random.integers(-9000, 9000, len(some)).astype(np.int32)
    return ConvParameters(3, -128, tuple(some), -128, 127), weights, bias


@given(st.lists(factors, min_size=1, max_size=5), st.integers(0, 1 << 16), st.sampled_from([9, 64]))
def test_a_line_is_the_reference(some: list[Multiplier], seed: int, taps: int) -> None:
    p, weights, bias = layer(some, seed, taps)
    found = rounding(p, weights, bias)
    if found.way is not Way.LINE:
        return
    no_bias = np.zeros_like(bias)
    sums = np.linspace(*accumulator_reach(weights, no_bias, -128, 127), 100001).astype(np.int64)
    expected = np.clip(rescale_channels(sums + bias, p.multipliers) - 128, -128, 127)
    assert (outputs(found, sums) == expected).all()


def test_layers_as_networks_have_them_are_lines() -> None:
    reals = np.exp(np.random.default_rng(3).uniform(-6.5, -4.5, 64))
    p, weights, bias = layer([quantize_multiplier(float(real)) for real in reals], 5, 64)
    assert rounding(p, weights, bias).way is Way.LINE


def test_what_lines_cannot_do_is_rounded() -> None:
    """Both sides of the zero point, a clamp that is not that of int8, outputs beyond 16 bits."""
    p, weights, bias = layer([quantize_multiplier(0.01)], 1, 9)
    assert rounding(replace(p, output_offset=0), weights, bias).way is Way.ROUND
    assert rounding(replace(p, high=90), weights, bias).way is Way.CLAMP
    p = replace(p, multipliers=(quantize_multiplier(0.4),))
    assert rounding(p, np.repeat(weights, 40, axis=1), bias).way is Way.CLAMP
