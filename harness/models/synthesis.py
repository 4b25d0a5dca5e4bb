"""From a recipe to a graph: seeded weights, and scales calibrated on seeded inputs.

Scales matter even where answers do not: with arbitrary ones, activations saturate or vanish and
the run proves little. So every op is run on a few seeded inputs as it is added, its weights' scale
is set so that its results have a sensible size, and its output's scale so that the 256 levels span
what was seen.

The result is the same on every machine: random numbers are integers from numpy's PCG64, sums are
of integers (exact in float64 in any order), and all else is single IEEE operations.
"""

from __future__ import annotations

import numpy as np

from harness.ir import Graph, ops
from harness.ir.ops import Activation, Padding, Window
from harness.ir.padding import same_padding
from harness.ir.tensor import Array
from harness.models.draft import Draft, Value, draw_weights, per_tensor
from harness.models.recipe import (
    Bottlenecks,
    Conv,
    Dense,
    Depthwise,
    PaddingStyle,
    Plain,
    Recipe,
    Residual,
    Row,
    Step,
)

_BLOCK = 8
"""Side of the squares of the smooth calibration sample: photographs are not white noise."""


def synthesize(recipe: Recipe, name: str) -> Graph:
    """Return the recipe's architecture with seeded weights and calibrated scales."""
    draft = Draft(np.random.default_rng(recipe.seed))
    quantization = per_tensor(recipe.input.scale, recipe.input.zero_point)
    samples = _calibration_samples(draft.rng, recipe.input.shape) - recipe.input.zero_point
    value = first = draft.quantized("input", samples, quantization)
    for step in recipe.steps:
        value = _add_step(draft, value, step, recipe.padding)
    return Graph(name, tuple(draft.tensors), tuple(draft.ops), (first.tensor,), (value.tensor,))


