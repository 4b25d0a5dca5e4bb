"""One graph for each way in which kernels of Armv7E-M round: small convolutions."""

from __future__ import annotations

from dataclasses import replace

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


def alternating(
    group: int,
    kernel: tuple[int, int] | None = None,
    *,
    seed: int = 1,
    zero_points: tuple[int, int] = (-3, 3),
    factor: float = 0.02,
) -> Graph:
    """Return a convolution, or without a kernel a fully connected op, of eight ways in turn.

    A ``group`` of channels is rounded as the reference does. The next has negative factors, with
    which assembly would not do so exactly; but by the bias its outputs lie on one side of the zero
    point, so that it has lines.
    """
    build, channels = GraphBuilder("alternating", seed), 8 * group
    odd = np.arange(channels) // group % 2 == 1
    scales, quantized = tuple(np.where(odd, -factor, factor).tolist()), (0.05, zero_points[1])
    rows, columns = kernel or (1, 1)
    x = build.input((1, 8 + rows, 8 + columns, 8), quantized=(0.05, zero_points[0]))
    if kernel:
        padding = Padding()
        build.conv(x, channels, kernel, padding=padding, weight_scales=scales, quantized=quantized)
    else:
        build.fully_connected(x, channels, weight_scales=scales, quantized=quantized)
    weights = build.ops[0].inputs[1]
    data = build.rng.integers(-7, 7, build.shape(weights), np.int8, endpoint=True)
    data[odd] = 0
    data.reshape(channels, -1)[odd, 0] = 1
    build.tensors[weights] = replace(build.tensors[weights], data=data)
    bias = build.ops[0].inputs[2]
    values = np.where(odd, 128 + abs(zero_points[0]), 0).astype(np.int32)
    build.tensors[bias] = replace(build.tensors[bias], data=values)
    return build.graph()


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
