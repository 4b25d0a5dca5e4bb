"""The main job, end to end on an emulated core, as a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import data_dir
from harness.results.record import Record
from tests.command import Bench

pytestmark = pytest.mark.qemu

BOARD = "nucleo-f746zg"

CONTRACT = {
    "model": {"name", "sha256", "weights", "macs", "parameters"},
    "board": {"name", "mcu", "core"},
    "device": {"kind", "stand_in", "detail"},
    "schedule": {"requested", "recompute_ratio", "segments"},
    "toolchain": {"compiler", "version", "flags"},
    "firmware": {"elf", "elf_sha256", "build_id"},
    "latency": {"instructions", "cycles", "latency_s", "clock", "warmup", "samples"},
    "sram": {
        "arena_bytes", "scratch_bytes", "static_bytes", "stack_bytes",
        "planned_peak_bytes", "linked_bytes", "measured_peak_bytes", "gaps",
    },
    "flash": {"code_bytes", "weights_bytes", "total_bytes"},
    "correctness": {"reference", "bit_exact", "max_abs_diff"},
}  # fmt: skip
"""Names that scripts outside rely on."""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(monkeypatch, capsys)


def run_kws(bench: Bench, store: Path, *more: object) -> dict[str, Any]:
    result = bench("run", "--board", BOARD, "--model", "kws", "--json", "--store", store, *more)
    assert result.code == 0, result.err
    record: dict[str, Any] = result.json
    return record


def test_a_record_has_all_that_the_contract_names(bench: Bench, tmp_path: Path) -> None:
    record = run_kws(bench, tmp_path)
    assert (record["schema_version"], record["status"], record["energy"]) == (1, "ok", None)
    for part, names in CONTRACT.items():
        assert names <= set(record[part]), part
    assert record["correctness"]["bit_exact"] is True
    device = record["device"]
    assert (device["kind"], device["stand_in"]) == ("qemu", True)
    assert device["state"]["core"] == record["board"]["core"], "the CPUID of the emulated core"
    assert record["latency"]["cycles"] is record["latency"]["latency_s"] is None
    written = [path.read_text() for path in tmp_path.glob("*.json")]
    assert [Record.model_validate_json(text).id for text in written] == [record["id"]]


def test_counts_repeat_and_ops_add_up_to_the_whole(bench: Bench, tmp_path: Path) -> None:
    first, second = run_kws(bench, tmp_path), run_kws(bench, tmp_path)
    samples = first["latency"]["samples"] + second["latency"]["samples"]
    assert len(samples) == 6
    assert len(set(samples)) == 1
    total = sum(op["instructions"] or 0 for op in first["ops"])
    # What is not an op is model_invoke itself: a call for each step, its entry and its return.
    assert 0 < first["latency"]["instructions"] - total < 4 * len(first["ops"])


def test_sram_reconciles_to_the_byte(bench: Bench, tmp_path: Path) -> None:
    sram = run_kws(bench, tmp_path)["sram"]
    gaps = {gap["what"]: gap["bytes"] for gap in sram["gaps"]}
    linked = sum(size for what, size in gaps.items() if what.startswith("linked: "))
    measured = sum(size for what, size in gaps.items() if what.startswith("measured: "))
    assert sram["planned_peak_bytes"] == sram["arena_bytes"] + sram["scratch_bytes"]
    assert sram["planned_peak_bytes"] + linked == sram["linked_bytes"]
    assert sram["linked_bytes"] + measured == sram["measured_peak_bytes"]
    assert sram["planned_peak_bytes"] < sram["measured_peak_bytes"] <= sram["linked_bytes"]


def test_a_capture_replays_to_the_same_figures(bench: Bench, tmp_path: Path) -> None:
    live = run_kws(bench, tmp_path)
    again = run_kws(bench, tmp_path, "--device", f"replay:{live['capture']}")
    assert again["device"]["kind"] == "replay"
    for part in ("latency", "sram", "correctness", "ops"):
        assert again[part] == live[part]


def test_a_capture_of_another_model_is_refused(bench: Bench, tmp_path: Path) -> None:
    capture = run_kws(bench, tmp_path)["capture"]
    result = bench(
        *("run", "--board", BOARD, "--model", "ad", "--no-store", "--device", f"replay:{capture}")
    )
    assert result.code == 3
    assert "the board runs model" in result.err


BY_ROWS = ("--schedule", "stream", "--input-by-rows")


def test_an_input_by_rows_is_recorded_warned_of_and_replayed(bench: Bench, tmp_path: Path) -> None:
    record = run_kws(bench, tmp_path, *BY_ROWS)
    assert record["correctness"]["bit_exact"] is True
    assert record["case"]["input_by_rows"] is record["schedule"]["input_by_rows"] is True
    assert len(set(record["latency"]["samples"])) == 1
    assert any("row by row" in warning for warning in record["warnings"])
    again = run_kws(bench, tmp_path, *BY_ROWS, "--device", f"replay:{record['capture']}")
    for part in ("latency", "sram", "correctness", "ops"):
        assert again[part] == record[part]


def test_rows_of_several_samples_are_handed_out(bench: Bench, tmp_path: Path) -> None:
    inputs = np.random.default_rng(5).integers(-128, 128, (2, 1, 49, 10, 1)).astype(np.int8)
    np.savez(tmp_path / "in.npz", input0=inputs)
    record = run_kws(bench, tmp_path, *BY_ROWS, "--inputs", tmp_path / "in.npz", "--repeat", 1)
    assert record["correctness"]["bit_exact"] is True
    assert len(record["latency"]["samples"]) == 2


def test_ops_that_run_together_share_a_figure(bench: Bench, tmp_path: Path) -> None:
    record = run_kws(bench, tmp_path, "--schedule", "stream")
    segments = record["schedule"]["segments"]
    fused = next(s for s in segments if s["last_op"] > s["first_op"])
    ops = record["ops"][fused["first_op"] : fused["last_op"] + 1]
    assert {op["segment"] for op in ops} == {"stream"}
    assert [op["instructions"] is None for op in ops] == [True] * (len(ops) - 1) + [False]
    code = [s["code_bytes"] for s in segments if s["kind"] != "alias"]
    assert min(code) > 0
    assert sum(code) < record["flash"]["code_bytes"]
    total = sum(op["instructions"] or 0 for op in record["ops"])
    assert 0 < record["latency"]["instructions"] - total < 4 * len(segments)
    table = bench("run", "--board", BOARD, "--model", "kws", "--no-store", "--per-op", *BY_ROWS)
    assert "┌ stream 0" in table.out
    assert "└" in table.out


def test_several_samples_run_one_after_the_other(bench: Bench, tmp_path: Path) -> None:
    inputs = np.random.default_rng(5).integers(-128, 128, (3, 1, 49, 10, 1)).astype(np.int8)
    np.savez(tmp_path / "in.npz", input0=inputs)
    files = ("--inputs", tmp_path / "in.npz", "--save-outputs", tmp_path / "out.npz")
    record = run_kws(bench, tmp_path / "store", *files, "--repeat", 2)
    assert len(record["latency"]["samples"]) == 6
    assert np.load(tmp_path / "out.npz")["output0"].shape == (3, 1, 12)


def test_the_table_shows_what_matters(bench: Bench, tmp_path: Path) -> None:
    result = bench(
        *("run", "--board", BOARD, "--model", "kws", "--per-op", "--store", tmp_path),
    )
    said = " ".join(result.out.split())
    assert result.code == 0
    for words in ("bit-exact", "instructions (median, n = 3", "SRAM measured", "stand-in", "a MAC"):
        assert words in said
    assert "record: " in result.err


def test_an_interrupted_run_leaves_neither_a_record_nor_an_emulator(tmp_path: Path) -> None:
    # Whoever runs the tests may ignore the signal, as shells make their background jobs do.
    heeding = ["env", "--default-signal=INT", sys.executable]
    command = [*heeding, "-m", "harness", "run", "--board", BOARD, "--model", "kws"]
    with subprocess.Popen(
        [*command, "--repeat", "10000", "--store", tmp_path / "store"],
        cwd=data_dir("boards").parent, env=os.environ | {"BENCH_CACHE": str(tmp_path)},
        stderr=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        assert run.stderr is not None
        try:
            assert any(line.startswith("painting") for line in run.stderr)
            assert str(tmp_path / "builds") in processes()
            run.send_signal(signal.SIGINT)
            assert run.wait(timeout=20) == 130
        finally:
            run.kill()
    assert str(tmp_path / "builds") not in processes()
    assert list((tmp_path / "store").iterdir()) == []


def processes() -> str:
    """Return the command lines of all processes."""
    return subprocess.run(
        ["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True, timeout=20
    ).stdout


def test_the_wheel_alone_does_the_main_job(tmp_path: Path) -> None:
    """An empty environment outside of the checkout, with the wheel and its dependencies."""
    root = data_dir("boards").parent
    run = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, root],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    python = tmp_path / "venv" / "bin" / "python"
    options = ("--quiet", "--no-deps", "--no-index")
    install: list[str | Path] = [python, "-m", "pip", "install", *options, wheel]
    subprocess.run(install, check=True, timeout=120)
    # Dependencies come from where the tests run; the package itself is only in the wheel, since
    # the path files of an editable install do not count on PYTHONPATH.
    environment = os.environ | {"PYTHONPATH": sysconfig.get_paths()["purelib"]}
    done = subprocess.run(
        [python.parent / "bench", "run", "--board", BOARD, "--model", "kws", "--json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = Record.model_validate_json(done.stdout)
    assert record.status == "ok"
    assert record.tool.git_commit == ""
    assert (tmp_path / "records" / f"{record.id}.json").is_file()
