"""Sound files are read, with all the quirks that converters leave in them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tflite

from harness.errors import UnsupportedModelError
from harness.importer.flatbuffer import ABSENT, RawModel, RawOp, RawTensor
from harness.importer.ops import convert_op
from harness.importer.site import Site
from harness.importer.tensors import convert_tensors
from harness.importer.tflite import read_tflite
from harness.ir import DType, Graph, Quantization, Tensor, TensorId
from harness.ir.ops import Conv2D, MaxPool2D, Mean, Padding, Reshape, StridedSlice
from harness.ir.padding import same_padding
from harness.ir.tensor import constant
from harness.ir.text import dump
from harness.models.writer import write_tflite
from harness.passes.pipeline import run_passes
from tests.graphs import GraphBuilder, chain_graph, conv_graph


@pytest.mark.parametrize(
    ("length", "extent", "stride", "expected"),
    [
        (96, 3, 1, (1, 1)),
        (96, 3, 2, (0, 1)),
        (49, 10, 2, (4, 5)),
        (5, 1, 2, (0, 0)),
        (6, 1, 3, (0, 0)),
        (10, 5, 1, (2, 2)),
        (7, 4, 2, (1, 2)),
    ],
)
def test_same_padding_puts_the_odd_cell_after(
    length: int, extent: int, stride: int, expected: tuple[int, int]
) -> None:
    assert same_padding(length, extent, stride) == expected


def test_graph_has_the_digest_of_its_file_and_names_its_inputs() -> None:
    data = write_tflite(chain_graph())
    graph = read_tflite(data, name="chain")
    assert graph.sha256 == hashlib.sha256(data).hexdigest()
    assert [graph.tensor(t).name for t in graph.inputs] == ["x0"]
    assert [op.index for op in graph.ops] == list(range(len(graph.ops)))


def test_constant_data_is_read_only() -> None:
    graph = read_tflite(write_tflite(conv_graph()), name="conv")
    weights = graph.tensor(graph.ops[0].inputs[1]).data
    assert weights is not None
    assert not weights.flags.writeable


def edited(graph: Graph, tensor_id: int, **changes: object) -> Graph:
    """Return the graph with some fields of one tensor changed."""
    tensors = list(graph.tensors)
    tensors[tensor_id] = replace(tensors[tensor_id], **changes)  # type: ignore[arg-type]
    return replace(graph, tensors=tuple(tensors))


def test_bias_quantized_along_an_axis_that_it_lacks() -> None:
    """Converters copy the axis of depthwise weights to the bias, which has one axis only."""
    build = GraphBuilder("quirk")
    build.depthwise(build.input((1, 4, 4, 2)), weight_scales=(0.01, 0.02))
    graph = build.graph()
    bias = graph.ops[0].inputs[2]
    odd = Quantization((0.1, 0.2), (0, 0), axis=3)
    read = read_tflite(write_tflite(edited(graph, bias, quantization=odd)), name="quirk")
    quantization = read.tensor(bias).quantization
    assert quantization is not None
    assert quantization.axis == 0


def test_bias_without_quantization() -> None:
    graph = conv_graph()
    data = write_tflite(edited(graph, graph.ops[0].inputs[2], quantization=None))
    assert read_tflite(data, name="quirk").ops == (replace(graph.ops[0], index=0),)


def test_negative_weight_scales() -> None:
    build = GraphBuilder("negative")
    build.conv(build.input((1, 4, 4, 2)), 2, weight_scales=(0.01, -0.02))
    read = read_tflite(write_tflite(build.graph()), name="negative")
    quantization = read.tensor(read.ops[0].inputs[1]).quantization
    assert quantization is not None
    assert quantization.scales[1] < 0


def test_absent_bias() -> None:
    graph = conv_graph()
    op = graph.ops[0]
    odd = replace(op, inputs=(*op.inputs[:2], TensorId(ABSENT)))
    read = read_tflite(write_tflite(replace(graph, ops=(odd,))), name="no bias")
    assert len(read.ops[0].inputs) == 2


@pytest.mark.parametrize(("slot", "form"), [(10, "<i"), (4, "<b")])
def test_op_code_in_either_field_alone(slot: int, form: str) -> None:
    """Files from before 2020 have the code of an op in one byte and no other field."""
    data = bytearray(write_tflite(conv_graph()))
    table = tflite.Model.GetRootAs(data).OperatorCodes(0)._tab
    field = table.Pos + table.Offset(slot)
    assert struct.unpack_from(form, data, field) == (tflite.BuiltinOperator.CONV_2D,)
    struct.pack_into(form, data, field, 0)
    assert [op.kind for op in read_tflite(bytes(data), name="one field").ops] == ["CONV_2D"]


def test_names_cannot_carry_escape_sequences_or_lines() -> None:
    graph = conv_graph()
    hostile = edited(graph, graph.outputs[0], name="a\x1b[2J\nb\u202e" + "c" * 200)
    read = read_tflite(write_tflite(hostile), name="names")
    assert read.tensor(read.outputs[0]).name.startswith("a\ufffd[2J\ufffdb\ufffdcc")
    assert len(read.label(0)) < 110


def test_tensors_that_no_op_touches_may_be_of_any_kind() -> None:
    graph = conv_graph()
    stray = Tensor("stray", (0,), DType.INT64)
    data = write_tflite(replace(graph, tensors=(*graph.tensors, stray)))
    assert len(read_tflite(data, name="stray").tensors) == len(graph.tensors)


def test_reshape_drops_a_constant_target_and_keeps_a_computed_one() -> None:
    build = GraphBuilder("reshape")
    build.reshape(build.input((1, 4, 2)), 1, 8)
    (op,) = read_tflite(write_tflite(build.graph()), name="reshape").ops
    assert isinstance(op, Reshape)
    assert len(op.inputs) == 1


def site(kind: str, tensors: list[Tensor], options: Mapping[str, int | bool], inputs: int) -> Site:
    """Return an op of the file; its inputs come first in ``tensors``, the last is its output."""
    raw = RawOp(kind, tuple(range(inputs)), (len(tensors) - 1,), options)
    return Site("test", 0, raw, tensors)


def integers(*values: int) -> Tensor:
    return constant("operand", np.array(values, np.int32))


@pytest.mark.parametrize(
    ("begin", "end", "strides", "masks", "expected"),
    [
        ((0, 1), (4, 3), (1, 1), {}, ((0, 1), (1, 1), (4, 2))),
        ((9, -2), (9, 9), (2, 1), {"BeginMask": 1}, ((0, 4), (2, 1), (2, 2))),
        ((3, 5), (0, -7), (-1, -2), {"EndMask": 1}, ((3, 5), (-1, -2), (4, 3))),
        ((2, 0), (0, 6), (1, 1), {"ShrinkAxisMask": 1}, ((2, 0), (1, 1), (1, 6))),
        ((-1, 0), (0, 6), (1, 3), {"ShrinkAxisMask": 1}, ((3, 0), (1, 3), (1, 2))),
    ],
)
def test_strided_slice_masks_and_negative_indices(
    begin: tuple[int, ...],
    end: tuple[int, ...],
    strides: tuple[int, ...],
    masks: dict[str, int],
    expected: tuple[tuple[int, ...], ...],
) -> None:
    x = Tensor("x", (4, 6), DType.INT8)
    fields = ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset")
    options = dict.fromkeys(fields, 0) | masks
    tensors = [x, integers(*begin), integers(*end), integers(*strides), replace(x, name="y")]
    op = convert_op(site("STRIDED_SLICE", tensors, options, 4))
    assert isinstance(op, StridedSlice)
    assert (op.begin, op.strides, op.lengths) == expected
    whole = np.arange(24).reshape(4, 6)
    taken = [b + s * np.arange(n) for b, s, n in zip(*expected, strict=True)]
    index = tuple(
        slice(
            None if masks.get("BeginMask", 0) & 1 << a else begin[a],
            None if masks.get("EndMask", 0) & 1 << a else end[a],
            strides[a],
        )
        for a in range(2)
    )
    if not masks.get("ShrinkAxisMask"):
        np.testing.assert_array_equal(whole[np.ix_(*taken)], whole[index])


def test_mean_axes_are_counted_from_the_front_and_sorted() -> None:
    x = Tensor("x", (1, 4, 6, 2), DType.INT8)
    op = convert_op(site("MEAN", [x, integers(-2, 1, 2), x], {"KeepDims": False}, 2))
    assert isinstance(op, Mean)
    assert op.axes == (1, 2)


def test_same_of_the_file_is_explicit_in_the_graph() -> None:
    build = GraphBuilder("same")
    build.conv(build.input((1, 6, 6, 1)), 1, stride=(2, 2))
    (op,) = read_tflite(write_tflite(build.graph()), name="same").ops
    assert isinstance(op, Conv2D)
    assert op.window.padding == Padding(top=0, bottom=1, left=0, right=1)


def test_padding_that_a_file_cannot_say_is_refused_by_the_writer() -> None:
    build = GraphBuilder("odd")
    build.conv(build.input((1, 6, 6, 1)), 1, padding=Padding(top=2))
    with pytest.raises(UnsupportedModelError, match=r"pads .* a \.tflite can only say SAME"):
        write_tflite(build.graph())


def test_variable_sparse_and_odd_types_make_a_tensor_unusable() -> None:
    plain = RawTensor("t", (2,), "INT8", None, None, is_variable=False, is_sparse=False)
    odd = [
        replace(plain, is_variable=True),
        replace(plain, is_sparse=True),
        replace(plain, type_name="INT4"),
        replace(plain, shape=(-1, 2)),
    ]
    raw = RawModel(tuple(odd), (RawOp("ADD", (0, 1), (2, 3), {}),), (), (), 1)
    reasons = [getattr(t, "reason", "") for t in convert_tensors(raw, name="odd")]
    assert [reason.split()[-1] for reason in reasons] == ["inferences", "sparse", "int4", "2]"]


def test_dump_is_one_line_a_tensor_and_one_line_an_op() -> None:
    build = GraphBuilder("tiny")
    x = build.input((1, 4, 4, 2), quantized=(0.5, -1))
    build.softmax(build.reshape(build.pool(MaxPool2D, x), 1, 8))
    assert dump(build.graph()) == TINY


TINY = """\
graph 'tiny' sha256 none

