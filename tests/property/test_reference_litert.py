"""The reference equals LiteRT's reference kernels on graphs of one op."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.ir import Graph
from harness.ir.ops import Conv2D, Logistic
from harness.models.writer import write_tflite
from harness.reference.interpreter import run
from tests.graphs import random_inputs
from tests.litert import NEARLY, Litert
from tests.strategies import (
    binary_graphs,
    conv_graphs,
    depthwise_graphs,
    fully_connected_graphs,
    mean_graphs,
    move_graphs,
    pointwise_graphs,
    pool_graphs,
    resize_graphs,
    seeds,
)


@pytest.mark.parametrize(
    "graphs",
    [
        conv_graphs,
        depthwise_graphs,
        fully_connected_graphs,
        binary_graphs,
        pool_graphs,
        mean_graphs,
        pointwise_graphs,
        move_graphs,
        resize_graphs,
    ],
)
@settings(max_examples=100)
@given(data=st.data(), seed=seeds)
def test_each_op_equals_litert(
    graphs: Callable[[], st.SearchStrategy[Graph]], data: st.DataObject, seed: int
) -> None:
    graph = data.draw(graphs())
    (op,) = graph.ops
    assume(not isinstance(op, Conv2D) or len(op.inputs) == 3)
    assume(not isinstance(op, Logistic) or graph.tensor(op.inputs[0]).scale <= 1)
    inputs = random_inputs(graph, seed)
    expected = Litert(write_tflite(graph)).run(inputs)
    for ours, theirs in zip(run(graph, inputs), expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(
            ours.astype(np.int64), theirs.astype(np.int64), rtol=0, atol=op.kind in NEARLY
        )
