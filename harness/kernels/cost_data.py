"""The fitted cost model. Written by ``tools/fit_cost.py``, do not edit."""

from __future__ import annotations

from typing import NamedTuple


class Fit(NamedTuple):
    """Weights in instructions for each feature of ``cost.FEATURES``, and how good they are.

    ``error`` is the median relative error over the ``ops`` that the fit saw.
    """

    weights: tuple[float, ...]
    error: float
    ops: int


class Costs(NamedTuple):
    """The model of one instruction set: what ops cost whole, and what rows add to that.

    A segment that goes by rows costs ``row_ratio`` times its ops, and ``row_instructions`` for each
    call of a row.
    """

    fitted_on: str
    classes: dict[str, Fit]
    row_ratio: float
    row_instructions: float
    row_error: float
    row_segments: int


COSTS: dict[str, Costs] = {
    "mve": Costs(
        fitted_on="mps3-an547",
        classes={
            "binary": Fit((0, 2, 0, 22), 0.000, 52),
            "conv": Fit((0.1393, 0.08736, 217.6, 0), 0.009, 13),
            "depthwise": Fit((0.4993, 3.685, 0, 3917), 0.205, 97),
            "depthwise_inplace": Fit((0.4604, 3.577, 0, 4321), 0.242, 59),
            "fully_connected": Fit((0.1475, 5.225, 188.8, 0), 0.017, 39),
            "dequantize": Fit((0, 4.5, 0, 20), 1.000, 0),
            "lookup": Fit((0, 3.746, 0, 3.804), 0.027, 6),
            "move": Fit((0, 0.451, 1.296, 32.02), 0.127, 14),
            "pointwise": Fit((0.1237, 3.154, 11.89, 258.6), 0.054, 246),
            "pool": Fit((0.8752, 27.74, 115.4, 0), 0.032, 17),
            "softmax": Fit((0, 25, 93.72, 0), 0.005, 12),
            "stem": Fit((0.3322, 0, 52.28, 8188), 0.022, 10),
        },
        row_ratio=1.122,
        row_instructions=272.6,
        row_error=0.101,
        row_segments=21,
    ),
    "portable": Costs(
        fitted_on="mps2-an386",
        classes={
            "binary": Fit((0, 34.04, 65.16, 0), 0.077, 198),
            "conv": Fit((2.307, 21.03, 0, 1.102e04), 0.015, 17),
            "depthwise": Fit((4.142, 9.697, 0, 2818), 0.108, 213),
            "depthwise_inplace": Fit((4.507, 15.14, 0, 8733), 0.115, 137),
            "fully_connected": Fit((2.791, 22.22, 11.01, 0), 0.025, 51),
            "dequantize": Fit((0, 4.5, 0, 20), 1.000, 0),
            "lookup": Fit((0, 3.746, 0, 3.804), 0.027, 6),
            "move": Fit((0, 0.451, 1.296, 32.02), 0.127, 14),
            "pointwise": Fit((2.228, 17.67, 32.53, 112.2), 0.029, 676),
            "pool": Fit((2.335, 5.873, 0, 85.1), 0.074, 41),
            "softmax": Fit((0, 25.03, 89.18, 0), 0.009, 21),
            "stem": Fit((2.687, 16.09, 0, 0), 0.061, 24),
        },
        row_ratio=1.006,
        row_instructions=1291,
        row_error=0.075,
        row_segments=62,
    ),
}
