"""Outputs of the device against the reference, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.ir.tensor import Array
from harness.results.record import CorrectnessPart

REFERENCE = "TFLite Micro arithmetic (numpy interpreter of the unchanged model)"


def compare_outputs(
    actual: Sequence[Sequence[Array]], expected: Sequence[Sequence[Array]]
) -> CorrectnessPart:
    """Compare, for each sample, all outputs.

    Bit-exact means equal bytes, so that a float -0.0 or a NaN does not pass as something else.
    """
    pairs = [
        (a, e)
        for outputs, references in zip(actual, expected, strict=True)
        for a, e in zip(outputs, references, strict=True)
    ]
    return CorrectnessPart(
        reference=REFERENCE,
        bit_exact=all(a.dtype == e.dtype and a.tobytes() == e.tobytes() for a, e in pairs),
        max_abs_diff=max((_max_abs_diff(a, e) for a, e in pairs), default=0.0),
    )


def _max_abs_diff(actual: Array, expected: Array) -> float:
    if actual.shape != expected.shape or not actual.size:
        return float("inf")
    difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    # Two NaNs of one kind agree; a NaN against a number is as wrong as can be.
    difference[np.isnan(actual) & np.isnan(expected)] = 0.0
    return float(np.nan_to_num(difference, nan=np.inf).max())
