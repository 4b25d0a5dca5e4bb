"""One graph for each way in which kernels of Armv7E-M round: small convolutions."""

from __future__ import annotations

import numpy as np
import pytest

from harness.ir import Graph
from harness.ir.ops import Activation, Padding
from harness.ir.tensor import constant
from harness.kernels.armv7em import quantities
from tests.graphs import GraphBuilder, Quantized

_ENDS: dict[str, tuple[Activation, float, Quantized, tuple[float, ...]]] = {
    "line_int8": (Activation.RELU, 0.05, (0.03, -128), (0.01,)),
    "line_clamp": (Activation.RELU6, 0.05, (0.03, -128), (0.01,)),
    "round_int8": (Activation.NONE, 0.05, (0.1, 3), (0.01,)),
    "round_clamp": (Activation.RELU_N1_TO_1, 0.004, (0.009, 0), (0.01,)),
    "exact": (Activation.RELU_N1_TO_1, 0.05, (0.05, 0), (0.01,)),
    "exact, round_int8": (Activation.NONE, 0.05, (0.1, 3), (-0.01, *[0.01] * 5)),
}
"""Activation, input scale, output quantization and weight scales; a factor below 0 has a line only
where outputs lie on one side of the zero point."""


def ways_of_rounding(kernel: tuple[int, int] = (1, 1)) -> dict[str, Graph]:
    """Return the graphs by the ways of their parts: weights, rounding, clamp."""
    graphs = {}
    for weights in ("packed", "plain"):
        for name, (activation, scale, quantized, scales) in _ENDS.items():
            build = GraphBuilder(name, seed=1)
            x = build.input((1, 2 + kernel[0], 2 + kernel[1], 8), quantized=(scale, -3))
            y = build.conv(
                x,
                6,
                kernel,
                padding=Padding(),
                activation=activation,
                weight_scales=scales,
                quantized=quantized,
            )
            (op,) = build.ops
            assert op.outputs == (y,)
            if weights == "plain":
                lower(build, op.inputs[1])
            graphs[", ".join(f"{weights}_{way}" for way in name.split(", "))] = build.graph()
    return graphs


def lower(build: GraphBuilder, weights: int) -> None:
    """Put the lowest weight in places, which does not fit where two weights are packed."""
    tensor = build.tensors[weights]
    assert tensor.data is not None
    data = np.where(build.rng.random(tensor.shape) < 0.2, -128, tensor.data).astype(np.int8)
    build.tensors[weights] = constant(tensor.name, data, tensor.quantization)


def forbid_brief_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no pair of channels be rounded by two words, which nearly all can be."""
    monkeypatch.setattr(quantities, "shifts_of_pairs", lambda _: [])
    none = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    monkeypatch.setattr(quantities, "rounded", lambda *_: none)
