"""Operands and options that no writer of ours would write: each refusal's text is read.

An op is given as the file has it; the table of the writer cannot say such things.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from harness.errors import MalformedModelError
from harness.importer.flatbuffer import Option, RawOp
from harness.importer.ops import convert_op
from harness.importer.site import Refusal, Site
from harness.importer.tensors import UnusableTensor
from harness.ir import DType, Quantization, Tensor
from harness.ir.tensor import constant

X = Tensor("x", (1, 4, 4, 2), DType.INT8, Quantization((0.5,), (0,)))
POOL: dict[str, Option] = {"FilterHeight": 2, "FilterWidth": 2, "StrideH": 1, "StrideW": 1}
SLICE: dict[str, Option] = {"EllipsisMask": 0, "NewAxisMask": 0, "Offset": 0}
SLICE |= {"BeginMask": 0, "EndMask": 0, "ShrinkAxisMask": 0}


def operand(*values: float, dtype: type = np.int32) -> Tensor:
    return constant("operand", np.array(values, dtype))


def value(number: int, scale: float = 0.5) -> Tensor:
    return constant("value", np.array(number, np.int8), Quantization((scale,), (0,)))


NO_PADDING, FOUR = operand(*(0,) * 8), operand(1, 1, 1, 1)

MALFORMED: dict[str, tuple[str, Sequence[Tensor], dict[str, Option]]] = {
    r"padding code 2; 0 \(SAME\) and 1 \(VALID\) exist": (
        "MAX_POOL_2D", (X,), POOL | {"Padding": 2},
    ),
    "6 paddings for 4 axes; two an axis": ("PAD", (X, operand(*(0,) * 6)), {}),
    r"reshapes to \[5\], its output has \[1, 4, 4, 2\]": ("RESHAPE", (X, operand(5)), {}),
    "2 axes to split along; one is needed": ("SPLIT", (operand(1, 2), X), {}),
    r"resizes to \[9, 9\], its output has \[1, 4, 4, 2\]": (
        "RESIZE_NEAREST_NEIGHBOR", (X, operand(9, 9)), {},
    ),
    "its permutation are int8; int32 is needed": (
        "TRANSPOSE", (X, operand(0, 1, 2, 3, dtype=np.int8)), {},
    ),
    "its paddings have 65 elements": ("PAD", (X, operand(*range(65))), {}),
    "3 begins, 4 ends, 4 strides, 4 axes": (
        "STRIDED_SLICE", (X, operand(0, 0, 0), FOUR, FOUR), SLICE,
    ),
    r"index 7 on axis 1 of \[1, 4, 4, 2\]": (
        "STRIDED_SLICE", (X, operand(0, 7, 0, 0), FOUR, FOUR), SLICE | {"ShrinkAxisMask": 2},
    ),
}  # fmt: skip

REFUSED: dict[str, tuple[str, Sequence[Tensor], dict[str, Option]]] = {
    "shuffled weights are not offered": ("FULLY_CONNECTED", (X, X), {"WeightsFormat": 1}),
    "its value must be one constant of type int8": ("PADV2", (X, NO_PADDING, X), {}),
    "its value and its output have different scales": (
        "PADV2", (X, NO_PADDING, value(3, scale=0.25)), {},
    ),
    r"its axes \('x'\) are computed; only constants are offered": (
        "MEAN", (X, X), {"KeepDims": False},
    ),
    "fused activation TANH is not offered": (
        "MAX_POOL_2D", (X,), POOL | {"Padding": 1, "FusedActivationFunction": 4},
    ),
    "fused activation 9 is not offered": (
        "MAX_POOL_2D", (X,), POOL | {"Padding": 1, "FusedActivationFunction": 9},
    ),
    "an ellipsis in a slice: not offered": (
        "STRIDED_SLICE", (X, FOUR, FOUR, FOUR), SLICE | {"EllipsisMask": 1},
    ),
    "new axes in a slice: not offered": (
        "STRIDED_SLICE", (X, FOUR, FOUR, FOUR), SLICE | {"NewAxisMask": 1},
    ),
    "ends relative to begins in a slice: not offered": (
        "STRIDED_SLICE", (X, FOUR, FOUR, FOUR), SLICE | {"Offset": 1},
    ),
}  # fmt: skip


def convert(kind: str, inputs: Sequence[Tensor], options: dict[str, Option]) -> None:
    count = len(inputs)
    op = RawOp(kind, tuple(range(count)), (count,), options)
    convert_op(Site("m: op 0", 0, op, [*inputs, X]))


@pytest.mark.parametrize("message", MALFORMED)
def test_an_op_that_contradicts_itself(message: str) -> None:
    with pytest.raises(MalformedModelError, match=f"^m: op 0: {message}$"):
        convert(*MALFORMED[message])


@pytest.mark.parametrize("message", REFUSED)
def test_an_op_that_is_not_offered(message: str) -> None:
    with pytest.raises(Refusal, match=f"^{message}$"):
        convert(*REFUSED[message])


def test_padding_floats_with_anything_but_zero() -> None:
    x = Tensor("x", (1, 2), DType.FLOAT32)
    tensors = [x, operand(0, 0, 1, 0), constant("value", np.array([1.5], np.float32)), x]
    with pytest.raises(Refusal, match=r"padding float32 with 1\.5; only 0 is offered"):
        convert_op(Site("m: op 0", 0, RawOp("PADV2", (0, 1, 2), (3,), {}), tensors))


def test_a_tensor_of_a_kind_that_is_not_offered() -> None:
    op = RawOp("TANH", (0,), (1,), {})
    with pytest.raises(Refusal, match="tensor 'state' is a variable"):
        convert_op(Site("m: op 0", 0, op, [UnusableTensor("state", "is a variable"), X]))


def test_a_kind_of_op_that_is_not_offered() -> None:
    with pytest.raises(Refusal, match="this kind of op is not offered"):
        convert("SVDF", (X,), {})
