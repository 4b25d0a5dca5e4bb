"""The reference equals TensorFlow Lite Micro on every real model whose ops are offered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.importer.tflite import read_tflite
from harness.reference.interpreter import run
from tests.tflm import assert_equals_tflm

NOT_OFFERED = {"tflm_hello_world_float", "tflm_keyword_scrambled", "tflm_mnist_lstm_int8"}
"""Float arithmetic, SVDF and LSTM."""


@pytest.mark.models(without=NOT_OFFERED)
def test_outputs_equal_those_of_tflite_micro(model_path: Path, golden_dir: Path) -> None:
    graph = read_tflite(model_path.read_bytes(), name=model_path.stem)
    recorded = np.load(golden_dir / f"{model_path.stem}.npz")
    outputs = run(graph, [recorded[f"input{i}"] for i in range(len(graph.inputs))])
    for i, output in enumerate(outputs):
        np.testing.assert_array_equal(output, recorded[f"tflm_output{i}"], strict=True)


@pytest.mark.tflm
@pytest.mark.models(without=NOT_OFFERED)
def test_every_tensor_equals_tflite_micro(model_path: Path, golden_dir: Path) -> None:
    model = model_path.read_bytes()
    graph = read_tflite(model, name=model_path.stem)
    recorded = np.load(golden_dir / f"{model_path.stem}.npz")
    assert_equals_tflm(graph, model, [recorded[f"input{i}"] for i in range(len(graph.inputs))])
