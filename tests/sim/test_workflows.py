"""What CI runs every change and every night runs here too, on QEMU and with one small network."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.data import data_dir
from harness.experiment.spec import load_spec
from tests.command import Bench
from tests.unit.test_sweep import threads

ROOT = data_dir("boards").parent
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
SYSTEM = re.compile(
    r'(make |tools/|mkdir renode && curl |echo "\$PWD/[\w./]+" >> "\$GITHUB_PATH"$)'
)
"""What prepares the machine; make's targets and our own scripts are looked up."""


def commands(workflow: Path) -> list[str]:
    """Return the lines of all steps of a workflow, in their order."""
    jobs: dict[str, Any] = yaml.safe_load(workflow.read_text())["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"] if "run" in step]
    return [line for step in steps for line in step["run"].splitlines()]


def test_there_are_workflows_for_changes_and_nights() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "nightly"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actionlint_has_nothing_to_say(workflow: Path) -> None:
    if shutil.which("actionlint") is None:
        pytest.skip("not on PATH: actionlint")
    said = subprocess.run(["actionlint", workflow], capture_output=True, text=True, check=False)
    assert said.stdout + said.stderr == ""


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_other_command_is_ours_or_prepares_the_machine(workflow: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in commands(workflow):
        if command.startswith("bench "):
            continue
        assert SYSTEM.match(command), command
        if command.startswith("make "):
            assert re.search(rf"^{command.split()[1]}:", makefile, re.M)
        if command.startswith("tools/"):
            assert (ROOT / command.split()[0]).is_file()


@pytest.mark.parametrize("name", ["nightly", "change"])
def test_what_is_measured_is_known(name: str) -> None:
    assert load_spec(ROOT / ".github" / f"{name}.yaml").models


@pytest.mark.qemu
@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_bench_command_runs(
    workflow: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: a change has no base")
    (tmp_path / ".github").mkdir()
    for name in ("nightly", "change"):
        text = (ROOT / ".github" / f"{name}.yaml").read_text()
        small = re.sub(r"^models: .*$", "models: [hello-world]", text, flags=re.M)
        small = re.sub(r"^boards: .*$", "boards: [nucleo-f746zg]", small, flags=re.M)
        (tmp_path / ".github" / f"{name}.yaml").write_text(small)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setattr("harness.cli.sweeping.processes", lambda _: threads)
    bench = Bench(monkeypatch, capsys)
    ours = [command for command in commands(workflow) if command.startswith("bench ")]
    assert ours
    for command in ours:
        words = shlex.split(command.partition(" >> ")[0].replace('"$BASE"', "HEAD"))[1:]
        on_qemu = ["--device", "qemu"] if words[0] in ("sweep", "gate", "run") else []
        result = bench(*words, *on_qemu)
        assert result.code == 0, f"{command}: {result.out}{result.err}"
    assert "Gate: " in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "gate.xml").is_file()
