"""Numbers of channels that have two words a pair, against the reference's rescaling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.arithmetic import Multiplier, quantize_multiplier
from harness.kernels.armv7em.brief import (
    ADDEND_BITS,
    SECOND_BITS,
    SHIFT_BITS,
    asked,
    lines_of_pairs,
    rounded,
    shifts_of_pairs,
)
from harness.kernels.short_form import evaluate
from tests.property.test_requantization import expected, factors, ranges

zero_points = st.sampled_from([-128, -127, -3, 0, 127])


@given(
    st.lists(st.tuples(factors(), factors()), min_size=1, max_size=4),
    zero_points,
    ranges(),
    st.integers(-30000, 30000),
    st.integers(1, 20000),
    st.integers(1, 15),
)
def test_lines_are_the_reference_at_every_accumulator(
    pairs: list[tuple[Multiplier, Multiplier]],
    zero_point: int,
    range_: tuple[int, int],
    first: int,
    length: int,
    shift: int,
) -> None:
    x = np.arange(first, first + length)
    reach = np.full(len(pairs), x[0]), np.full(len(pairs), x[-1])
    halves = [list(half) for half in zip(*pairs, strict=True)]
    layers = lines_of_pairs(*(asked(half, zero_point, *range_, reach) for half in halves), shift)
    for half, layer, scale in zip(halves, layers, (0, SECOND_BITS), strict=True):
        raw = evaluate(layer, np.repeat(x[:, None], len(pairs), axis=1), scale)
        for i in np.flatnonzero(layer.solved):
            y = expected(half[i], zero_point, *range_, x)
            assert (np.clip(raw[:, i], *range_) == y).all()
    both = layers[0].solved & layers[1].solved
    addends = layers[1].multipliers & ((1 << ADDEND_BITS) - 1)
    assert all((layer.addends == addends)[both].all() for layer in layers)


@given(
    st.lists(factors(), min_size=1, max_size=4),
    zero_points,
    ranges(),
    st.integers(-30000, 30000),
    st.integers(1, 20000),
)
def test_rounded_channels_are_the_reference_at_every_accumulator(
    some: list[Multiplier], zero_point: int, range_: tuple[int, int], first: int, length: int
) -> None:
    x = np.arange(first, first + length)
    reach = np.full(len(some), x[0]), np.full(len(some), x[-1])
    point = 2 * zero_point + 1
    multipliers, solved = rounded(asked(some, zero_point, *range_, reach), point)
    for i in np.flatnonzero(solved):
        multiplier = int(multipliers[i])
        shift = multiplier % (1 << SHIFT_BITS)
        high = (2 * x * multiplier + ((point << shift) << 32) + (1 << 31)) >> 32
        y = np.clip((high + (x >> 31)) >> shift >> 1, -128, 127)
        assert (np.clip(y, *range_) == expected(some[i], zero_point, *range_, x)).all()


@pytest.mark.parametrize("most", [20000, 200000])
def test_nearly_all_channels_can_do_with_a_word(most: int) -> None:
    random = np.random.default_rng(1)
    some = [quantize_multiplier(float(real)) for real in np.exp(random.uniform(-7, -5, 512))]
    reach = np.full(256, -most), np.full(256, most)
    halves = [asked(half, -128, -128, 127, reach) for half in (some[::2], some[1::2])]
    shift = shifts_of_pairs(asked(some, -128, -128, 127, (reach[0].repeat(2), reach[1].repeat(2))))
    layers = lines_of_pairs(*halves, shift[0])
    assert np.logical_and(*(layer.solved for layer in layers)).mean() > 0.97
    _, solved = rounded(asked(some[::2], 3, -128, 127, reach), 7)
    assert solved.mean() > 0.97
