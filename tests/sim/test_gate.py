"""The gate on an emulated core: a slower kernel is named, an unchanged tree is left in peace."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.data import data_dir
from harness.results.store import read
from tests.command import Bench
from tests.unit.test_sweep import threads

pytestmark = pytest.mark.qemu

RUNS = 20
SPEC = "name: gated\nmodels: [kws]\nboards: [nucleo-f746zg]\nschedules: [layer]\nrepeat: 1\n"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """The command line, with sweeps in this process so that it can be tampered with."""
    monkeypatch.setattr("harness.cli.sweeping.processes", lambda _: threads)
    return Bench(monkeypatch, capsys)


@pytest.fixture
def options(tmp_path: Path) -> tuple[object, ...]:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    return "--baseline", tmp_path / "base", "--store", tmp_path / "now", "--spec", spec


def slow_down(monkeypatch: pytest.MonkeyPatch, folder: Path, instructions: int) -> None:
    """Build from here on with a softmax kernel that does nothing for so many instructions."""
    firmware = folder / "firmware"
    shutil.copytree(data_dir("firmware"), firmware, dirs_exist_ok=True)
    kernel = firmware / "kernels" / "softmax.h"
    idle = (
        f"    int32_t idle = {instructions // 2};\n"
        '    __asm__ volatile("1: subs %0, #1\\n bne 1b" : "+r"(idle) : : "cc");\n'
    )
    text, seeded = re.subn(
        r"(KERNEL void softmax_row\([^{]*\{\n)",
        rf"\1{idle}".replace("\\n b", "\\\\n b"),
        kernel.read_text(),
    )
    assert seeded == 1
    kernel.write_text(text)
    for module in ("gcc", "recipe"):
        monkeypatch.setattr(
            f"harness.toolchain.{module}.data_dir",
            lambda name: firmware if name == "firmware" else None,
        )


def baseline(tmp_path: Path) -> Any:
    """Return the newest record of the baseline."""
    return read(sorted((tmp_path / "base").glob("*.json"))[-1])


def test_a_kernel_that_is_one_percent_slower_is_found_named_and_accepted(
    bench: Bench, tmp_path: Path, options: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench("gate", *options, "--accept").code == 0
    before = baseline(tmp_path).latency.instructions
    slow_down(monkeypatch, tmp_path, before // 100)
    result = bench("gate", *options)
    assert result.code == 4, result.out + result.err
    assert "REGRESSED kws on nucleo-f746zg, layer" in result.out
    assert "(+1.0 %)" in result.out
    assert re.search(r"op \d+ SOFTMAX '.+': \+[\d,]+ instructions", result.out, re.I)
    assert baseline(tmp_path).latency.instructions == before
    accepted = bench("gate", *options, "--accept")
    assert accepted.code == 0, accepted.err
    assert "accepted: " in accepted.err
    assert bench("gate", *options).code == 0
    monkeypatch.undo()
    monkeypatch.setattr("harness.cli.sweeping.processes", lambda _: threads)
    improved = bench("gate", *options)
    assert (improved.code, "improved kws" in improved.out) == (0, True)
    assert baseline(tmp_path).latency.instructions > before


def test_an_unchanged_tree_is_not_flagged_in_twenty_runs(
    bench: Bench, options: tuple[object, ...]
) -> None:
    assert bench("gate", *options, "--accept").code == 0
    for _ in range(RUNS):
        result = bench("gate", *options)
        assert (result.code, "gate: 1 same" in result.out) == (0, True), result.out + result.err
