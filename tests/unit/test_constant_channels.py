"""What becomes of a constant channel, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.ir import Graph, TensorId
from harness.ir.ops import Activation, Add, DepthwiseConv2D, Padding
from harness.passes.bounds import channel_bounds
from harness.passes.pipeline import run_passes
from harness.passes.weighted import border_classes
from harness.reference.interpreter import run
from tests.graphs import GraphBuilder, random_inputs

ZERO_POINT = -3


def fix(build: GraphBuilder, y: TensorId, channel: int, value: int) -> None:
    """Let a channel of a convolution's output have one value, by its bias alone."""
    (op,) = (op for op in build.ops if op.outputs == (y,))
    axis = -1 if isinstance(op, DepthwiseConv2D) else 0
    for t, content in zip(op.inputs[1:], (0, 1_000_000 * (value - ZERO_POINT)), strict=True):
        data = build.tensors[t].data
        assert data is not None
        changed = data.copy()
        np.moveaxis(changed, axis, 0)[channel] = content
        build.tensors[t] = replace(build.tensors[t], data=changed)


def source(build: GraphBuilder, channels: int = 4, *, constant: int = 127) -> TensorId:
    """Return the output of a pointwise convolution whose channel 1 is constant."""
    x = build.conv(build.input((1, 5, 5, 2)), channels, (1, 1), quantized=(0.05, ZERO_POINT))
    fix(build, x, 1, constant)
    return x


def widths(graph: Graph) -> list[int]:
    """Return the channels of each op's output, and check that nothing else changed."""
    after = run_passes(graph)
    inputs = random_inputs(graph)
    for a, b in zip(run(graph, inputs), run(after, inputs), strict=True):
        np.testing.assert_array_equal(a, b)
    return [after.tensor(op.outputs[0]).shape[-1] for op in after.ops]


def test_a_constant_channel_goes_into_the_bias_of_its_reader() -> None:
    build = GraphBuilder("folded")
    y = build.conv(source(build), 6, (3, 3), padding=Padding())
    graph = build.graph()
    assert widths(graph) == [3, 6]
    second = run_passes(graph).ops[1]
    _, weights, bias = (build.tensors[t].data for t in build.ops[1].inputs)
    assert weights is not None
    assert bias is not None
    added = (127 - ZERO_POINT) * weights[:, :, :, 1].sum(axis=(1, 2), dtype=np.int32)
    folded = run_passes(graph).tensor(second.inputs[2]).data
    assert folded is not None
    np.testing.assert_array_equal(folded, bias + added)
    assert build.shape(y) == (1, 3, 3, 6)


@pytest.mark.parametrize(
    ("constant", "padding", "kept"),
    [(127, Padding(), 3), (127, Padding(top=1), 4), (ZERO_POINT, Padding(top=1, left=1), 3)],
    ids=["no padding", "padding differs", "padding is the same"],
)
def test_a_padded_reader_folds_only_the_zero_point(
    constant: int, padding: Padding, kept: int
) -> None:
    build = GraphBuilder("padded")
    build.conv(source(build, constant=constant), 2, (3, 3), padding=padding)
    assert widths(build.graph()) == [kept, 2]


@pytest.mark.parametrize(
    ("activation", "kept"), [(Activation.NONE, 4), (Activation.RELU6, 3)], ids=["differ", "alike"]
)
def test_a_depthwise_channel_is_constant_if_all_its_borders_are(
    activation: Activation, kept: int
) -> None:
    build = GraphBuilder("borders")
    y = build.depthwise(source(build), activation=activation, quantized=(0.05, -128))
    weights = build.ops[1].inputs[1]
    data = build.tensors[weights].data
    assert data is not None
    positive = data.copy()
    positive[..., 1] = np.abs(positive[..., 1])
    build.tensors[weights] = replace(build.tensors[weights], data=positive)
    build.conv(y, 2, (1, 1))
    # Without a clamp a corner sums four cells and the middle nine; the clamp hides it.
    assert widths(build.graph()) == [kept, kept, 2]


def test_both_sides_of_an_addition_go_or_none() -> None:
    for both, kept in ((True, 3), (False, 4)):
        build = GraphBuilder("residual")
        a = source(build)
        b = build.conv(build.inputs[0], 4, (1, 1), quantized=(0.05, ZERO_POINT))
        if both:
            fix(build, b, 1, 127)
        build.conv(build.binary(Add, a, b), 2, (1, 1))
        assert widths(build.graph()) == [kept, kept, kept, 2]


def test_what_only_removed_channels_read_goes_too() -> None:
    build = GraphBuilder("backwards")
    x = build.conv(build.input((1, 4, 4, 2)), 3, (1, 1))
    y = build.depthwise(x)
    fix(build, y, 2, 127)
    build.conv(y, 2, (1, 1))
    assert widths(build.graph()) == [2, 2, 2]


def test_a_channel_remains_where_all_are_constant() -> None:
    build = GraphBuilder("nothing left")
    x = source(build, 2)
    fix(build, x, 0, 127)
    build.conv(x, 3, (1, 1))
    assert widths(build.graph()) == [1, 3]


def test_a_fully_connected_op_keeps_two_scales() -> None:
    """With one scale left, TensorFlow Lite would round their product in another way."""
    build = GraphBuilder("scales")
    x = build.fully_connected(build.input((1, 8)), 4, weight_scales=(0.01, 0.02, 0.03, 0.04))
    for channel in range(3):
        fix(build, x, channel, 127)
    build.fully_connected(x, 2)
    assert widths(build.graph()) == [2, 2]


def test_flattened_channels_take_their_weights_along() -> None:
    build = GraphBuilder("flat")
    build.fully_connected(build.reshape(source(build), 1, -1), 2)
    assert widths(build.graph()) == [3, 75, 2]


def test_border_classes_of_a_padded_window() -> None:
    build = GraphBuilder("classes")
    build.depthwise(build.input((1, 5, 5, 1)), (3, 3))
    (op,) = build.ops
    classes = border_classes(op.window, (1, 5, 5, 1), (1, 5, 5, 1))  # type: ignore[union-attr]
    assert sorted(classes.sum(axis=1).tolist()) == [4, 4, 4, 4, 6, 6, 6, 6, 9]


def test_bounds_of_a_clamped_channel() -> None:
    build = GraphBuilder("clamped")
    y = build.conv(
        build.input((1, 4, 4, 1)), 3, (1, 1), activation=Activation.RELU6, quantized=(0.05, -128)
    )
    bounds = channel_bounds(build.graph())[y]
    assert bounds.low.min() >= -128
    assert bounds.high.max() <= -128 + round(6 / 0.05)
