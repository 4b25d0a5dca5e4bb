"""The fitted cost model. Written by ``tools/fit_cost.py``, do not edit."""

from __future__ import annotations

from typing import NamedTuple


class Fit(NamedTuple):
    """Weights in instructions for each feature of ``cost.FEATURES``, and how good they are.

    ``error`` is the median relative error over the ``ops`` ops that the fit saw.
    """

    weights: tuple[float, float, float, float]
    error: float
    ops: int


FITTED_ON = "mps2-an386"
CLASSES: dict[str, Fit] = {
    "binary": Fit((0, 33.8, 68.42, 0), 0.074, 202),
    "conv": Fit((2.307, 21.03, 0, 1.102e04), 0.015, 17),
    "depthwise": Fit((4.002, 10.08, 0, 3365), 0.115, 138),
    "depthwise_inplace": Fit((4.651, 14.4, 0, 8873), 0.099, 237),
    "fully_connected": Fit((2.791, 22.22, 11.01, 0), 0.025, 51),
    "move": Fit((0, 0.4072, 2.931, 24.5), 0.123, 10),
    "pointwise": Fit((2.23, 17.78, 27.52, 116.3), 0.028, 673),
    "pointwise_function": Fit((0, 4.481, 0, 6.736), 0.874, 27),
    "pool": Fit((2.331, 5.873, 0, 85.36), 0.072, 41),
    "stem": Fit((2.687, 16.09, 0, 0), 0.061, 24),
}
ROW_RATIO, ROW_INSTRUCTIONS = 0.9936, 382.1
ROW_ERROR, ROW_SEGMENTS = 0.049, 66
