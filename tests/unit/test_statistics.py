"""Rank statistics: known values, and how often they are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from harness.comparison.statistics import exact_steps, ratio_of, shift, steps

SEED = 20260101
NOISE = 0.03
"""Spread of latencies in the simulations, as a standard deviation of their logarithm."""


def latencies(generator: np.random.Generator, count: int, level: float = 1.0) -> list[float]:
    """Return samples as a board gives them: skewed, above a floor."""
    return list(level * np.exp(NOISE * generator.standard_normal(count)))


def test_a_ratio_is_that_of_all_pairs_and_lies_in_its_interval() -> None:
    assert ratio_of([10, 10, 10], [12, 12, 12]) == pytest.approx((1.2, 1.2, 1.2))
    before, after = [10.0, 11, 12, 13], [20.0, 22, 24, 26]
    ratio, low, high = ratio_of(before, after)
    assert ratio == pytest.approx(2.0)
    assert 20 / 13 * 0.999 < low < 2 < high < 26 / 10 * 1.001


def test_the_test_and_the_effect_of_a_textbook_example() -> None:
    """Two samples without overlap: U is 0 of 25, so exactly 2 of all 252 orders are as extreme."""
    found = shift([1.0, 2, 3, 4, 5], [6.0, 7, 8, 9, 10])
    assert found.p_value == pytest.approx(2 / 252)
    assert found.effect == 1
    assert shift([6.0, 7, 8], [1.0, 2, 3]).effect == -1


def test_the_interval_holds_the_true_ratio_as_often_as_it_says() -> None:
    generator = np.random.default_rng(SEED)
    held = 0
    for _ in range(1000):
        before, after = latencies(generator, 20), latencies(generator, 20, 1.05)
        _, low, high = ratio_of(before, after)
        held += low <= 1.05 <= high
    assert held >= 980


def test_a_step_is_found_where_it_is() -> None:
    generator = np.random.default_rng(SEED)
    series = latencies(generator, 25) + latencies(generator, 25, 1.1) + latencies(generator, 25)
    found = steps(series)
    assert [step.position for step in found] == pytest.approx([25, 50], abs=1)
    assert [step.ratio for step in found] == pytest.approx([1.1, 1 / 1.1], rel=0.02)


def test_a_level_series_has_no_steps() -> None:
    generator = np.random.default_rng(SEED)
    false = sum(bool(steps(latencies(generator, 40))) for _ in range(500))
    assert false <= 5


def test_every_change_of_an_exact_series_is_a_step() -> None:
    found = exact_steps([10, 10, 11, 11, 10])
    assert [step.position for step in found] == [2, 4]
    assert [step.ratio for step in found] == pytest.approx([1.1, 10 / 11])
    assert exact_steps([7]) == steps([7.0]) == steps([]) == []
