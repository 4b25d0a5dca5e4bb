"""The verifier finds what a pass could break, all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.errors import MalformedModelError
from harness.ir import DType, Graph, Quantization, TensorId
from harness.ir.shapes import ShapeFault, kept_axes
from harness.ir.tensor import constant
from harness.ir.verify import verify
from tests.graphs import GraphBuilder, chain_graph, conv_graph, residual_graph


def with_op(position: int, **changes: Any) -> Graph:
    graph = residual_graph()
    ops = list(graph.ops)
    ops[position] = replace(ops[position], **changes)
    return replace(graph, ops=tuple(ops))


def with_tensor(tensor: int, **changes: Any) -> Graph:
    graph = conv_graph()
    tensors = list(graph.tensors)
    tensors[tensor] = replace(tensors[tensor], **changes)
    return replace(graph, tensors=tuple(tensors))


def reshaped(*target: int) -> Graph:
    build = GraphBuilder("target")
    build.reshape(build.input((1, 4, 2)), 1, 8)
    wanted = build.constant(np.array(target, np.int32))
    build.ops[0] = replace(build.ops[0], inputs=(TensorId(0), wanted))
    return build.graph()


FAULTS: dict[str, tuple[Callable[[], Graph], str]] = {
    "op id": (lambda: with_op(0, inputs=(TensorId(-1),)), "an op names a tensor outside 0 to 13"),
    "output id": (
        lambda: replace(conv_graph(), outputs=(TensorId(4),)),
        "model output names tensor 4; there are 4",
    ),
    "no weights": (lambda: with_op(0, inputs=(TensorId(0),)), "1 inputs and 1 outputs"),
    "no output": (lambda: with_op(4, outputs=()), "op 4 (ADD '?'): 2 inputs and 0 outputs"),
    "input twice": (
        lambda: replace(conv_graph(), inputs=(TensorId(0), TensorId(0))),
        "a tensor is a model input twice",
    ),
    "constant input": (
        lambda: replace(conv_graph(), inputs=(TensorId(0), TensorId(1))),
        "model input 'w1' is constant",
    ),
    "writes a constant": (
        lambda: replace(conv_graph(), ops=(replace(conv_graph().ops[0], outputs=(TensorId(1),)),)),
        "writes the constant 'w1'",
    ),
    "writes an input": (
        lambda: replace(conv_graph(), ops=(replace(conv_graph().ops[0], outputs=(TensorId(0),)),)),
        "writes 'x0' a second time",
    ),
    "order": (
        lambda: replace(chain_graph(), ops=chain_graph().ops[1:]),
        "reads 'conv0_0' before any op has written it",
    ),
    "scale of a float": (lambda: with_tensor(0, dtype=DType.FLOAT32), "float32 has no scale"),
    "empty axis": (lambda: with_tensor(0, shape=(1, 6, 0, 3)), "shape [1, 6, 0, 3]"),
    "scales": (
        lambda: with_tensor(1, quantization=Quantization((0.1, 0.2), (0, 0), 0)),
        "2 scales and 2 zero points for 4 slices",
    ),
    "scale": (
        lambda: with_tensor(0, quantization=Quantization((float("inf"),), (0,))),
        "a scale is 0 or not finite",
    ),
    "zero point": (
        lambda: with_tensor(0, quantization=Quantization((0.1,), (200,))),
        "a zero point is outside -128 to 127",
    ),
    "type": (lambda: with_tensor(3, dtype=DType.INT16), "'conv0_0' is int16; int8 is needed"),
    "shape": (lambda: with_tensor(3, shape=(1, 6, 5, 3)), "[1, 6, 5, 4] follows from its inputs"),
    "target": (lambda: reshaped(2, 4), "is told [2, 4], its output has [1, 8]"),
    "accumulator": (
        lambda: with_tensor(2, data=np.full(4, 2**31 - 1, np.int32)),
        "its accumulator could reach",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(fault: str) -> None:
    make, message = FAULTS[fault]
    with pytest.raises(MalformedModelError) as caught:
        verify(make())
    assert message in caught.value.message


@pytest.mark.parametrize("make", [conv_graph, chain_graph, residual_graph, lambda: reshaped(-1, 8)])
def test_sound_graph_is_accepted(make: Callable[[], Graph]) -> None:
    verify(make())


def test_all_faults_are_told_at_once() -> None:
    graph = residual_graph()
    tensors = list(graph.tensors)
    for t in (3, 6):
        tensors[t] = replace(tensors[t], dtype=DType.INT16)
    with pytest.raises(MalformedModelError) as caught:
        verify(replace(graph, tensors=tuple(tensors)))
    assert caught.value.message.count("int8 is needed") >= 3


def test_dead_channel_may_overflow_and_a_live_one_may_not() -> None:
    for scale, sound in ((1e-20, True), (1e-3, False)):
        build = GraphBuilder("dead")
        build.conv(build.input((1, 4, 4, 1)), 2, weight_scales=(0.01, scale))
        bias = np.array([0, 2**31 - 1], np.int32)
        build.tensors[2] = constant("bias", bias)
        if sound:
            verify(build.graph())
        else:
            with pytest.raises(MalformedModelError, match="accumulator"):
                verify(build.graph())


@pytest.mark.parametrize(
    ("lengths", "shape", "kept"),
    [
        ((1, 4, 6), (4, 6), (1, 2)),
        ((1, 1, 3), (1, 3), (0, 2)),
        ((1, 1), (), ()),
        ((2, 1, 3), (2, 3), (0, 2)),
    ],
)
def test_kept_axes_of_a_slice(
    lengths: tuple[int, ...], shape: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    assert kept_axes(lengths, shape) == kept


@pytest.mark.parametrize(("lengths", "shape"), [((2, 3), (3,)), ((2, 3), (3, 2)), ((1,), (1, 1))])
def test_slices_that_no_choice_of_axes_explains(
    lengths: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeFault, match="slices"):
        kept_axes(lengths, shape)
