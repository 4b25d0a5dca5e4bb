"""What the documents say is so: their commands run, their files and targets exist."""

from __future__ import annotations

import ast
import re
import shlex
import textwrap
from pathlib import Path

import pytest

from harness.data import data_dir
from tests.command import Bench

ROOT = data_dir("boards").parent
HARDWARE = ROOT / "docs/hardware.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TOP = ("harness", "boards", "firmware", "models", "reports", "tests", "tools", "docs")


def commands(word: str) -> list[str]:
    """Return the lines of all fenced blocks that begin with a word, comments cut off."""
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"^ *```\w*\n(.*?)^ *```", document.read_text(), re.M | re.S):
            lines = (line.partition("  #")[0].strip() for line in block.splitlines())
            found += [line for line in lines if line.startswith(word + " ")]
    return sorted(set(found))


def on_what(command: str) -> pytest.MarkDecorator:
    """Return the marker of what a command needs."""
    is_on_renode = command.startswith("bench run") and "--device renode" in command
    return pytest.mark.renode if is_on_renode else pytest.mark.qemu


def needs_board(command: str) -> bool:
    """Whether a command is for a board on a desk; the simulated one is always there."""
    is_on_board = command.startswith("bench lab") or "--device hardware" in command
    return is_on_board and "--lab" not in command


EVERYWHERE = [c for c in commands("bench") if not needs_board(c)]


@pytest.mark.parametrize("command", [c for c in commands("bench") if needs_board(c)])
def test_a_command_for_a_board_gets_as_far_as_looking_for_it(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the lab file that the document shows, and without the board that it names."""
    shown = re.search(r"^ *```yaml\n( *# lab\.yaml\n.*?)^ *```", HARDWARE.read_text(), re.M | re.S)
    assert shown is not None
    (tmp_path / "lab.yaml").write_text(textwrap.dedent(shown[1]))
    monkeypatch.delenv("BENCH_LAB", raising=False)
    monkeypatch.chdir(tmp_path)
    result = Bench(monkeypatch, capsys)(*shlex.split(command)[1:])
    assert result.code == 3
    assert "066BFF343633464257205426" in result.out + result.err


@pytest.mark.parametrize("command", [pytest.param(c, marks=on_what(c)) for c in EVERYWHERE])
def test_every_command_in_the_documents_runs(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    result = Bench(monkeypatch, capsys)(*shlex.split(command)[1:])
    assert result.code == (3 if "--lab sim:" in command else 0), result.err


def told() -> str:
    """Return all texts of the sources, a line each, with an ellipsis for what is put in."""
    lines = []
    for path in (ROOT / "harness").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.JoinedStr(values=parts):
                    lines.append(
                        "".join(
                            getattr(part, "value", "…") if isinstance(part, ast.Constant) else "…"
                            for part in parts
                        )
                    )
                case ast.Constant(value=str(text)):
                    lines.append(text)
    return "\n".join(lines)


def test_every_message_that_a_document_explains_is_said() -> None:
    rows = HARDWARE.read_text().partition("| message |")[2].partition("\n\n")[0].splitlines()[2:]
    messages = [row.split("|")[1].strip() for row in rows]
    assert len(messages) > 10
    sources = told()
    unsaid = [
        message
        for message in messages
        if not re.search(".*".join(map(re.escape, message.strip("… ").split("…"))), sources)
    ]
    assert unsaid == []


@pytest.mark.parametrize("command", commands("make"))
def test_every_make_target_in_the_documents_exists(command: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{command.split()[1]}:", makefile, re.M)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(TOP)})/[\w./-]+)`", document.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []
