"""Forms with an addend that is given, against the reference's rescaling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.arithmetic import Multiplier, quantize_multiplier
from harness.kernels.shared_addend import forms_with_addends
from harness.kernels.short_form import evaluate
from tests.property.test_requantization import expected, factors, ranges

SCALE = 8


@given(
    st.lists(factors(), min_size=1, max_size=4),
    st.sampled_from([-128, -127, -3, 0, 127]),
    ranges(),
    st.integers(-30000, 30000),
    st.integers(1, 20000),
    st.integers(-40000, 40000),
    st.integers(1, 15),
)
def test_a_form_is_the_reference_at_every_accumulator(
    some: list[Multiplier],
    zero_point: int,
    range_: tuple[int, int],
    first: int,
    length: int,
    addend: int,
    shift: int,
) -> None:
    x = np.arange(first, first + length)
    reach = np.full(len(some), x[0]), np.full(len(some), x[-1])
    addends = np.full(len(some), addend)
    layer = forms_with_addends(some, zero_point, *range_, reach, addends, scale=SCALE, shift=shift)
    assert (layer.addends == np.where(layer.solved, addend, 0)).all()
    raw = evaluate(layer, np.repeat(x[:, None], len(some), axis=1), SCALE)
    for channel in np.flatnonzero(layer.solved):
        y = expected(some[channel], zero_point, *range_, x)
        assert (np.clip(raw[:, channel], *range_) == y).all()
        assert np.abs((x << SCALE) + layer.offsets[channel]).max() < 1 << 31


@pytest.mark.parametrize("addend", [-(128 << 9), 77, 3000])
def test_nearly_every_channel_can_do_with_the_addend_of_another(addend: int) -> None:
    random = np.random.default_rng(1)
    some = [quantize_multiplier(float(real)) for real in np.exp(random.uniform(-7, -4.5, 256))]
    reach = np.full(256, -20000), np.full(256, 20000)
    addends = np.full(256, addend)
    layer = forms_with_addends(some, -128, -128, 127, reach, addends, scale=SCALE, shift=9)
    assert layer.solved.mean() > 0.98
