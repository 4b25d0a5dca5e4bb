"""Wide forms against the reference's rescaling, at every accumulator of a range."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.arithmetic import Multiplier, quantize_multiplier
from harness.arithmetic.fixed_point import rescale
from harness.kernels.step_function import step_functions
from harness.kernels.wide_form import evaluate, prove, wide_form

factors = st.tuples(st.floats(-16, -2.5), st.sampled_from([1, 1, -1])).map(
    lambda drawn: quantize_multiplier(drawn[1] * math.exp(drawn[0]))
)


@given(
    st.lists(factors, min_size=1, max_size=4),
    st.sampled_from([-128, -3, 0, 127]),
    st.sampled_from([(-128, 127), (-20, 127), (-128, 60)]),
    st.integers(-(1 << 20), 1 << 20),
    st.integers(1, 60000),
)
def test_a_form_is_the_reference_at_every_accumulator(
    some: list[Multiplier], zero_point: int, range_: tuple[int, int], first: int, length: int
) -> None:
    x = np.arange(first, first + length)
    reach = np.full(len(some), x[0]), np.full(len(some), x[-1])
    form = wide_form(some, zero_point, *range_, reach)
    if form is None:
        return
    for channel, factor in enumerate(some):
        expected = np.clip(rescale(x, factor) + zero_point, *range_)
        kernel = np.full_like(x, form.biases[channel]) if form.frozen[channel] else x
        sums = evaluate(form, np.repeat(kernel[:, None], len(some), axis=1))[:, channel]
        assert (np.clip(sums >> form.shift, *range_) == expected).all()


@pytest.mark.parametrize("zero_point", [-128, 5])
def test_layers_as_networks_have_them_have_a_form(zero_point: int) -> None:
    random = np.random.default_rng(3)
    some = [quantize_multiplier(float(real)) for real in np.exp(random.uniform(-7, -4.5, 64))]
    reach = np.full(64, -300000), np.full(64, 300000)
    form = wide_form(some, zero_point, -128, 127, reach)
    assert form is not None
    assert form.steps.any() == (zero_point != -128)


def test_products_of_halves_are_the_product() -> None:
    """As ``dots_scale`` of ARMv6-M computes: every part fits 32 bits, and nothing is lost."""
    random = np.random.default_rng(4)
    x = random.integers(-(1 << 27) + 1, 1 << 27, 10000)
    a = random.integers(-(1 << 30) + 1, 1 << 30, 10000)
    intercept = random.integers(-(1 << 29) + 1, 1 << 29, 10000)
    middle = ((x & 0xFFFF) * (a & 0xFFFF) >> 16) + (x & 0xFFFF) * (a >> 16)
    middle += (x >> 16) * (a & 0xFFFF) + intercept
    assert np.abs(middle).max() < 1 << 31
    assert ((x >> 16) * (a >> 16) + (middle >> 16) == (x * a + (intercept << 16)) >> 32).all()


@pytest.mark.parametrize("what", ["multipliers", "intercepts"])
def test_a_form_that_is_off_by_a_little_is_not_proved(what: str) -> None:
    factor, reach = quantize_multiplier(0.0031), (np.array([-90000]), np.array([90000]))
    form = wide_form((factor,), -128, -128, 127, reach)
    assert form is not None
    channels = step_functions((factor,), -128, -128, 127, reach)
    assert prove(channels, form).all()
    worse = replace(form, **{what: getattr(form, what) + 50000})
    assert not prove(channels, worse).any()


def test_a_factor_that_is_too_large_has_no_form() -> None:
    reach = np.array([-1000]), np.array([1000])
    assert wide_form((Multiplier(1 << 30, 0),), 0, -128, 127, reach) is None
