"""The reference equals LiteRT's reference kernels on graphs of one op."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings

from harness.ir import Graph
from harness.ir.ops import Conv2D
from harness.models.writer import write_tflite
from harness.reference.interpreter import run
from tests.graphs import random_inputs
from tests.litert import NEARLY, Litert
from tests.strategies import op_graphs, seeds


@settings(max_examples=300)
@given(op_graphs(), seeds)
def test_each_op_equals_litert(graph: Graph, seed: int) -> None:
    (op,) = graph.ops
    assume(not isinstance(op, Conv2D) or len(op.inputs) == 3)
    inputs = random_inputs(graph, seed)
    found = run(graph, inputs)
    expected = Litert(write_tflite(graph)).run(inputs)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(
            ours.astype(np.int64), theirs.astype(np.int64), rtol=0, atol=op.kind in NEARLY
        )
