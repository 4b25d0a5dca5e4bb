"""Channels that cannot change are found, folded and removed without changing a bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ir import DType, Graph, Quantization, Tensor
from harness.ir.ops import Activation, Add, Conv2D, DepthwiseConv2D, FullyConnected, Padding
from harness.passes.bounds import channel_bounds
from harness.passes.pipeline import run_passes
from harness.reference.interpreter import interpret, run
from tests.graphs import GraphBuilder, random_inputs
from tests.strategies import random_graphs, seeds, zero_points

CAUSES = ("alive", "alive", "no weights", "neither weights nor bias", "clamped", "tiny scale")


def kill_channels(graph: Graph, seed: int) -> Graph:
    """Return the graph with some channels of its weighted ops made constant in various ways."""
    rng = np.random.default_rng(seed)
    tensors = list(graph.tensors)
    for op in graph.ops:
        if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected) and len(op.inputs) > 2:
            weights, bias = op.inputs[1:]
            axis = 3 if isinstance(op, DepthwiseConv2D) else 0
            tensors[weights], tensors[bias] = _killed(tensors[weights], tensors[bias], axis, rng)
    return replace(graph, tensors=tuple(tensors))


def _killed(
    weights: Tensor, bias: Tensor, axis: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    assert weights.data is not None
    assert bias.data is not None
    assert weights.quantization is not None
    channels = weights.shape[axis]
    filters, values = np.moveaxis(weights.data.copy(), axis, 0), bias.data.copy()
    scales = np.resize(weights.quantization.scales, channels)
    for channel, cause in enumerate(rng.choice(CAUSES, channels)):
        match cause:
            case "no weights":
                filters[channel] = 0
            case "neither weights nor bias":
                filters[channel], values[channel] = 0, 0
            case "clamped":
                values[channel] = rng.choice([-1, 1]) << 24
            case "tiny scale":
                scales[channel], values[channel] = 1e-20, rng.choice([-1, 1]) * (2**31 - 1)
    quantization = Quantization(tuple(map(float, scales)), (0,) * channels, axis)
    data = np.ascontiguousarray(np.moveaxis(filters, 0, axis))
    return replace(weights, data=data, quantization=quantization), replace(bias, data=values)


@st.composite
def bottlenecks(draw: st.DrawFn) -> Graph:
    """Draw inverted residual blocks with any padding around the depthwise op and its reader."""
    build = GraphBuilder("bottlenecks", draw(seeds))
    odd = st.builds(Padding, *[st.integers(0, 2)] * 4)
    activations = st.sampled_from([Activation.NONE, Activation.RELU, Activation.RELU6])
    x = build.input((1, draw(st.integers(5, 7)), 6, 4), quantized=(0.05, draw(zero_points)))
    x = build.conv(x, 4, (1, 1), quantized=(0.05, draw(zero_points)))
    for _ in range(draw(st.integers(1, 2))):
        roomy = min(build.shape(x)[1:3]) > 4
        padding = st.none() | odd if roomy else st.none()
        y = build.conv(
            x, 8, (1, 1), quantized=(0.1, draw(zero_points)), activation=draw(activations)
        )
        y = build.depthwise(
            y,
            padding=draw(padding),
            multiplier=draw(st.sampled_from([1, 1, 2])),
            quantized=(0.1, draw(zero_points)),
            activation=draw(activations),
        )
        kernel = draw(st.sampled_from([(1, 1), (3, 3), (2, 3)]))
        y = build.conv(y, 4, kernel, padding=None if kernel == (1, 1) else draw(padding))
        x = build.binary(Add, x, y) if build.shape(x) == build.shape(y) else y
    flat = build.reshape(build.mean(x) if draw(st.booleans()) else x, 1, -1)
    build.fully_connected(flat, 3, weight_scales=(0.01, 0.02, 0.01))
    return build.graph()


def assert_same(before: Graph, after: Graph) -> None:
    for seed in range(3):
        inputs = random_inputs(before, seed)
        for a, b in zip(run(before, inputs), run(after, inputs), strict=True):
            np.testing.assert_array_equal(a, b)


@given(st.one_of(random_graphs(), bottlenecks()), seeds)
@settings(max_examples=150)
def test_removing_constant_channels_keeps_outputs(graph: Graph, seed: int) -> None:
    graph = kill_channels(graph, seed)
    assert_same(graph, run_passes(graph, {"silence-channels", "remove-constant-channels"}))
    assert_same(graph, run_passes(graph))


@given(st.one_of(random_graphs(), bottlenecks()), seeds)
@settings(max_examples=100)
def test_no_value_is_outside_its_bounds(graph: Graph, seed: int) -> None:
    graph = kill_channels(graph, seed)
    bounds = channel_bounds(graph)
    for values in (interpret(graph, random_inputs(graph, seed)) for seed in range(2)):
        for t in graph.activations():
            if graph.tensor(t).dtype is not DType.INT8:
                continue
            found = values[t].reshape(-1, values[t].shape[-1])
            assert (found >= bounds[t].low).all(), graph.tensor(t).name
            assert (found <= bounds[t].high).all(), graph.tensor(t).name
