"""Generated C of real models gives TensorFlow Lite Micro's outputs, natively, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.importer.tflite import read_tflite
from harness.passes.pipeline import run_passes
from tests.host_c import native

NOT_OFFERED = {"tflm_hello_world_float", "tflm_keyword_scrambled", "tflm_mnist_lstm_int8"}
"""Float arithmetic, SVDF and LSTM."""

pytestmark = pytest.mark.host_c


@pytest.mark.models(without=NOT_OFFERED)
def test_outputs_equal_those_of_tflite_micro(
    model_path: Path, golden_dir: Path, tmp_path: Path
) -> None:
    graph = run_passes(read_tflite(model_path.read_bytes(), name=model_path.stem))
    recorded = np.load(golden_dir / f"{model_path.stem}.npz")
    inputs = [recorded[f"input{i}"] for i in range(len(graph.inputs))]
    for schedule in ("layer", "inplace"):
        program = native.build(graph, schedule, tmp_path / schedule, native.FAST)
        # The second sample finds an arena that the first has used.
        for outputs in native.run(program, graph, inputs, inputs):
            for i, output in enumerate(outputs):
                np.testing.assert_array_equal(output, recorded[f"tflm_output{i}"], strict=True)
