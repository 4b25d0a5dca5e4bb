"""A sweep on a real Dask scheduler with two workers on loopback, one of which is killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

import harness.results as results
from harness.data import data_dir
from tests.command import Bench

ROOT = data_dir("boards").parent
PATIENCE_S = 60.0
SPEC = (
    "name: spread\nmodels: [ad, hello-world]\nboards: [nucleo-f746zg, nucleo-f446re]\n"
    "schedules: [layer, stream]\nrepeat: 1\n"
)
needs_dask = pytest.mark.skipif(
    find_spec("distributed") is None, reason="not installed: distributed"
)


@contextmanager
def running(module: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run one of Dask's programs until the block ends."""
    command = [sys.executable, "-m", f"distributed.cli.{module}", *options]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(SPEC)
    return path


@pytest.mark.qemu
@needs_dask
def test_a_killed_worker_loses_nothing_and_doubles_nothing(tmp_path: Path, spec: Path) -> None:
    place, store = tmp_path / "scheduler.json", tmp_path / "store"
    loopback = ("--host", "127.0.0.1")
    with ExitStack() as stack:
        stack.enter_context(
            running(
                "dask_scheduler", *loopback, "--port", "0", "--no-dashboard", "--no-show",
                "--scheduler-file", str(place),
            )
        )  # fmt: skip
        url = address(place)
        alone = ("--no-nanny", "--no-dashboard", "--nthreads", "1")
        worker, _ = (
            stack.enter_context(running("dask_worker", url, *loopback, *alone)) for _ in range(2)
        )
        wait_for_workers(url, 2)
        command = [sys.executable, "-m", "harness", "sweep", str(spec), "--store", str(store)]
        with subprocess.Popen(
            [*command, "--cluster", url], cwd=ROOT, stderr=subprocess.PIPE, text=True
        ) as sweep:
            assert sweep.stderr is not None
            assert any(line.startswith("[2/8]") for line in sweep.stderr)
            worker.kill()
            rest = sweep.stderr.read()
        assert sweep.returncode == 0, rest
    frame = results.load(store)
    assert len(frame) == 8
    assert set(frame["status"]) == {"ok"}
    assert not frame.duplicated(["model", "board", "schedule"]).any()


def address(place: Path) -> str:
    """Return where a scheduler listens once it does."""
    for _ in range(int(PATIENCE_S * 10)):
        found = re.search(r"tcp://[\d.]+:\d+", place.read_text()) if place.exists() else None
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("the scheduler does not start")


def wait_for_workers(url: str, count: int) -> None:
    code = (
        f"from distributed import Client; Client({url!r}).wait_for_workers({count}, {PATIENCE_S})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=2 * PATIENCE_S)


@needs_dask
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--cluster", "tcp://127.0.0.1:9"), 3, "no Dask scheduler answers at tcp://127.0.0.1:9"),
        (("--cluster", "tcp://127.0.0.1:9", "--device", "host"), 2, "host runs on this computer"),
    ],
)
def test_what_a_cluster_cannot_do_is_told(
    options: tuple[str, ...], code: int, said: str, spec: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("harness.experiment.cluster._CONNECT_S", 1.0)
    result = Bench(monkeypatch, capsys)("sweep", spec, "--store", tmp_path / "s", *options)
    assert (result.code, said in result.err) == (code, True), result.err
