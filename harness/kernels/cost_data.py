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
    """The model of one instruction set: classes of ops whole, and done by rows.

    ``rows`` has weights for ``cost.ROW_FEATURES``. ``fused_error`` is the median relative error
    over ``fused`` segments of several ops, which the fit did not see.
    """

    fitted_on: str
    classes: dict[str, Fit]
    rows: dict[str, Fit]
    fused_error: float
    fused: int


COSTS: dict[str, Costs] = {
    "armv7em": Costs(
        fitted_on="mps2-an386",
        classes={
            "binary": Fit((0, 5.751, 0, 0.002378, 0, 0, 27.92), 0.000, 77),
            "conv": Fit((0.7805, 0, 0, 218, 0, 0, 0), 0.007, 13),
            "depthwise": Fit((0.9689, 1.656, 3.044, 37.36, 29.03, 199.4, 1910), 0.049, 80),
            "depthwise_inplace": Fit((0.9965, 0.3182, 3.154, 46.2, 38.12, 173.7, 1841), 0.057, 101),
            "dequantize": Fit((0, 4.5, 0, 0, 0, 0, 20), 1.000, 0),
            "fully_connected": Fit((0.4412, 0, 10.95, 0, 0, 0, 0), 0.047, 9),
            "lookup": Fit((0, 3.746, 0, 0, 0, 0, 3.804), 0.027, 6),
            "move": Fit((0, 0, 0.5512, 3.054, 0, 0, 62.53), 0.017, 10),
            "pointwise": Fit((0.7882, 2.964, 1.047, 65.27, 0, 35.06, 453), 0.035, 312),
            "pool": Fit((0.9921, 36.5, 0, 281.2, 0, 0, 0), 0.006, 21),
            "softmax": Fit((0, 24.98, 0, 88.36, 0, 0, 0), 0.005, 12),
            "stem": Fit((0.546, 10.85, 0, 89.58, 0, 1181, 1.03e04), 0.005, 14),
        },
        rows={
            "binary": Fit((0, 5.756, 0, 0.1933, 33.92, 0), 0.001, 36),
            "conv": Fit((0.8492, 6.761, 0, 21.98, 0, 0), 0.010, 7),
            "depthwise": Fit((0.7651, 0, 5.419, 0.5144, 875.7, 132.4), 0.066, 79),
            "fully_connected": Fit((0.4264, 0, 11.16, 0, 0, 0), 0.046, 3),
            "move": Fit((0, 0.04288, 0.1504, 6.064, 12.83, 0), 0.010, 6),
            "pointwise": Fit((0.815, 2.837, 2.354, 43.78, 253.3, 16.79), 0.134, 147),
            "stem": Fit((0.4948, 12.61, 0, 83.91, 0, 91.54), 0.004, 8),
        },
        fused_error=0.061,
        fused=59,
    ),
    "mve": Costs(
        fitted_on="mps3-an547",
        classes={
            "binary": Fit((0, 2, 0, 0, 0, 0, 22), 0.000, 28),
            "conv": Fit((0.1393, 0.08736, 0, 217.6, 0, 0, 0), 0.009, 13),
            "depthwise": Fit((0.3163, 0.07138, 1.075, 15.31, 26.36, 26.52, 967), 0.098, 31),
            "depthwise_inplace": Fit(
                (0.3162, 0.3227, 1.122, 13.45, 21.87, 39.93, 989.1), 0.119, 47
            ),
            "dequantize": Fit((0, 4.5, 0, 0, 0, 0, 20), 1.000, 0),
            "fully_connected": Fit((0, 0, 2.856, 159.2, 0, 0, 0), 0.009, 9),
            "lookup": Fit((0, 3.746, 0, 0, 0, 0, 3.804), 0.027, 6),
            "move": Fit((0, 0.451, 0, 1.296, 0, 0, 32.02), 0.127, 14),
            "pointwise": Fit((0.1161, 2.962, 0.1212, 13.4, 2.743, 0, 225.9), 0.048, 127),
            "pool": Fit((0.8914, 25.92, 0, 155, 0, 0, 0), 0.016, 15),
            "softmax": Fit((0, 24.96, 0, 93.92, 0, 0, 0), 0.007, 12),
            "stem": Fit((0.3453, 1.003, 2.002, 21.43, 0, 0, 0), 0.000, 8),
        },
        rows={
            "binary": Fit((0, 1.999, 0, 0.05693, 30.28, 0), 0.002, 10),
            "conv": Fit((0.137, 0.5666, 0, 215.8, 0, 0), 0.015, 7),
            "depthwise": Fit((0.5771, 0, 0.583, 12.26, 143.2, 66.71), 0.052, 38),
            "fully_connected": Fit((0, 0, 2.832, 164.7, 0, 0), 0.009, 3),
            "lookup": Fit((0, 4.203, 0, 0, 272.6, 0), 0.101, 21),
            "move": Fit((0, 0.506, 0, 1.454, 272.6, 0), 0.101, 21),
            "pointwise": Fit((0.1196, 2.987, 0, 9.59, 260.7, 1.659), 0.039, 50),
            "pool": Fit((0.982, 31.12, 0, 129.5, 272.6, 0), 0.101, 21),
            "stem": Fit((0.322, 1.658, 2.013, 9.282, 0, 0), 0.000, 6),
        },
        fused_error=0.117,
        fused=6,
    ),
    "portable": Costs(
        fitted_on="mps2-an386",
        classes={
            "binary": Fit((0, 34.04, 0, 65.16, 0, 0, 0), 0.077, 198),
            "conv": Fit((2.307, 21.03, 0, 0, 0, 0, 1.102e04), 0.015, 17),
            "depthwise": Fit((4.142, 9.697, 0, 0, 0, 0, 2818), 0.108, 213),
            "depthwise_inplace": Fit((4.507, 15.14, 0, 0, 0, 0, 8733), 0.115, 137),
            "dequantize": Fit((0, 4.5, 0, 0, 0, 0, 20), 1.000, 0),
            "fully_connected": Fit((2.791, 22.22, 0, 11.01, 0, 0, 0), 0.025, 51),
            "lookup": Fit((0, 3.746, 0, 0, 0, 0, 3.804), 0.027, 6),
            "move": Fit((0, 0.451, 0, 1.296, 0, 0, 32.02), 0.127, 14),
            "pointwise": Fit((2.228, 17.67, 0, 32.53, 0, 0, 112.2), 0.029, 676),
            "pool": Fit((2.335, 5.873, 0, 0, 0, 0, 85.1), 0.074, 41),
            "softmax": Fit((0, 25.03, 0, 89.18, 0, 0, 0), 0.009, 21),
            "stem": Fit((2.687, 16.09, 0, 0, 0, 0, 0), 0.061, 24),
        },
        rows={
            "binary": Fit((0, 34.24, 0, 65.55, 1291, 0), 0.075, 62),
            "conv": Fit((2.321, 21.16, 0, 0, 1291, 0), 0.075, 62),
            "depthwise": Fit((4.167, 9.755, 0, 0, 1291, 0), 0.075, 62),
            "fully_connected": Fit((2.808, 22.35, 0, 11.08, 1291, 0), 0.075, 62),
            "lookup": Fit((0, 3.768, 0, 0, 1291, 0), 0.075, 62),
            "move": Fit((0, 0.4537, 0, 1.304, 1291, 0), 0.075, 62),
            "pointwise": Fit((2.241, 17.78, 0, 32.73, 1291, 0), 0.075, 62),
            "pool": Fit((2.349, 5.908, 0, 0, 1291, 0), 0.075, 62),
            "stem": Fit((2.703, 16.19, 0, 0, 1291, 0), 0.075, 62),
        },
        fused_error=0.075,
        fused=62,
    ),
}
