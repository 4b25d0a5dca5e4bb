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


FITTED_ON = "nothing"
CLASSES: dict[str, Fit] = {
    name: Fit((4.0, 20.0, 0.0, 200.0), 1.0, 0)
    for name in (
        "pointwise",
        "conv",
        "stem",
        "depthwise",
        "depthwise_inplace",
        "fully_connected",
        "binary",
        "pool",
        "pointwise_function",
        "move",
    )
}
ROW_RATIO, ROW_INSTRUCTIONS = 1.0, 100.0
ROW_ERROR, ROW_SEGMENTS = 1.0, 0
