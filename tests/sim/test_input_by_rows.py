"""Inputs by rows on emulated cores: right bytes, counts of the inference alone, less SRAM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.codegen.model_c import generate
from harness.codegen.sources import Sources
from harness.devices.host import HostDevice
from harness.devices.qemu import QemuDevice
from harness.experiment.case import Case
from harness.experiment.measure import measure
from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.models.preprocess import load_inputs
from harness.passes.pipeline import run_passes
from harness.reference.interpreter import run as run_reference
from harness.schedule.plan import Plan, Rows, StreamSegment, align
from harness.schedule.search import assemble, plan
from harness.telemetry.frames import Frame, encode
from harness.telemetry.messages import Run
from harness.telemetry.session import Session
from harness.toolchain.gcc import build
from tests.graphs import GraphBuilder
from tests.tiny_model import (
    FETCH_NOTHING,
    INPUT,
    OUTPUT,
    ROWS,
    fetching_sources,
    host_target,
    qemu_target,
)

on_each_core = pytest.mark.parametrize("board", ["mps2-an386", "nucleo-f746zg", "mps3-an547"])

CALL_INSTRUCTIONS = 3
"""What a call of a function that does nothing counts more than a fetch.

That is its call, its return, and one that the calibrated fetch takes off too much: it makes two
constant arguments and jumps, where the model calls with arguments that are work of its own.
"""

VWW = "mlperf_vww_mobilenetv1_025_96.tflite"
PERSON_DETECTION = "mcunet_person_det.tflite"


def counts_of(sources: Sources, board: str, folder: Path, *, port: bool = True) -> list[float]:
    """Return the instructions of three inferences and of the one step; outputs are right."""
    firmware = build(sources, qemu_target(board), out_dir=folder)
    device = QemuDevice(has_debug_port=port)
    with device.open(firmware) as console:
        session = Session(console)
        hello = session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
        clock = device.clock(hello)
        session.serve(INPUT, grain=clock.grain)
        runs = session.run(warmup=1, repeat=3)
        steps = session.profile()
        outputs = session.outputs([64])
    assert (outputs == [OUTPUT]) == ("model_fetch_row" in sources.text("model.c"))
    return [clock.measure(t, s.overhead_ticks) for s in (runs, steps) for t in s.ticks]


@pytest.mark.qemu
@on_each_core
def test_neither_waiting_nor_fetching_counts(board: str, tmp_path: Path) -> None:
    fetching = fetching_sources()
    by_port = counts_of(fetching, board, tmp_path)
    by_line = counts_of(fetching, board, tmp_path, port=False)
    calling = counts_of(fetching_sources("fetch_nothing"), board, tmp_path)
    assert len(set(by_port + by_line)) == 1, "whatever the line takes, the count is the same"
    assert by_port[0] == calling[0] - CALL_INSTRUCTIONS * ROWS


@pytest.mark.host_c
def test_a_new_host_is_heard_while_a_row_is_waited_for(tmp_path: Path) -> None:
    firmware = build(fetching_sources(), host_target(), out_dir=tmp_path, sanitize=True)
    device = HostDevice()
    with device.open(firmware) as console:
        for _ in range(3):
            session = Session(console)
            hello = session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
            session.serve(INPUT, grain=device.clock(hello).grain)
            assert len(session.run(warmup=0, repeat=2).ticks) == 2
            assert session.outputs([64]) == [OUTPUT]
            # This host asks for a hundred inferences and goes away.
            console.write(encode(Frame(Run.TYPE, 99, Run(0, 50).payload())))


def measured(imported: Graph, sources: Sources, folder: Path) -> tuple[int | float, int]:
    """Return the instructions of sources and the bytes of SRAM that they touch."""
    device = QemuDevice()
    firmware = build(sources, qemu_target("mps2-an386"), out_dir=folder)
    inputs = load_inputs(None, imported, None)
    case = Case(board="mps2-an386", model=imported.name, warmup=0, repeat=2)
    got = measure(case, imported, inputs, device, firmware, lambda *_: None)
    expected = run_reference(imported, inputs.samples[0])
    assert [o.tolist() for o in got.outputs[0]] == [o.tolist() for o in expected]
    counts = {got.clock.measure(t, got.latency.overhead_ticks) for t in got.latency.ticks}
    assert len(counts) == 1, "two inferences count the same"
    stack = got.sram.stack_high_water
    return counts.pop(), firmware.footprint.static_bytes + got.sram.arena_high_water + stack


def with_a_ring_of_all_rows(streamed: Plan) -> Plan:
    """Return the plan with room for the whole fetched input."""
    graph, first = streamed.graph, streamed.segments[0]
    assert isinstance(first, StreamSegment)
    _, height, width, channels = graph.tensor(graph.inputs[0]).shape
    ring = Rows(graph.inputs[0], height, width, 0)
    inner = [r for r in first.rows if r.tensor != ring.tensor]
    inner = [replace(r, offset=r.offset + align(height * width * channels)) for r in inner]
    return assemble(graph, "stream", [replace(first, rows=(ring, *inner)), *streamed.segments[1:]])


def with_its_rows_there_already(sources: Sources, height: int, size_bytes: int) -> Sources:
    """Return the same code over an input that lies where its rows would be fetched to."""
    text = sources.text("model.c")
    for old, new in (
        ("model_fetch_row(", "fetch_nothing("),
        ("{0}, /* fetched row by row */", f"{{model_arena + AT_X0, {size_bytes}}},"),
        (f"model_row_count = {height}", "model_row_count = 0"),
        (f"model_row_bytes = {size_bytes // height}", "model_row_bytes = 0"),
        ('#include "model.h"\n', f'#include "model.h"\n{FETCH_NOTHING}'),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    files = {**dict(sources.files), "model.c": text}
    return replace(sources, files=tuple(files.items()))


@pytest.mark.qemu
def test_by_rows_counts_what_the_resident_input_does(tmp_path: Path) -> None:
    build = GraphBuilder("wide")
    x = build.input((1, 20, 400, 3))  # a row takes two requests: 1,200 bytes, 1,024 in each
    x = build.conv(build.depthwise(x, stride=(2, 2)), 4, (1, 1))
    build.softmax(build.reshape(build.mean(x), 1, 4))
    graph = replace(run_passes(build.graph()), sha256="5a" * 32)
    made = with_a_ring_of_all_rows(plan(graph, "stream", input_by_rows=True))
    sources = generate(made, target=qemu_target("mps2-an386"))
    by_rows, _ = measured(graph, sources, tmp_path)
    there_already = with_its_rows_there_already(sources, 20, 24000)
    resident, _ = measured(graph, there_already, tmp_path)
    assert by_rows == resident - CALL_INSTRUCTIONS * 20


@pytest.mark.qemu
def test_a_network_by_rows_takes_less_sram_than_its_image(models_dir: Path, tmp_path: Path) -> None:
    imported = read_tflite((models_dir / VWW).read_bytes(), name="vww")
    by_rows = plan(run_passes(imported), "stream", input_by_rows=True)
    sources = generate(by_rows, target=qemu_target("mps2-an386"))
    _, peak = measured(imported, sources, tmp_path)
    assert peak < imported.tensor(imported.inputs[0]).size_bytes
    assert peak - by_rows.planned_peak_bytes < 3000


@pytest.mark.qemu
def test_a_float_image_by_rows_is_never_held(models_dir: Path, tmp_path: Path) -> None:
    """A detector of two outputs whose image of 245,760 bytes is quantized row by row."""
    imported = read_tflite((models_dir / PERSON_DETECTION).read_bytes(), name="person")
    by_rows = plan(run_passes(imported), "stream", input_by_rows=True)
    sources = generate(by_rows, target=qemu_target("mps2-an386"))
    assert "model_row_bytes = 1920" in sources.text("model.c"), "160 pixels of 3 floats"
    _, peak = measured(imported, sources, tmp_path)
    assert peak - by_rows.planned_peak_bytes < 4000
    assert peak < 40_000


@pytest.mark.qemu
def test_a_spectrogram_that_is_reshaped_first_arrives_by_its_rows(
    models_dir: Path, tmp_path: Path
) -> None:
    imported = read_tflite((models_dir / "tflm_micro_speech.tflite").read_bytes(), name="speech")
    by_rows = plan(run_passes(imported), "stream", input_by_rows=True)
    sources = generate(by_rows, target=qemu_target("mps2-an386"))
    assert "model_row_bytes = 40" in sources.text("model.c"), "of an input [1, 1960], 49 x 40"
    measured(imported, sources, tmp_path)
