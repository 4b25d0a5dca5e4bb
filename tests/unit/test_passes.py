"""What each pass takes away, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.importer.tflite import read_tflite
from harness.ir import DType, Graph, Op, Quantization, Tensor, TensorId
from harness.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    MaxPool2D,
    Mul,
    Pack,
    Pad,
    Padding,
    Reshape,
    Shape,
    StridedSlice,
)
from harness.ir.tensor import Array
from harness.passes import pipeline
from harness.passes.pipeline import PASSES, Pass, run_passes
from harness.reference.interpreter import run
from tests.graphs import GraphBuilder, chain_graph, random_inputs


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def padded(value: int = -3, *paddings: tuple[int, int], kind: str = "conv") -> Graph:
    """Return a graph of a PAD and one reader of it that pads nothing itself."""
    build = GraphBuilder("padded")
    x = build.pad(build.input((1, 5, 5, 2)), *paddings)
    (pad,) = build.ops
    assert isinstance(pad, Pad)
    build.ops = [replace(pad, value=value)]
    match kind:
        case "conv":
            build.conv(x, 3, padding=Padding())
        case "depthwise":
            build.depthwise(x, padding=Padding())
        case "average":
            build.pool(AveragePool2D, x, (3, 3), padding=Padding())
        case "max":
            build.pool(MaxPool2D, x, (3, 3), padding=Padding())
    return build.graph()


ROWS = ((0, 0), (1, 2), (0, 1), (0, 0))


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
def test_pad_of_the_zero_point_folds_into_a_convolution(kind: str) -> None:
    graph = run_passes(padded(-3, *ROWS, kind=kind))
    (op,) = graph.ops
    assert isinstance(op, Conv2D | DepthwiseConv2D)
    assert op.window.padding == Padding(top=1, bottom=2, left=0, right=1)


def test_pad_folds_into_a_max_pool_only_with_the_least_value() -> None:
    assert kinds(run_passes(padded(-128, *ROWS, kind="max"))) == ["MAX_POOL_2D"]
    assert kinds(run_passes(padded(-127, *ROWS, kind="max"))) == ["PAD", "MAX_POOL_2D"]


@pytest.mark.parametrize(
    ("value", "paddings", "kind"),
    [
        (-2, ROWS, "conv"),
        (-3, ((0, 0), (0, 0), (0, 0), (0, 1)), "conv"),
        (-3, ((0, 0), (3, 0), (0, 0), (0, 0)), "conv"),
        (-3, ROWS, "average"),
    ],
    ids=["another value", "channels", "a window would see no input", "average pool"],
)
def test_pad_stays(value: int, paddings: tuple[tuple[int, int], ...], kind: str) -> None:
    assert kinds(run_passes(padded(value, *paddings, kind=kind)))[0] == "PAD"


@pytest.mark.parametrize(("other", "expected"), [("depthwise", 0), ("average", 1)])
def test_pad_folds_into_all_its_readers_or_none(other: str, expected: int) -> None:
    build = GraphBuilder("shared")
    x = build.pad(build.input((1, 5, 5, 2)), *ROWS)
    build.conv(x, 3, padding=Padding())
    if other == "depthwise":
        build.depthwise(x, padding=Padding())
    else:
        build.pool(AveragePool2D, x, (3, 3), padding=Padding())
    assert kinds(run_passes(build.graph())).count("PAD") == expected


def test_empty_pad_goes_and_the_model_output_keeps_its_name() -> None:
    build = GraphBuilder("empty")
    x = build.conv(build.input((1, 4, 4, 1)), 2)
    y = build.pad(x, *((0, 0),) * 4)
    graph = run_passes(build.graph())
    assert kinds(graph) == ["CONV_2D"]
    assert graph.tensor(graph.outputs[0]).name == build.tensors[y].name


def test_a_copy_from_a_model_input_to_a_model_output_stays() -> None:
    build = GraphBuilder("copy")
    build.pad(build.input((1, 4, 4, 1)), *((0, 0),) * 4)
    assert kinds(run_passes(build.graph())) == ["PAD"]


def test_two_model_outputs_of_one_value_both_stay() -> None:
    build = GraphBuilder("twins")
    x = build.conv(build.input((1, 4, 4, 1)), 2)
    outputs = [build.pad(x, *((0, 0),) * 4) for _ in range(2)]
    graph = run_passes(build.graph(*outputs))
    assert kinds(graph) == ["CONV_2D", "PAD"]
    assert [graph.tensor(t).name for t in graph.outputs] == [build.tensors[t].name for t in outputs]


def test_shape_chain_folds_until_the_reshape_has_no_target() -> None:
    build = GraphBuilder("flatten")
    x = build.logistic(build.input((1, 3, 4, 2)))

    def emit(
        kind: type[Op], *inputs: TensorId, shape: tuple[int, ...], **fields: object
    ) -> TensorId:
        op = kind(inputs=inputs, outputs=build.next_ids(), **fields)  # type: ignore[arg-type]
        return build.emit(op, Tensor(kind.kind, shape, DType.INT32))

    sizes = emit(Shape, x, shape=(4,))
    batch, rows = (
        emit(StridedSlice, sizes, shape=(), begin=(i,), strides=(1,), lengths=(1,)) for i in (0, 1)
    )
    eight = build.constant(np.array(8, np.int32))
    target = emit(Pack, batch, emit(Mul, rows, eight, shape=()), shape=(2,), axis=0)
    flat = replace(build.tensors[x], name="flat", shape=(1, 24))
    build.emit(Reshape(inputs=(x, target), outputs=build.next_ids()), flat)
    graph = run_passes(build.graph())
    assert kinds(graph) == ["LOGISTIC", "RESHAPE"]
    assert len(graph.ops[1].inputs) == 1


def test_constant_that_would_grow_much_is_not_folded() -> None:
    for size, expected in ((16, ["ADD"]), (64, ["PAD", "ADD"])):
        build = GraphBuilder("grown")
        x = build.input((1, size, size, 1))
        small = build.constant(np.zeros((1, 1, 1, 1), np.int8), (0.05, -3))
        y = build.pad(small, (0, 0), (0, size - 1), (0, size - 1), (0, 0))
        build.binary(Add, x, y)
        assert kinds(run_passes(build.graph())) == expected


def test_what_a_model_output_is_made_of_is_not_folded() -> None:
    build = GraphBuilder("known")
    x = build.constant(np.zeros((1, 4), np.int8), (0.05, -3))
    assert kinds(run_passes(build.graph(build.tanh(build.tanh(x))))) == ["TANH"]


def test_reshapes_merge_and_idle_ones_go() -> None:
    build = GraphBuilder("reshapes")
    x = build.conv(build.input((1, 4, 4, 1)), 2)
    y = build.reshape(build.reshape(x, 1, 32), 1, 4, 4, 2)
    build.conv(y, 2)
    assert kinds(run_passes(build.graph())) == ["CONV_2D", "CONV_2D"]
    build.conv(build.reshape(build.reshape(x, 1, 32), 1, 2, 8, 2), 2)
    assert kinds(run_passes(build.graph())).count("RESHAPE") == 1


def test_idle_quantize_goes_and_an_inexact_pair_stays() -> None:
    build = GraphBuilder("quantize")
    x = build.logistic(build.input((1, 8)))
    build.tanh(build.quantize(x, (1 / 256, -128)))
    assert kinds(run_passes(build.graph())) == ["LOGISTIC", "TANH"]
    build = GraphBuilder("coarse")
    y = build.quantize(build.input((1, 8), quantized=(0.1, 0)), (0.25, 0))
    build.quantize(y, (0.1, 0))
    assert kinds(run_passes(build.graph())) == ["QUANTIZE", "QUANTIZE"]


def test_dequantize_then_quantize_becomes_one_quantize() -> None:
    build = GraphBuilder("through float")
    x = build.dequantize(build.input((1, 8), quantized=(0.5, 0)))
    build.quantize(x, (0.25, 0))
    build.ops[1] = replace(build.ops[1], index=7)
    graph = run_passes(build.graph())
    assert kinds(graph) == ["QUANTIZE"]
    assert graph.ops[0].index == 7


def test_channels_whose_factor_rounds_to_nothing_are_zeroed() -> None:
    build = GraphBuilder("dead channel")
    build.conv(build.input((1, 4, 4, 1)), 2, weight_scales=(0.01, 1e-20))
    bias = TensorId(2)
    data = np.array([5, np.iinfo(np.int32).max], np.int32)
    build.tensors[bias] = replace(build.tensors[bias], data=data)
    graph = run_passes(build.graph())
    _, weights, bias = graph.ops[0].inputs
    assert data_of(graph, bias).tolist() == [5, 0]
    assert data_of(graph, weights)[0].any()
    assert not data_of(graph, weights)[1].any()


def data_of(graph: Graph, tensor_id: TensorId) -> Array:
    data = graph.tensor(tensor_id).data
    assert data is not None
    return data


def test_dead_ops_and_tensors_go_and_model_inputs_stay() -> None:
    build = GraphBuilder("dead")
    x, unused = build.input((1, 4)), build.input((1, 4))
    y = build.tanh(x)
    build.logistic(x)
    graph = run_passes(build.graph(y))
    assert kinds(graph) == ["TANH"]
    assert len(graph.tensors) == 3
    assert [graph.tensor(t).name for t in graph.inputs] == [
        build.tensors[t].name for t in (x, unused)
    ]


def test_passes_keep_the_identity_of_the_model() -> None:
    graph = replace(chain_graph(), sha256="ab" * 32)
    after = run_passes(graph)
    assert (after.name, after.sha256) == (graph.name, graph.sha256)


def test_unknown_pass_is_named_with_near_ones() -> None:
    with pytest.raises(UsageError, match="no pass is called 'fold-pad'") as caught:
        run_passes(chain_graph(), {"fold-pad"})
    assert "fold-pads" in caught.value.hint


def test_a_pass_that_breaks_the_graph_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget_an_op(graph: Graph) -> Graph:
        return replace(graph, ops=graph.ops[1:])

    broken = Pass("forgetful", "forgets the first op", forget_an_op)
    monkeypatch.setattr(pipeline, "PASSES", (*PASSES, broken))
    with pytest.raises(AssertionError, match="pass forgetful broke the graph"):
        run_passes(chain_graph())


def test_quantized_views_of_the_same_bytes_are_not_merged() -> None:
    """TensorFlow Lite Micro copies bytes in a RESHAPE whatever the scales say; so do we."""
    build = GraphBuilder("rescaled")
    x = build.tanh(build.input((1, 8)))
    other = replace(build.tensors[x], name="same shape", quantization=Quantization((0.5,), (3,)))
    y = build.emit(Reshape(inputs=(x,), outputs=build.next_ids()), other)
    build.logistic(y)
    assert kinds(run_passes(build.graph())) == ["TANH", "RESHAPE", "LOGISTIC"]


REFUSED = {"tflm_hello_world_float", "tflm_keyword_scrambled", "tflm_mnist_lstm_int8"}


@pytest.mark.models(without=REFUSED)
def test_real_models_compute_the_same_after_passes(model_path: Path) -> None:
    graph = read_tflite(model_path.read_bytes(), name=model_path.stem)
    inputs = random_inputs(graph)
    for before, after in zip(run(graph, inputs), run(run_passes(graph), inputs), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("scales", [(0.01,), tuple(0.01 * (i + 1) for i in range(8))])
def test_a_depthwise_of_one_channel_becomes_a_convolution(scales: tuple[float, ...]) -> None:
    build = GraphBuilder("grey")
    x = build.input((1, 9, 7, 1))
    build.depthwise(x, (3, 2), multiplier=8, stride=(2, 1), weight_scales=scales)
    graph = build.graph()
    rewritten = run_passes(graph, ["convolve-one-channel"])
    assert kinds(rewritten) == ["CONV_2D"]
    inputs = random_inputs(graph)
    for before, after in zip(run(graph, inputs), run(rewritten, inputs), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("channels", "multiplier"), [(2, 4), (1, 1)])
def test_other_depthwise_convolutions_stay(channels: int, multiplier: int) -> None:
    build = GraphBuilder("other")
    build.depthwise(build.input((1, 5, 5, channels)), multiplier=multiplier)
    assert kinds(run_passes(build.graph(), ["convolve-one-channel"])) == ["DEPTHWISE_CONV_2D"]