def _calibration_samples(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return white noise and, for images, squares of one colour: int8 values ``[S, *shape]``."""
    noise = rng.integers(-128, 128, (1, *shape)).astype(np.float64)
    if len(shape) < 3:
        return noise
    h, w, c = shape
    coarse = rng.integers(-128, 128, (1, -(-h // _BLOCK), -(-w // _BLOCK), c)).astype(np.float64)
    squares = coarse.repeat(_BLOCK, axis=1).repeat(_BLOCK, axis=2)[:, :h, :w]
    return np.concatenate([noise, squares])


def _add_step(draft: Draft, x: Value, step: Step, padding: PaddingStyle) -> Value:
    """Append the ops of one step and return its output."""
    match step:
        case Conv():
            return _conv(draft, x, step, padding)
        case Depthwise():
            return _depthwise(draft, x, step, padding)
        case Bottlenecks():
            for row in step.rows:
                x = _bottleneck(draft, x, row, step.activation, padding)
            return x
        case Residual():
            return _residual(draft, x, step, padding)
        case Dense():
            return _dense(draft, x, step)
        case Plain(op="average_pool"):
            return _average_pool(draft, x)
        case Plain(op="flatten"):
            return _flatten(draft, x)
        case Plain():
            return _softmax(draft, x)


def _bottleneck(
    draft: Draft, x: Value, row: Row, activation: Activation, padding: PaddingStyle
) -> Value:
    expanded, kernel, stride, channels = row
    y = x
    if expanded != x.samples.shape[-1]:
        expand = Conv(op="conv", channels=expanded, activation=activation)
        y = _conv(draft, y, expand, padding)
    depthwise = Depthwise(
        op="depthwise", kernel=(kernel, kernel), stride=stride, activation=activation
    )
    y = _depthwise(draft, y, depthwise, padding)
    y = _conv(draft, y, Conv(op="conv", channels=channels), padding)
    return _sum(draft, y, x, Activation.NONE) if y.samples.shape == x.samples.shape else y


def _residual(draft: Draft, x: Value, step: Residual, padding: PaddingStyle) -> Value:
    body, shortcut = x, x
    for conv in step.body:
        body = _conv(draft, body, conv, padding)
    for conv in step.shortcut:
        shortcut = _conv(draft, shortcut, conv, padding)
    return _sum(draft, body, shortcut, step.activation)


def _conv(draft: Draft, x: Value, step: Conv, padding: PaddingStyle) -> Value:
    x, window, padded = _place_window(draft, x, step.kernel, step.stride, padding)
    name = draft.name("conv")
    weights = draw_weights(draft.rng, (step.channels, *step.kernel, x.samples.shape[-1]))
    patches = np.concatenate(_shifted(padded, window), axis=-1)
    sums = patches @ weights.reshape(step.channels, -1).T.astype(np.float64)
    inputs, real = draft.weighted(name, x, weights, sums, channel_axis=0)
    y = draft.calibrated(name, real, step.activation)
    draft.ops.append(
        ops.Conv2D(inputs=inputs, outputs=(y.tensor,), window=window, activation=step.activation)
    )
    return y


def _depthwise(draft: Draft, x: Value, step: Depthwise, padding: PaddingStyle) -> Value:
    x, window, padded = _place_window(draft, x, step.kernel, step.stride, padding)
    name = draft.name("depthwise")
    channels = x.samples.shape[-1]
    weights = draw_weights(draft.rng, (1, *step.kernel, channels))
    taps = weights.reshape(-1, channels).astype(np.float64)
    sums = sum(cells * tap for cells, tap in zip(_shifted(padded, window), taps, strict=True))
    inputs, real = draft.weighted(name, x, weights, np.asarray(sums), channel_axis=3)
    y = draft.calibrated(name, real, step.activation)
    draft.ops.append(
        ops.DepthwiseConv2D(
            inputs=inputs, outputs=(y.tensor,), window=window, activation=step.activation
        )
    )
    return y


def _dense(draft: Draft, x: Value, step: Dense) -> Value:
    name = draft.name("dense")
    weights = draw_weights(draft.rng, (step.channels, x.samples.shape[-1]))
    sums = x.samples @ weights.T.astype(np.float64)
    inputs, real = draft.weighted(name, x, weights, sums, channel_axis=None)
    y = draft.calibrated(name, real, step.activation)
    draft.ops.append(
        ops.FullyConnected(inputs=inputs, outputs=(y.tensor,), activation=step.activation)
    )
    return y


def _sum(draft: Draft, a: Value, b: Value, activation: Activation) -> Value:
    y = draft.calibrated(draft.name("add"), a.real + b.real, activation)
    draft.ops.append(
        ops.Add(inputs=(a.tensor, b.tensor), outputs=(y.tensor,), activation=activation)
    )
    return y


def _average_pool(draft: Draft, x: Value) -> Value:
    h, w = x.samples.shape[1:3]
    mean = np.rint(x.samples.sum(axis=(1, 2), keepdims=True) / (h * w))
    y = draft.quantized(draft.name("average_pool"), mean, x.quantization)
    window = Window(kernel=(h, w), stride=(h, w))
    draft.ops.append(ops.AveragePool2D(inputs=(x.tensor,), outputs=(y.tensor,), window=window))
    return y


def _flatten(draft: Draft, x: Value) -> Value:
    flat = x.samples.reshape(len(x.samples), -1)
    y = draft.quantized(draft.name("flatten"), flat, x.quantization)
    draft.ops.append(ops.Reshape(inputs=(x.tensor,), outputs=(y.tensor,)))
    return y


def _softmax(draft: Draft, x: Value) -> Value:
    # Softmax ends a model: nothing follows that its samples would calibrate.
    y = draft.quantized(draft.name("softmax"), x.samples, per_tensor(1 / 256, -128))
    draft.ops.append(ops.Softmax(inputs=(x.tensor,), outputs=(y.tensor,)))
    return y


def _place_window(
    draft: Draft, x: Value, kernel: tuple[int, int], stride: int, padding: PaddingStyle
) -> tuple[Value, Window, Array]:
    """Return the op's input (after a PAD where the recipe wants it), window and padded samples."""
    (kh, kw), (h, w) = kernel, x.samples.shape[1:3]
    if padding == "centred" and kernel != (1, 1):
        x = _pad(draft, x, ((0, 0), (kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)))
        return x, Window(kernel=kernel, stride=(stride, stride)), x.samples
    vertical, horizontal = same_padding(h, kh, stride), same_padding(w, kw, stride)
    window = Window(kernel=kernel, stride=(stride, stride), padding=Padding(*vertical, *horizontal))
    return x, window, np.pad(x.samples, ((0, 0), vertical, horizontal, (0, 0)))


def _pad(draft: Draft, x: Value, paddings: tuple[tuple[int, int], ...]) -> Value:
    y = draft.quantized(draft.name("pad"), np.pad(x.samples, paddings), x.quantization)
    zero = x.quantization.zero_point
    draft.ops.append(
        ops.Pad(inputs=(x.tensor,), outputs=(y.tensor,), paddings=paddings, value=zero)
    )
    return y


def _shifted(padded: Array, window: Window) -> list[Array]:
    """Return, for each cell of the window, the inputs that it meets: ``[S, OH, OW, C]`` each."""
    (kh, kw), (sh, sw) = window.kernel, window.stride
    oh, ow = (padded.shape[1] - kh) // sh + 1, (padded.shape[2] - kw) // sw + 1
    return [
        padded[:, i : i + (oh - 1) * sh + 1 : sh, j : j + (ow - 1) * sw + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]