%0 int8[1, 4, 4, 2]  scale 0.5 zero_point -1  'x0'
%1 int8[1, 2, 2, 2]  scale 0.5 zero_point -1  'pool0_0'
%2 int8[1, 8]  scale 0.5 zero_point -1  'reshape1_0'
%3 int8[1, 8]  scale 0.00390625 zero_point -128  'softmax2_0'

inputs  %0
 0 %1 = MAX_POOL_2D(%0)  window=2x2 stride=2x2 dilation=1x1 padding=0,0,0,0  activation=NONE
 1 %2 = RESHAPE(%1)
 2 %3 = SOFTMAX(%2)  beta=1.0
outputs %3
"""

REFUSED = {"tflm_hello_world_float", "tflm_keyword_scrambled", "tflm_mnist_lstm_int8"}


@pytest.mark.models(without=REFUSED)
def test_real_models_import_and_pass(model_path: Path) -> None:
    graph = read_tflite(model_path.read_bytes(), name=model_path.stem)
    after = run_passes(graph)
    assert len(after.ops) <= len(graph.ops)
    read = read_tflite(write_tflite(graph), name=graph.name)
    assert dump(replace(read, sha256=graph.sha256)) == dump(graph), "written and read back"


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("tflm_hello_world_float", r"op 0 \(FULLY_CONNECTED .* is float32"),
        ("tflm_keyword_scrambled", r"op 1 \(SVDF .*(\n.*){7}op 13 \(SOFTMAX .* is int16"),
        ("tflm_mnist_lstm_int8", r"op 0 \(UNIDIRECTIONAL_SEQUENCE_LSTM .* not offered"),
    ],
)
def test_real_models_refused_with_every_op_listed(models_dir: Path, name: str, listed: str) -> None:
    data = (models_dir / f"{name}.tflite").read_bytes()
    with pytest.raises(UnsupportedModelError, match=listed) as caught:
        read_tflite(data, name=name)
    assert "int8" in caught.value.hint


@pytest.mark.models
def test_mcunet_has_channels_whose_accumulators_would_overflow(models_dir: Path) -> None:
    """They are negligible, so the file is read; one live channel like that is refused."""
    data = (models_dir / "mcunet_vww1_5fps.tflite").read_bytes()
    graph = run_passes(read_tflite(data, name="vww1"))
    biases = [graph.tensor(op.inputs[2]).data for op in graph.ops if isinstance(op, Conv2D)]
    assert all(b is not None and np.abs(b.astype(np.int64)).max() < 1 << 30 for b in biases)
