"""Real models on emulated cores: bit-exact to TFLite Micro, counts that repeat, SRAM as planned."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from harness.codegen.model_c import generate
from harness.devices.qemu import QemuDevice
from harness.importer.tflite import read_tflite
from harness.passes.pipeline import run_passes
from harness.schedule.search import plan
from harness.telemetry.session import Session
from harness.toolchain.gcc import build
from tests.golden.test_reference_golden import NOT_OFFERED
from tests.tiny_model import qemu_target

BOTH_SCHEDULES = pytest.mark.parametrize("schedule", ["layer", "inplace"])

LARGE = {
    "arm_micronet_vww2",
    "arm_micronet_vww3",
    "arm_mobilenet_v2_1.0_224",
    "mcunet_in0_10fps",
    "mcunet_in2_256kb_1mb",
    "mcunet_in3_320kb_1mb",
    "mcunet_mbv2_w035_r144",
    "mcunet_person_det",
    "mcunet_proxyless_w03_r176",
    "mcunet_vww0_10fps",
    "mcunet_vww1_5fps",
    "silabs_kws_on_off_v3",
    "tinyengine_mcunetv2_large",
    "tinyengine_vww",
    "wakevision_mobilenetv2",
}
"""Networks of many ops, which take seconds to compile. On the other cores they run only with
``BENCH_FULL=1``; their kinds of ops are those of the smaller ones."""

LEFT_OUT = set() if os.environ.get("BENCH_FULL") else LARGE


@pytest.mark.qemu
@BOTH_SCHEDULES
@pytest.mark.models(without=NOT_OFFERED)
def test_on_a_cortex_m7(model_path: Path, golden_dir: Path, schedule: str, tmp_path: Path) -> None:
    check(model_path, golden_dir, "mps2-an500", schedule, tmp_path)


@pytest.mark.qemu
@BOTH_SCHEDULES
@pytest.mark.parametrize("board", ["mps2-an386", "mps3-an547"])
@pytest.mark.models(without=NOT_OFFERED | LEFT_OUT)
def test_on_a_cortex_m4_and_m55(
    model_path: Path, golden_dir: Path, board: str, schedule: str, tmp_path: Path
) -> None:
    check(model_path, golden_dir, board, schedule, tmp_path)


def check(model_path: Path, golden_dir: Path, board: str, schedule: str, folder: Path) -> None:
    """Run a model; outputs are TFLite Micro's, counts repeat, and SRAM stays within the plan."""
    graph = run_passes(read_tflite(model_path.read_bytes(), name=model_path.stem))
    chosen = plan(graph, schedule)
    target = qemu_target(board)
    firmware = build(generate(chosen, target=target), target, out_dir=folder)
    recorded = np.load(golden_dir / f"{model_path.stem}.npz")
    with QemuDevice().open(firmware) as console:
        session = Session(console)
        session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
        session.load([recorded[f"input{i}"].tobytes() for i in range(len(graph.inputs))])
        first, second = session.run(warmup=0, repeat=2).ticks
        outputs = session.outputs([graph.tensor(t).size_bytes for t in graph.outputs])
        use = session.sram()
    assert outputs == [recorded[f"tflm_output{i}"].tobytes() for i in range(len(outputs))]
    assert abs(first - second) <= 1, "less than an instruction apart"
    assert use.arena_high_water <= chosen.planned_peak_bytes
    assert use.arena_touched <= chosen.planned_peak_bytes
