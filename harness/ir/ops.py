"""One frozen dataclass for each kind of op.

Field names are TensorFlow Lite's, made one word per thing. Everything that a kernel needs to know
and that is constant is a field here; what flows is in ``inputs`` and ``outputs``. Shapes are not
repeated: they are in the tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from harness.ir.tensor import TensorId


class Activation(StrEnum):
    """The clamp that an op applies to its real-valued result."""

    NONE = "NONE"
    RELU = "RELU"
    RELU6 = "RELU6"
    RELU_N1_TO_1 = "RELU_N1_TO_1"


@dataclass(frozen=True, slots=True)
class Padding:
    """Rows and columns added around [H, W]; explicit, never "SAME"."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @property
    def is_zero(self) -> bool:
        """Whether nothing is padded."""
        return not (self.top or self.bottom or self.left or self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How a kernel of ``[KH, KW]`` moves over ``[H, W]``; all pairs are (vertical, horizontal)."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = Padding()

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns that one output sees, dilation included."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseOp:
    """What all ops have. ``index`` is the op's position in the model file, for error messages."""

    kind: ClassVar[str] = ""
    inputs: tuple[TensorId, ...]
    outputs: tuple[TensorId, ...]
    index: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv2D(BaseOp):
    """Inputs: x ``[N, H, W, C]``, weights ``[OC, KH, KW, C]``, and maybe bias ``[OC]`` int32."""

    kind: ClassVar[str] = "CONV_2D"
    window: Window
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv2D(BaseOp):
    """Inputs: x ``[N, H, W, C]``, weights ``[1, KH, KW, C * multiplier]``, maybe bias."""

    kind: ClassVar[str] = "DEPTHWISE_CONV_2D"
    window: Window
    depth_multiplier: int = 1
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class FullyConnected(BaseOp):
    """Inputs: x (flattened to ``[batch, IN]``), weights ``[OUT, IN]``, maybe bias ``[OUT]``."""

    kind: ClassVar[str] = "FULLY_CONNECTED"
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(BaseOp):
    """Element-wise sum of two tensors; shapes broadcast as numpy's do."""

    kind: ClassVar[str] = "ADD"
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sub(BaseOp):
    """Element-wise first minus second; shapes broadcast."""

    kind: ClassVar[str] = "SUB"
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Mul(BaseOp):
    """Element-wise product; shapes broadcast."""

    kind: ClassVar[str] = "MUL"
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(BaseOp):
    """``paddings[axis] = (before, after)``; the added elements have the quantized ``value``."""

    kind: ClassVar[str] = "PAD"
    paddings: tuple[tuple[int, int], ...]
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePool2D(BaseOp):
    """Mean over a window; padded cells are not counted."""

    kind: ClassVar[str] = "AVERAGE_POOL_2D"
    window: Window
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool2D(BaseOp):
    """Maximum over a window; padded cells are not seen."""

    kind: ClassVar[str] = "MAX_POOL_2D"
    window: Window
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(BaseOp):
    """Mean over ``axes`` (sorted, non-negative, no duplicates)."""

    kind: ClassVar[str] = "MEAN"
    axes: tuple[int, ...]
    keep_dims: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape(BaseOp):
    """The same elements in the output's shape; inputs: x, and maybe the shape as a tensor."""

    kind: ClassVar[str] = "RESHAPE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax(BaseOp):
    """Softmax over the last axis."""

    kind: ClassVar[str] = "SOFTMAX"
    beta: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic(BaseOp):
    """``1 / (1 + exp(-x))``."""

    kind: ClassVar[str] = "LOGISTIC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tanh(BaseOp):
    """Hyperbolic tangent."""

    kind: ClassVar[str] = "TANH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantize(BaseOp):
    """From float32, or from one quantization to another."""

    kind: ClassVar[str] = "QUANTIZE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dequantize(BaseOp):
    """From a quantized type to float32."""

    kind: ClassVar[str] = "DEQUANTIZE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concatenation(BaseOp):
    """Join along ``axis`` (non-negative)."""

    kind: ClassVar[str] = "CONCATENATION"
    axis: int
    activation: Activation = Activation.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(BaseOp):
    """Cut into equal parts along ``axis`` (non-negative), one output each."""

    kind: ClassVar[str] = "SPLIT"
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack(BaseOp):
    """Stack tensors of one shape along a new ``axis`` (non-negative)."""

    kind: ClassVar[str] = "PACK"
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpack(BaseOp):
    """Take a tensor apart along ``axis`` (non-negative), which vanishes."""

    kind: ClassVar[str] = "UNPACK"
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transpose(BaseOp):
    """Output axis i is input axis ``perm[i]``."""

    kind: ClassVar[str] = "TRANSPOSE"
    perm: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StridedSlice(BaseOp):
    """``x[begin[i] : : strides[i]]`` on each input axis, ``lengths[i]`` elements of it.

    Masks, negative indices and ends are resolved by the importer. Axes that the file shrinks have
    length 1 here and are missing in the output's shape.
    """

    kind: ClassVar[str] = "STRIDED_SLICE"
    begin: tuple[int, ...]
    strides: tuple[int, ...]
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeNearestNeighbor(BaseOp):
    """Nearest-neighbour resize of ``[N, H, W, C]`` to the output's H and W."""

    kind: ClassVar[str] = "RESIZE_NEAREST_NEIGHBOR"
    align_corners: bool = False
    half_pixel_centers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(BaseOp):
    """The input's shape as an int32 tensor; always foldable, since shapes are static."""

    kind: ClassVar[str] = "SHAPE"


Op = (
    Conv2D
    | DepthwiseConv2D
    | FullyConnected
    | Add
    | Sub
    | Mul
    | Pad
    | AveragePool2D
    | MaxPool2D
    | Mean
    | Reshape
    | Softmax
    | Logistic
    | Tanh
    | Quantize
    | Dequantize
    | Concatenation
    | Split
    | Pack
    | Unpack
    | Transpose
    | StridedSlice
    | ResizeNearestNeighbor
    | Shape
)

BinaryOp = Add | Sub | Mul
"""Element-wise ops with two operands."""

WindowOp = Conv2D | DepthwiseConv2D | AveragePool2D | MaxPool2D
"""Ops that move a window over rows and columns."""
