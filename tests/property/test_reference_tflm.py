"""The reference equals TensorFlow Lite Micro, op by op and on random networks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ir import DType, Graph
from harness.models.writer import write_tflite
from tests import strategies
from tests.graphs import random_inputs
from tests.tflm import assert_equals_tflm

pytestmark = pytest.mark.tflm

GRAPHS = {
    "conv": strategies.conv_graphs(),
    "depthwise": strategies.depthwise_graphs(),
    "fully_connected": strategies.fully_connected_graphs(),
    "binary": strategies.binary_graphs(),
    "pool": strategies.pool_graphs(),
    "mean": strategies.mean_graphs(),
    "pointwise": strategies.pointwise_graphs(),
    "end": strategies.end_graphs(),
    "shape": strategies.shape_graphs(),
    "move": strategies.move_graphs(),
    "move_int16": strategies.move_graphs(DType.INT16),
    "move_float32": strategies.move_graphs(DType.FLOAT32),
    "resize": strategies.resize_graphs(),
    "network": strategies.random_graphs(),
}


@pytest.mark.parametrize("graphs", GRAPHS.values(), ids=GRAPHS)
@settings(max_examples=200)
@given(data=st.data(), seed=strategies.seeds)
def test_every_tensor_equals_tflite_micro(
    graphs: st.SearchStrategy[Graph], data: st.DataObject, seed: int
) -> None:
    graph = data.draw(graphs)
    assert_equals_tflm(graph, write_tflite(graph), random_inputs(graph, seed))
