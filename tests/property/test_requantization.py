"""Short forms against the reference's rescaling, at every accumulator of a range."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.arithmetic import Multiplier, quantize_multiplier
from harness.arithmetic.fixed_point import rescale
from harness.kernels.requantization import solve_layer
from harness.kernels.short_form import evaluate, prove
from harness.kernels.step_function import accumulator_reach

FEW = 5000


def expected(factor: Multiplier, zero_point: int, low: int, high: int, x: np.ndarray) -> np.ndarray:
    return np.clip(rescale(x, factor) + zero_point, low, high)


@st.composite
def factors(draw: st.DrawFn, lowest: int = -20) -> Multiplier:
    """Draw a factor of either sign between 2**lowest and 2**3; or one at the ends of 31 bits."""
    sign = draw(st.sampled_from([1, 1, 1, -1]))
    if draw(st.booleans()):
        return quantize_multiplier(sign * math.exp(draw(st.floats(lowest * math.log(2), 2))))
    multiplier = draw(st.sampled_from([1 << 30, (1 << 30) + 1, (1 << 31) - 1]))
    return Multiplier(sign * multiplier, draw(st.integers(lowest, 3)))


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int]:
    low = draw(st.sampled_from([-128, -128, -128, -20, 3]))
    return low, draw(st.sampled_from([127, 127, 60, 4]))


@given(
    st.lists(factors(), min_size=1, max_size=4),
    st.sampled_from([-128, -128, -127, -3, 0, 127]),
    ranges(),
    st.integers(-30000, 30000),
    st.integers(1, 20000),
    st.integers(0, 8),
)
def test_a_form_is_the_reference_at_every_accumulator(
    some: list[Multiplier],
    zero_point: int,
    range_: tuple[int, int],
    first: int,
    length: int,
    scale: int,
) -> None:
    x = np.arange(first, first + length)
    reach = np.full(len(some), x[0]), np.full(len(some), x[-1])
    layer = solve_layer(some, zero_point, *range_, reach, scale=scale)
    assume(layer is not None)
    assert layer is not None
    raw = evaluate(layer, np.repeat(x[:, None], len(some), axis=1), scale)
    assert layer.clamps or (raw[:, layer.solved] == np.clip(raw[:, layer.solved], *range_)).all()
    for channel in np.flatnonzero(layer.solved):
        y = expected(some[channel], zero_point, *range_, x)
        assert (np.clip(raw[:, channel], *range_) == y).all()
        # What a kernel adds to the bias, and what it holds on the way, fits its registers.
        kernel = (x << scale) + layer.offsets[channel]
        assert layer.multipliers[channel] == 0 or np.abs(kernel).max() < 1 << 31
    assert (prove(layer, some, zero_point, *range_, reach, scale=scale) == layer.solved).all()


@given(factors(lowest=-30), st.integers(-(1 << 30), 1 << 30), st.integers(0, 1 << 28), st.data())
def test_a_form_holds_far_from_zero(
    factor: Multiplier, first: int, length: int, data: st.DataObject
) -> None:
    last = min(first + length, 1 << 30)
    reach = np.array([first]), np.array([last])
    layer = solve_layer((factor,), -128, -128, 127, reach)
    assume(layer is not None)
    assert layer is not None
    some = data.draw(st.lists(st.integers(first, last), min_size=FEW // 100, max_size=FEW))
    x = np.array([*some, first, last])
    assert (evaluate(layer, x[:, None])[:, 0] == expected(factor, -128, -128, 127, x)).all()


@pytest.mark.parametrize("zero_point", [-128, 0, 40])
@pytest.mark.parametrize("scale", [7, 8])
def test_layers_as_networks_have_them_are_solved_whole(zero_point: int, scale: int) -> None:
    random = np.random.default_rng(scale)
    some = [quantize_multiplier(float(real)) for real in np.exp(random.uniform(-7, -4.5, 64))]
    weights = random.integers(-127, 128, (64, 64))
    reach = accumulator_reach(weights, random.integers(-3000, 3000, 64), 0, 255)
    layer = solve_layer(some, zero_point, -128, 127, reach, scale=scale)
    assert layer is not None
    assert layer.is_solved
    assert not layer.clamps
    assert layer.steps.any() == (zero_point != -128)


def test_the_reach_is_what_the_worst_inputs_give() -> None:
    weights = np.array([[3, -2], [-1, -1]])
    least, most = accumulator_reach(weights, np.array([10, 0]), -5, 7)
    assert (least.tolist(), most.tolist()) == ([10 - 15 - 14, -14], [10 + 21 + 10, 10])


def test_the_reach_counts_padding() -> None:
    least, most = accumulator_reach(np.array([[1, 1]]), np.array([0]), 3, 7)
    assert (int(least[0]), int(most[0])) == (0, 14)


def test_a_channel_that_never_moves_needs_no_multiplier() -> None:
    reach = np.array([-1000]), np.array([1000])
    form = solve_layer((Multiplier(1 << 30, -31),), 5, -128, 127, reach, shift=8)
    assert form is not None
    assert (form.multipliers[0], form.addends[0] >> 8) == (0, 5)


@pytest.mark.parametrize(
    ("factor", "reach"),
    [
        (Multiplier(1 << 30, 4), (-1000, 1000)),
        (Multiplier(1 << 30, 3), (-(1 << 30), 1 << 30)),
        (Multiplier((1 << 31) - 1, 0), (-1000, 1000)),
    ],
)
def test_a_large_factor_has_no_form(factor: Multiplier, reach: tuple[int, int]) -> None:
    ends = np.array([reach[0]]), np.array([reach[1]])
    assert solve_layer((factor,), 0, -128, 127, ends, shift=1) is None


@pytest.mark.parametrize("what", ["multipliers", "addends", "offsets"])
def test_a_form_that_is_off_by_a_little_is_not_proved(what: str) -> None:
    factor, reach = quantize_multiplier(0.0031), (np.array([-90000]), np.array([90000]))
    layer = solve_layer((factor,), -128, -128, 127, reach)
    assert layer is not None
    assert prove(layer, (factor,), -128, -128, 127, reach).all()
    change = 40000 if what == "multipliers" else 1
    worse = replace(layer, **{what: getattr(layer, what) + change})
    assert not prove(worse, (factor,), -128, -128, 127, reach).any()


def test_one_range_more_is_not_proved_by_a_form_for_less() -> None:
    factor, reach = Multiplier(1 << 30, -8), (np.array([0]), np.array([1000]))
    layer = solve_layer((factor,), 0, -128, 127, reach)
    assert layer is not None
    wide = np.array([-(1 << 30)]), np.array([1 << 30])
    assert not prove(layer, (factor,), 0, -128, 127, wide).any()
