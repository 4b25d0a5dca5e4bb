"""A network of one op, with seeded weights and calibrated scales: what a kernel is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.errors import UsageError
from harness.ir import Graph, ops
from harness.ir.ops import Activation, Padding, Window
from harness.ir.padding import same_padding
from harness.models.draft import Draft, per_tensor
from harness.models.recipe import Conv, Dense, Depthwise, Input, Plain, Recipe, Step
from harness.models.synthesis import synthesize

_SCALE, _ZERO_POINT = 0.05, -3
_SEED = 1


class OneOp(StrEnum):
    """Ops that can stand alone."""

    POINTWISE = "pointwise"
    CONV = "conv"
    DEPTHWISE = "depthwise"
    FULLY_CONNECTED = "fully-connected"
    ADD = "add"
    AVERAGE_POOL = "average-pool"
    MAX_POOL = "max-pool"
    SOFTMAX = "softmax"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOpShape:
    """``shape`` is [H, W, C], or [IN] of a fully connected op and of softmax; windows pad SAME."""

    op: OneOp
    shape: tuple[int, ...]
    channels: int | None = None
    kernel: tuple[int, int] | None = None
    stride: int = 1
    activation: Activation = Activation.RELU


def one_op(asked: OneOpShape) -> Graph:
    """Return the network.

    Raises:
        UsageError: the op does not take what is asked of it.
    """
    _check(asked)
    match asked.op:
        case OneOp.ADD:
            return _add(asked)
        case OneOp.MAX_POOL | OneOp.AVERAGE_POOL:
            return _pool(asked)
    recipe = Recipe(
        schema_version=1,
        title=asked.op.value,
        source="one op, seeded",
        seed=_SEED,
        input=Input(shape=asked.shape, scale=_SCALE, zero_point=_ZERO_POINT),
        padding="same",
        steps=(_step(asked),),
    )
    return synthesize(recipe, asked.op.value)


def _check(asked: OneOpShape) -> None:
    flat = (OneOp.FULLY_CONNECTED, OneOp.SOFTMAX)
    rank = 1 if asked.op in flat else 3
    if len(asked.shape) != rank:
        wanted = "IN" if rank == 1 else "HxWxC"
        raise UsageError(f"--shape of {asked.op} is {wanted}", hint="as in 64 or 24x24x64")
    takes_channels = asked.op in (OneOp.POINTWISE, OneOp.CONV, OneOp.FULLY_CONNECTED)
    if takes_channels != (asked.channels is not None):
        verb = "needs" if takes_channels else "has as many channels as its input; it takes no"
        raise UsageError(f"{asked.op} {verb} --out")
    windows = (OneOp.CONV, OneOp.DEPTHWISE, OneOp.AVERAGE_POOL, OneOp.MAX_POOL)
    if asked.kernel is not None and asked.op not in windows:
        raise UsageError(f"{asked.op} takes no --kernel")
    if asked.stride != 1 and asked.op not in (*windows, OneOp.POINTWISE):
        raise UsageError(f"{asked.op} takes no --stride")


def _step(asked: OneOpShape) -> Step:
    channels, kernel = asked.channels or 0, asked.kernel or (3, 3)
    match asked.op:
        case OneOp.DEPTHWISE:
            return Depthwise(
                op="depthwise", kernel=kernel, stride=asked.stride, activation=asked.activation
            )
        case OneOp.FULLY_CONNECTED:
            return Dense(op="dense", channels=channels, activation=asked.activation)
        case OneOp.SOFTMAX:
            return Plain(op="softmax")
        case _:
            return Conv(
                op="conv",
                channels=channels,
                kernel=(1, 1) if asked.op is OneOp.POINTWISE else kernel,
                stride=asked.stride,
                activation=asked.activation,
            )


def _add(asked: OneOpShape) -> Graph:
    draft = Draft(np.random.default_rng(_SEED))
    a, b = (
        draft.quantized(
            name, draft.rng.integers(-100, 100, (1, *asked.shape)), per_tensor(scale, zero_point)
        )
        for name, scale, zero_point in (("a", _SCALE, _ZERO_POINT), ("b", 0.7 * _SCALE, 5))
    )
    y = draft.calibrated("sum", a.real + b.real, asked.activation)
    draft.ops.append(
        ops.Add(inputs=(a.tensor, b.tensor), outputs=(y.tensor,), activation=asked.activation)
    )
    return Graph(
        asked.op.value, tuple(draft.tensors), tuple(draft.ops), (a.tensor, b.tensor), (y.tensor,)
    )


def _pool(asked: OneOpShape) -> Graph:
    draft = Draft(np.random.default_rng(_SEED))
    (height, width, channels), kernel = asked.shape, asked.kernel or (2, 2)
    stride = (asked.stride, asked.stride)
    rows, columns = map(same_padding, (height, width), kernel, stride)
    window = Window(kernel=kernel, stride=stride, padding=Padding(*rows, *columns))
    quantization = per_tensor(_SCALE, _ZERO_POINT)
    x = draft.quantized("x", np.zeros((1, *asked.shape)), quantization)
    size = (-(-height // asked.stride), -(-width // asked.stride))
    y = draft.quantized("pooled", np.zeros((1, *size, channels)), quantization)
    kind = ops.MaxPool2D if asked.op is OneOp.MAX_POOL else ops.AveragePool2D
    draft.ops.append(kind(inputs=(x.tensor,), outputs=(y.tensor,), window=window))
    return Graph(asked.op.value, tuple(draft.tensors), tuple(draft.ops), (x.tensor,), (y.tensor,))
