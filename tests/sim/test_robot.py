"""The suites under tests/robot, run by Robot Framework itself, and the library's documentation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 240


def run(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.mark.qemu
@pytest.mark.parametrize("suite", sorted((ROOT / "tests" / "robot").glob("*.robot")), ids=str)
def test_a_suite_passes(suite: Path, tmp_path: Path) -> None:
    result = run("robot", "--outputdir", tmp_path, suite)
    assert result.returncode == 0, result.stdout + result.stderr
    assert list((tmp_path / "records").glob("*.json")), "our own records beside Robot's log"


def test_every_keyword_is_documented(tmp_path: Path) -> None:
    page = tmp_path / "BenchLibrary.html"
    result = run("robot.libdoc", "harness.robot.BenchLibrary", page)
    assert result.returncode == 0, result.stderr
    text = page.read_text(encoding="utf-8")
    for name in (
        "Run Benchmark",
        "Plan Model",
        "Instructions Should Not Exceed",
        "Sram Should Not Exceed",
        "Outputs Should Be Bit Exact",
        "Should Not Regress Against",
    ):
        assert f'"name": "{name}"' in text
