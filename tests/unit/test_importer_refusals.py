"""Each reason to refuse a file has a test that reads its text."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tflite

from harness.errors import MalformedModelError, UnsupportedModelError
from harness.importer import limits
from harness.importer.tflite import read_tflite
from harness.ir import DType, Graph, Op, Quantization, Tensor, TensorId
from harness.ir.ops import (
    Activation,
    Add,
    AveragePool2D,
    Mul,
    Padding,
    Reshape,
    Shape,
    Window,
)
from harness.models.writer import write_tflite
from tests.graphs import GraphBuilder, chain_graph, conv_graph, float32, residual_graph


def edit(graph: Graph, tensor: TensorId | int, **changes: object) -> Graph:
    """Return the graph with fields of one tensor changed, sound or not."""
    tensors = list(graph.tensors)
    tensors[tensor] = replace(tensors[tensor], **changes)  # type: ignore[arg-type]
    return replace(graph, tensors=tuple(tensors))


def edit_op(graph: Graph, position: int, **changes: object) -> Graph:
    """Return the graph with fields of one op changed, sound or not."""
    ops: list[Op] = list(graph.ops)
    ops[position] = replace(ops[position], **changes)  # type: ignore[arg-type]
    return replace(graph, ops=tuple(ops))


def one(grow: Callable[[GraphBuilder, TensorId], object], *shape: int) -> Graph:
    """Return a graph grown from one input of a shape."""
    build = GraphBuilder("one")
    grow(build, build.input(shape or (1, 6, 6, 2)))
    return build.graph()


def conv() -> Graph:
    return conv_graph()


NOTHING = ((0, 0),) * 4

X, WEIGHTS, BIAS, Y = 0, 1, 2, 3
"""The tensors of ``conv_graph``."""


def scaled(scale: float, zero_point: int = 0) -> Quantization:
    return Quantization((float32(scale),), (zero_point,))


def computed_target() -> Graph:
    build = GraphBuilder("computed")
    x = build.input((1, 8))
    target = build.input((2,), DType.INT32, None)
    y = replace(build.tensors[x], name="y", shape=(2, 4))
    build.emit(Reshape(inputs=(x, target), outputs=build.next_ids()), y)
    return build.graph()


def shape_output() -> Graph:
    build = GraphBuilder("shape")
    x = build.tanh(build.input((1, 8)))
    shape = Tensor("shape", (2,), DType.INT32)
    build.emit(Shape(inputs=(x,), outputs=build.next_ids()), shape)
    return build.graph()


def plain_sum() -> Graph:
    build = GraphBuilder("plain")
    a, b = (build.input((4,), DType.INT32, None) for _ in range(2))
    y = Tensor("y", (4,), DType.INT32)
    build.emit(Add(inputs=(a, b), outputs=build.next_ids()), y)
    return build.graph()


def sum_of(first: float, out: float) -> Graph:
    build = GraphBuilder("sum")
    a, b = (build.input((1, 4), quantized=(first, 0)) for _ in range(2))
    build.binary(Add, a, b, quantized=(out, 0))
    return build.graph()


UNSUPPORTED: dict[str, tuple[Callable[[], Graph], str]] = {
    "float weights": (
        lambda: edit(conv(), WEIGHTS, dtype=DType.FLOAT32, data=np.zeros((4, 3, 3, 3), np.float32)),
        r"its weights 'w1' are float32; int8 is needed",
    ),
    "float op": (
        lambda: edit(conv(), X, dtype=DType.FLOAT32),
        r"op 0 \(CONV_2D 'conv0_0'\): 'x0' is float32; int8 is needed",
    ),
    "int16 op": (lambda: edit(conv(), X, dtype=DType.INT16), r"'x0' is int16; int8 is needed"),
    "computed weights": (
        lambda: edit(replace(conv(), inputs=(TensorId(X), TensorId(WEIGHTS))), WEIGHTS, data=None),
        r"'w1' is computed; only constants are offered",
    ),
    "no scale": (lambda: edit(conv(), Y, quantization=None), r"'conv0_0' has no scale"),
    "scales of an activation": (
        lambda: edit(conv(), X, quantization=Quantization((0.1,) * 3, (0,) * 3, 3)),
        r"'x0' has 3 scales; one is needed",
    ),
    "negative scale": (
        lambda: edit(conv(), X, quantization=scaled(-0.5)),
        r"'x0' has scale -0.5; above 0 is needed",
    ),
    "weights with a zero point": (
        lambda: edit(conv(), WEIGHTS, quantization=scaled(0.1, 3)),
        r"its weights have zero points other than 0",
    ),
    "weights along another axis": (
        lambda: edit(conv(), WEIGHTS, quantization=Quantization((0.1,) * 3, (0,) * 3, 3)),
        r"its weights are quantized along axis 3; 0 is needed",
    ),
    "accumulator": (
        lambda: edit(conv(), BIAS, data=np.full(4, 2**31 - 1, np.int32)),
        r"its accumulator could reach 2,147,\d+,\d+; 32 bits hold 2,147,483,647",
    ),
    "factor": (
        lambda: edit(conv(), Y, quantization=scaled(1e-15)),
        r"its scales differ by a factor of .*; below 2\^30 is needed",
    ),
    "batch": (
        lambda: one(lambda b, x: b.conv(x, 1), 2, 4, 4, 1),
        r"a batch of 2; only 1 is offered",
    ),
    "bias of another scale": (
        lambda: edit(
            one(lambda b, x: b.fully_connected(x, 2), 1, 8), BIAS, quantization=scaled(0.9)
        ),
        r"its bias has scale 0.9; input times weights is 0.0005",
    ),
    "single negative weight scale": (
        lambda: edit(
            one(lambda b, x: b.fully_connected(x, 2, bias=False), 1, 8),
            WEIGHTS,
            quantization=scaled(-0.5),
        ),
        r"its weights have the single scale -0.5; above 0 is needed",
    ),
    "sum of scales far apart": (
        lambda: sum_of(2.0, 1e-6),
        r"its inputs' scale is 2e\+06 times its output's",
    ),
    "broadcast of five axes": (
        lambda: one(
            lambda b, x: b.binary(Mul, x, b.input((1,), quantized=(0.1, 0))), 1, 1, 2, 2, 2
        ),
        r"broadcasts 5 axes; at most 4 are offered",
    ),
    "pool that rescales": (
        lambda: edit(one(lambda b, x: b.pool(AveragePool2D, x)), 1, quantization=scaled(0.7)),
        r"scale 0.05, zero point -3 in, scale 0.7, zero point 0 out; pooling needs them equal",
    ),
    "softmax scale": (
        lambda: edit(one(lambda b, x: b.softmax(x), 1, 8), 1, quantization=scaled(0.01)),
        r"output has scale 0.01, zero point 0; scale 1/256, zero point -128 is needed",
    ),
    "tanh scale": (
        lambda: edit(one(lambda b, x: b.tanh(x), 1, 8), 1, quantization=scaled(0.01)),
        r"scale 1/128, zero point 0 is needed",
    ),
    "softmax classes": (
        lambda: one(lambda b, x: b.softmax(x), 1, 5000),
        r"softmax over 5,000 classes; at most 4,095 are offered",
    ),
    "softmax beta": (
        lambda: one(lambda b, x: b.softmax(x, beta=0.0), 1, 8),
        r"beta 0 times input scale 0.05 is too small or not a number",
    ),
    "concatenation of scales": (
        lambda: edit(
            one(lambda b, x: b.concatenation([x, b.tanh(x)])), 1, quantization=scaled(0.5)
        ),
        r"'tanh0_0' and the output have different scales or zero points",
    ),
    "concatenation with activation": (
        lambda: edit_op(one(lambda b, x: b.concatenation([x, x])), 0, activation=Activation.RELU),
        r"fused activation RELU on a concatenation is not offered",
    ),
    "quantize to int32": (
        lambda: one(lambda b, x: b.quantize(x, (0.1, 0), DType.INT32)),
        r"from int8 to int32 is not offered",
    ),
    "move that changes the type": (
        lambda: edit(one(lambda b, x: b.reshape(x, 72)), 1, dtype=DType.UINT8, quantization=None),
        r"moves int8 to uint8",
    ),
    "move of int64": (
        lambda: edit(
            edit(one(lambda b, x: b.reshape(x, 72)), 0, dtype=DType.INT64), 1, dtype=DType.INT64
        ),
        r"moves elements of type int64; int8, uint8, int16, int32, float32 are offered",
    ),
    "slice of five axes": (
        lambda: one(
            lambda b, x: b.strided_slice(x, (0,) * 5, (1,) * 5, (1, 1, 1, 1, 2)), 1, 2, 2, 2, 2
        ),
        r"slices 5 axes; at most 4 are offered",
    ),
    "resize with both": (
        lambda: one(lambda b, x: b.resize(x, 3, 3, align_corners=True, half_pixel_centers=True)),
        r"align_corners and half_pixel_centers exclude each other",
    ),
    "target from data": (computed_target, r"its target depends on the model's input data"),
    "int32 arithmetic": (
        plain_sum,
        r"op 0 \(ADD 'y'\): int32 arithmetic on the model's input data is not offered",
    ),
    "int32 arithmetic with a scale": (
        lambda: edit(plain_sum(), 2, quantization=scaled(0.1)),
        r"'y' is not a plain int32 as its first input is",
    ),
    "shape as an output": (shape_output, r"a shape as a model output is not offered"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported(case: str) -> None:
    make, message = UNSUPPORTED[case]
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        read_tflite(write_tflite(make()), name="model")
    assert caught.value.message.startswith("model: of its ")
    assert caught.value.hint


def test_all_offending_ops_are_listed_at_once() -> None:
    graph = chain_graph()
    for op in graph.ops[:2]:
        graph = edit(graph, op.inputs[1], quantization=scaled(0.1, 3))
    with pytest.raises(UnsupportedModelError, match=r"(?s)op 0 .*\n  op 1 ") as caught:
        read_tflite(write_tflite(graph), name="model")
    assert caught.value.message.count("\n") == 2


MALFORMED: dict[str, tuple[Callable[[], Graph], str]] = {
    "reads its own output": (
        lambda: edit_op(one(lambda b, x: b.tanh(x)), 0, inputs=(TensorId(1),)),
        r"op 0 \(TANH 'tanh0_0'\): reads 'tanh0_0' before any op has written it",
    ),
    "cycle": (
        lambda: replace(residual_graph(), ops=residual_graph().ops[::-1]),
        r"reads 'conv3_0' before any op has written it",
    ),
    "written twice": (
        lambda: edit_op(one(lambda b, x: (b.tanh(x), b.tanh(x))), 1, outputs=(TensorId(1),)),
        r"op 1 .* writes 'tanh0_0' a second time",
    ),
    "output from nowhere": (
        lambda: replace(conv(), ops=()),
        r"model output 'conv0_0' is written by no op",
    ),
    "no output": (lambda: replace(conv(), outputs=()), r"the model has no output"),
    "missing tensor": (
        lambda: replace(conv(), outputs=(TensorId(99),)),
        r"subgraph 0: outputs name tensor 99; the file has 4|op 0: outputs name tensor 99",
    ),
    "input count": (
        lambda: edit_op(conv(), 0, inputs=(TensorId(0),)),
        r"op 0 \(CONV_2D 'conv0_0'\): inputs \[0\]: 2 to 3 are needed",
    ),
    "zero-sized": (
        lambda: edit(conv(), X, shape=(1, 0, 5, 3)),
        r"tensor 0 'x0': shape \[1, 0, 5, 3\] has an axis without elements",
    ),
    "absurd shape": (
        lambda: edit(conv(), X, shape=(1, 2**31 - 1, 2**31 - 1, 3)),
        r"takes 13,835,058,042,397,261,827 B; at most 67,108,864 B are allowed",
    ),
    "shapes too large together": (
        lambda: one(lambda b, x: [b.tanh(x) for _ in range(16)], 1, 8192, 8192),
        r"the tensors so far take 1,140,850,688 B; at most 1,073,741,824 B are allowed",
    ),
    "rank": (lambda: one(lambda b, x: b.tanh(x), *(1,) * 9), r"9 axes; at most 8 are allowed"),
    "scale 0": (
        lambda: edit(conv(), X, quantization=scaled(0.0)),
        r"tensor 0 'x0': scale 0.0; a finite number other than 0 is needed",
    ),
    "scale NaN": (lambda: edit(conv(), X, quantization=scaled(float("nan"))), r"scale nan; a fin"),
    "zero point": (
        lambda: edit(conv(), X, quantization=scaled(0.1, 128)),
        r"zero point 128; int8 holds -128 to 127",
    ),
    "number of scales": (
        lambda: edit(conv(), WEIGHTS, quantization=Quantization((0.1,) * 3, (0,) * 3, 0)),
        r"3 scales for the 4 slices of axis 0",
    ),
    "number of zero points": (
        lambda: edit(conv(), WEIGHTS, quantization=Quantization((0.1,) * 4, (0,) * 3, 0)),
        r"4 scales but 3 zero points",
    ),
    "axis of scales": (
        lambda: edit(conv(), WEIGHTS, quantization=Quantization((0.1,) * 4, (0,) * 4, 4)),
        r"quantized along axis 4 of \[4, 3, 3, 3\]",
    ),
    "output shape": (
        lambda: edit(conv(), Y, shape=(1, 6, 5, 5)),
        r"op 0 .* output 0 has shape \[1, 6, 5, 5\]; \[1, 6, 5, 4\] follows from its inputs",
    ),
    "rank of an input": (
        lambda: edit(one(lambda b, x: b.conv(x, 2, padding=Padding())), X, shape=(18, 5)),
        r"input 0 'x0' has shape \[18, 5\]; 4 axes are needed",
    ),
    "window": (
        lambda: edit_op(
            one(lambda b, x: b.pool(AveragePool2D, x)), 0, window=Window(kernel=(0, 70_000))
        ),
        r"kernel \(0, 70000\), stride \(1, 1\), dilation \(1, 1\): each must be 1 to 65,536",
    ),
    "padded input": (
        lambda: one(lambda b, x: b.pool(AveragePool2D, x, (9000, 9000))),
        r"padded input: shape \[\d+, \d+, 2\] takes \d.* B; at most 67,108,864 B are allowed",
    ),
    "depth multiplier": (
        lambda: edit_op(one(lambda b, x: b.depthwise(x)), 0, depth_multiplier=2),
        r"multiplier 2 from 2 to 2 channels",
    ),
    "stride 0 of a slice": (
        lambda: edit_op(
            one(lambda b, x: b.strided_slice(x, (0,) * 4, (1,) * 4, (1, 6, 6, 2))),
            0,
            strides=(1, 0, 1, 1),
        ),
        r"a stride is 0",
    ),
    "slice out of range": (
        lambda: edit_op(
            one(lambda b, x: b.strided_slice(x, (0,) * 4, (1,) * 4, (1, 6, 6, 2))),
            0,
            begin=(0, 9, 0, 0),
        ),
        r"takes cells 6 to 5 by 1 of 6",
    ),
    "permutation": (
        lambda: edit_op(one(lambda b, x: b.transpose(x, 0, 1, 2, 3)), 0, perm=(0, 0, 1, 2)),
        r"permutes \[1, 6, 6, 2\] by \[0, 0, 1, 2\]",
    ),
    "axis": (
        lambda: edit_op(one(lambda b, x: b.concatenation([x, x])), 0, axis=7),
        r"axis 7; the tensor has 4 axes",
    ),
    "negative padding": (
        lambda: edit_op(
            one(lambda b, x: b.pad(x, *((0, 0),) * 4)),
            0,
            paddings=((0, 0), (-1, 1), (0, 0), (0, 0)),
        ),
        r"negative paddings",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(case: str) -> None:
    make, message = MALFORMED[case]
    with pytest.raises(MalformedModelError, match=message) as caught:
        read_tflite(write_tflite(make()), name="model")
    assert caught.value.message.startswith("model: ")


def patched(field: Callable[[tflite.Model], tuple[Any, int]], value: int, form: str) -> bytes:
    """Return a file with one scalar field of one table overwritten."""
    data = bytearray(write_tflite(conv_graph()))
    table, slot = field(tflite.Model.GetRootAs(data))
    tab = getattr(table, "_tab", table)
    assert tab.Offset(slot), "the field is not in the file"
    struct.pack_into(form, data, tab.Pos + tab.Offset(slot), value)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"bytes 4 to 7 are b''; a \.tflite file has b'TFL3' there"),
        (b"\x08\0\0\0ELF3" + bytes(99), r"bytes 4 to 7 are b'ELF3'"),
        (write_tflite(conv_graph())[:200], r"an offset points outside the file's 200 B"),
        (patched(lambda m: (m, 4), 2, "<I"), r"header: schema version 2; only 3 is known"),
        (
            patched(lambda m: (m.Subgraphs(0).Tensors(1), 8), 77, "<I"),
            r"tensor 1: buffer 77 of 3",
        ),
        (
            patched(lambda m: (m.Subgraphs(0).Operators(0).BuiltinOptions(), 8), 0, "<I"),
            r"stride \(0, 1\), dilation \(1, 1\): each must be 1 to 65,536",
        ),
    ],
    ids=["empty", "magic", "truncated", "version", "buffer", "stride"],
)
def test_damaged_bytes(data: bytes, message: str) -> None:
    with pytest.raises(MalformedModelError, match=message):
        read_tflite(data, name="model")


def test_tensors_that_share_one_long_name() -> None:
    """A small file could make us copy the same kilobytes as often as it has tensors."""
    build = GraphBuilder("shared")
    x = build.input((1, 8))
    for _ in range(100):
        x = build.tanh(x)
    build.tensors[0] = replace(build.tensors[0], name="n" * limits.MAX_NAME_BYTES)
    data = bytearray(write_tflite(build.graph()))
    graph = tflite.Model.GetRootAs(data).Subgraphs(0)
    target = graph.Tensors(0)._tab.Pos
    first = graph._tab.Vector(graph._tab.Offset(4))
    for entry in range(first, first + 4 * len(build.tensors), 4):
        struct.pack_into("<I", data, entry, target - entry)
    with pytest.raises(MalformedModelError, match=r"names and vectors so far take more than 4 t"):
        read_tflite(bytes(data), name="model")


@pytest.mark.parametrize(
    ("code", "message"),
    [(32, r"op 0 \(CUSTOM 'conv0_0'\): this kind of op is not offered"), (9999, r"op code 9999")],
)
def test_kinds_of_ops_that_are_not_offered(code: int, message: str) -> None:
    data = patched(lambda m: (m.OperatorCodes(0), 10), code, "<i")
    with pytest.raises(UnsupportedModelError, match=message):
        read_tflite(data, name="model")


def test_file_larger_than_allowed() -> None:
    with pytest.raises(MalformedModelError, match=r"has 67,108,865 B; at most 67,108,864 B"):
        read_tflite(bytes(limits.MAX_FILE_BYTES + 1), name="model")
