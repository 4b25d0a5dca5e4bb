"""Sweeps on an emulated core: what they cost, and that a kill in the middle loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import harness.results as results
from harness.data import data_dir
from harness.experiment.pool import processes
from harness.experiment.spec import SweepSpec, cases
from harness.experiment.sweep import run_sweep

pytestmark = pytest.mark.qemu

CORES = 2
OVERHEAD_S = 0.3
"""What a case may take beyond building and emulating, with two processes."""

ATTEMPTS = 3
"""Something else may keep the cores busy meanwhile."""

HUNDRED = SweepSpec(
    name="hundred",
    models=("hello-world", "ad"),
    boards=("nucleo-f746zg", "nucleo-f446re", "nucleo-l4r5zi", "nrf52840-dk", "mps2-an386"),
    schedules=("layer", "inplace", "stream", "auto", "patch"),
    sram_limits=(None, 60_000),
    repeat=1,
)


@pytest.mark.timeout(900)
def test_a_hundred_cases_cost_little_beyond_building_and_emulating(tmp_path: Path) -> None:
    assert len(cases(HUNDRED)) == 100
    told = []
    for attempt in range(ATTEMPTS):
        store = tmp_path / str(attempt)
        done = run_sweep(HUNDRED, store=store, workers=processes(CORES), at_once=CORES)
        ran = [case.ran for case in done.done if case.ran is not None]
        assert len(ran) == len(results.load(store)) == 100
        work_s = sum(case.built_s + case.emulated_s for case in ran)
        told.append((done.took_s * CORES - work_s) / len(ran))
        if told[-1] < OVERHEAD_S:
            return
    raise AssertionError(f"seconds a case: {told}")


def test_the_second_run_is_three_times_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SweepSpec(
        name="twice", models=("hello-world", "kws"),
        schedules=("layer", "inplace", "stream"), repeat=1,
        boards=("nucleo-f746zg", "mps2-an386", "mps2-an385", "mps3-an547", "microbit"),
    )  # fmt: skip
    told = []
    for attempt in range(ATTEMPTS):
        monkeypatch.setenv("BENCH_CACHE", str(tmp_path / f"cache {attempt}"))
        first, second = (
            run_sweep(spec, store=tmp_path / "s", workers=processes(CORES), at_once=CORES).took_s
            for _ in range(2)
        )
        told.append((first, second))
        if first > 3 * second:
            return
    raise AssertionError(f"seconds of the first and the second run: {told}")


def test_a_killed_sweep_is_completed_without_loss_or_copies(tmp_path: Path) -> None:
    spec, store = tmp_path / "s.yaml", tmp_path / "store"
    spec.write_text(
        "name: killed\nmodels: [kws, ad, hello-world]\nboards: [nucleo-f746zg, nucleo-f446re]\n"
        "schedules: [layer, stream]\n"
    )
    command = [sys.executable, "-m", "harness", "sweep", str(spec), "--store", str(store)]
    root = data_dir("boards").parent
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        assert any(line.startswith("[ 3/12]") for line in run.stderr)
        run.send_signal(signal.SIGKILL)
    kept = {path.name: path.read_bytes() for path in store.glob("*.json")}
    assert 3 <= len(kept) < 12
    done = subprocess.run(
        command, cwd=root, env=os.environ, capture_output=True, text=True, check=True
    )
    assert f"[{len(kept)}/12]" in done.stderr.replace("[ ", "[")
    frame = results.load(store)
    assert len(frame) == 12
    assert not frame.duplicated(["model", "board", "schedule"]).any()
    assert {name: (store / name).read_bytes() for name in kept} == kept
