"""Recipes: the architecture of a model as a short list of steps, from ``models/recipes``.

Where a model's file cannot be had, its recipe gives the same ops with the same shapes, so that
latency, SRAM and flash are those of the real one. The weights are seeded (see
:mod:`harness.models.synthesis`): what the model answers means nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.data import data_dir
from harness.errors import UsageError, near_names
from harness.facts import Facts, load_facts
from harness.ir.ops import Activation

Count = Annotated[int, Field(gt=0, le=1 << 16)]
Row = tuple[Count, Count, Count, Count]
PaddingStyle = Literal["same", "centred"]


class Input(Facts):
    """The model's input, without N, and its quantization."""

    shape: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)]
    scale: Annotated[float, Field(gt=0)]
    zero_point: Annotated[int, Field(ge=-128, le=127)]


class Conv(Facts):
    """A convolution to so many channels."""

    op: Literal["conv"]
    channels: Count
    kernel: tuple[Count, Count] = (1, 1)
    stride: Count = 1
    activation: Activation = Activation.NONE


class Depthwise(Facts):
    """A depthwise convolution, one filter a channel."""

    op: Literal["depthwise"]
    kernel: tuple[Count, Count]
    stride: Count = 1
    activation: Activation = Activation.NONE


class Bottlenecks(Facts):
    """Inverted residual blocks (MobileNetV2, arXiv:1801.04381), one a row.

    A row is ``[expanded, kernel, stride, channels]``: 1x1 convolution to the expanded channels,
    left out when the input has just as many; depthwise convolution; 1x1 convolution to the
    channels. Where the block's input and output have one shape, they are added.
    """

    op: Literal["bottlenecks"]
    rows: tuple[Row, ...]
    activation: Activation = Activation.RELU6


class Residual(Facts):
    """Two chains of convolutions from one input, added; an empty shortcut is the input itself."""

    op: Literal["residual"]
    body: Annotated[tuple[Conv, ...], Field(min_length=1)]
    shortcut: tuple[Conv, ...] = ()
    activation: Activation = Activation.NONE


class Dense(Facts):
    """A fully connected op."""

    op: Literal["dense"]
    channels: Count
    activation: Activation = Activation.NONE


class Plain(Facts):
    """An op without a choice: global average pool, flatten, softmax."""

    op: Literal["average_pool", "flatten", "softmax"]


Step = Annotated[
    Conv | Depthwise | Bottlenecks | Residual | Dense | Plain, Field(discriminator="op")
]


class Recipe(Facts):
    """An architecture.

    ``padding`` is how windows larger than one cell keep their size: ``same`` as TensorFlow does,
    or ``centred``: a PAD op of half the kernel on each side, as PyTorch's exporters write it.
    """

    schema_version: Literal[1]
    title: str
    source: Annotated[str, Field(min_length=4)]
    seed: Annotated[int, Field(ge=0)]
    input: Input
    padding: PaddingStyle
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


def recipe_names() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted(path.stem for path in (data_dir("models") / "recipes").glob("*.yaml"))


def load_recipe(name: str) -> Recipe:
    """Return the recipe of a name.

    Raises:
        UsageError: there is no such recipe.
        FactsError: its YAML is faulty.
    """
    known = recipe_names()
    if name not in known:
        raise UsageError(f"there is no recipe {name!r}", hint=near_names(name, known))
    return load_facts(data_dir("models") / "recipes" / f"{name}.yaml", Recipe)
