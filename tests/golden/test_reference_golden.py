"""The reference equals TensorFlow Lite Micro on every real model whose ops are offered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.importer.tflite import read_tflite
from harness.reference.interpreter import evaluate, run
from tests.litert import NEARLY, Litert

NOT_OFFERED = {"tflm_hello_world_float", "tflm_keyword_scrambled", "tflm_mnist_lstm_int8"}
"""Float arithmetic, SVDF and LSTM."""

LITERT_REFUSES = {"tflm_person_detect"}
"""For a quantized dimension that a bias does not have."""


@pytest.mark.models(without=NOT_OFFERED)
def test_outputs_equal_those_of_tflite_micro(model_path: Path, golden_dir: Path) -> None:
    graph = read_tflite(model_path.read_bytes(), name=model_path.stem)
    recorded = np.load(golden_dir / f"{model_path.stem}.npz")
    outputs = run(graph, [recorded[f"input{i}"] for i in range(len(graph.inputs))])
    for i, output in enumerate(outputs):
        np.testing.assert_array_equal(output, recorded[f"tflm_output{i}"], strict=True)


@pytest.mark.models(without=NOT_OFFERED | LITERT_REFUSES)
def test_each_op_equals_litert(model_path: Path, golden_dir: Path) -> None:
    model = model_path.read_bytes()
    graph = read_tflite(model, name=model_path.stem)
    recorded = np.load(golden_dir / f"{model_path.stem}.npz")
    litert = Litert(model)
    litert.run([recorded[f"input{i}"] for i in range(len(graph.inputs))])
    values = litert.by_name()
    compared = 0
    for position, op in enumerate(graph.ops):
        names = [graph.tensor(t).name for t in (*op.inputs, *op.outputs)]
        if not values.keys() >= set(names):
            continue
        operands = [values[name] for name in names[: len(op.inputs)]]
        for name, output in zip(
            names[len(op.inputs) :], evaluate(graph, op, operands), strict=True
        ):
            np.testing.assert_allclose(
                output.astype(np.float64),
                values[name].astype(np.float64),
                rtol=0,
                atol=op.kind in NEARLY,
                err_msg=graph.label(position),
            )
            compared += 1
    assert compared >= len(graph.ops) * 0.9
