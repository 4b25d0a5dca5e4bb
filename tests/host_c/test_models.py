"""Generated C of real models gives TensorFlow Lite Micro's outputs, natively, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.passes.pipeline import run_passes
from harness.schedule.limits import can_come_by_rows
from harness.schedule.plan import Plan
from harness.schedule.search import SCHEDULES, plan
from tests.host_c import native

NOT_OFFERED = {"tflm_hello_world_float", "tflm_keyword_scrambled", "tflm_mnist_lstm_int8"}
"""Float arithmetic, SVDF and LSTM."""

pytestmark = pytest.mark.host_c


def different_plans(graph: Graph) -> Iterator[Plan]:
    """Yield the plans of all schedules; what has the same segments computes the same way."""
    segments = set()
    plans = [plan(graph, schedule) for schedule in SCHEDULES]
    if can_come_by_rows(graph):
        plans.append(plan(graph, "stream", input_by_rows=True))
    for made in plans:
        if made.segments not in segments:
            yield made
        segments.add(made.segments)


@pytest.mark.models(without=NOT_OFFERED)
def test_outputs_equal_those_of_tflite_micro(
    model_path: Path, golden_dir: Path, tmp_path: Path
) -> None:
    graph = run_passes(read_tflite(model_path.read_bytes(), name=model_path.stem))
    recorded = np.load(golden_dir / f"{model_path.stem}.npz")
    inputs = [recorded[f"input{i}"] for i in range(len(graph.inputs))]
    for number, made in enumerate(different_plans(graph)):
        program = native.build_plan(made, tmp_path / str(number), native.FAST)
        # The second sample finds an arena that the first has used.
        for outputs in native.run(program, graph, inputs, inputs):
            for i, output in enumerate(outputs):
                expected = recorded[f"tflm_output{i}"]
                np.testing.assert_array_equal(output, expected, made.schedule, strict=True)
