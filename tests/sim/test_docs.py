"""What the documents say is so: their commands run, their files and targets exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.data import data_dir
from tests.command import Bench

ROOT = data_dir("boards").parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TOP = ("harness", "boards", "firmware", "models", "reports", "tests", "tools", "docs")


def commands(word: str) -> list[str]:
    """Return the lines of all fenced blocks that begin with a word, comments cut off."""
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"^```\w*\n(.*?)^```", document.read_text(), re.M | re.S):
            lines = (line.partition("  #")[0].strip() for line in block.splitlines())
            found += [line for line in lines if line.startswith(word + " ")]
    return sorted(set(found))


def on_what(command: str) -> pytest.MarkDecorator:
    """Return the marker of what a command needs."""
    is_on_renode = command.startswith("bench run") and "--device renode" in command
    return pytest.mark.renode if is_on_renode else pytest.mark.qemu


@pytest.mark.parametrize("command", [pytest.param(c, marks=on_what(c)) for c in commands("bench")])
def test_every_command_in_the_documents_runs(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    result = Bench(monkeypatch, capsys)(*shlex.split(command)[1:])
    assert result.code == 0, result.err


@pytest.mark.parametrize("command", commands("make"))
def test_every_make_target_in_the_documents_exists(command: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{command.split()[1]}:", makefile, re.M)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(TOP)})/[\w./-]+)`", document.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []
