"""What ``A`` and ``B`` of a comparison may be, and how each becomes subjects.

In this order: a record's file, a folder of records, ``published:TABLE`` or
``published:TABLE/SYSTEM``, a sweep of the store (its id, or the start of it), a git revision of
this project whose records the store has.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.comparison.published import load_published, subjects_of
from harness.comparison.subject import Subject, subject_of
from harness.data import data_dir
from harness.errors import InputError, UsageError
from harness.results.frame import find
from harness.results.store import read

_GIT_S = 10.0
_PUBLISHED = "published:"
_FORMS = (
    "a record's file, a folder of records, published:TABLE, a sweep of the store or a git revision"
)


@dataclass(frozen=True, slots=True)
class Operand:
    """One side of a comparison; ``is_revision`` says that a git revision was named."""

    label: str
    subjects: list[Subject]
    is_revision: bool = False


def resolve(text: str, store: Path) -> Operand:
    """Return what a side's name stands for.

    Raises:
        UsageError: it stands for nothing.
        InputError: it stands for something that has no records.
    """
    path = Path(text)
    if text.startswith(_PUBLISHED):
        name, system = text.removeprefix(_PUBLISHED), ""
        if not name.endswith((".yaml", ".yml")):
            name, _, system = name.partition("/")
        return Operand(text, subjects_of(load_published(name), system))
    if path.is_file():
        return Operand(path.name, [subject_of(read(path))])
    if path.is_dir():
        return _filled(Operand(text, _subjects(path, "")), f"{path} holds no records")
    sweeps = sorted(p.stem for p in (store / "sweeps").glob(f"{_plain(text)}*.json"))
    if len(sweeps) > 1:
        raise UsageError(f"{text}: {len(sweeps)} sweeps begin so", hint=", ".join(sweeps[:5]))
    if sweeps:
        return Operand(sweeps[0], _subjects(store, f"sweep = '{sweeps[0]}'"))
    commit = revision(text)
    if commit:
        found = Operand(f"{text} ({commit[:9]})", of_commit(store, commit), is_revision=True)
        return _filled(found, f"{store} has no records of {text} ({commit[:9]})")
    raise UsageError(f"there is no {text!r} to compare", hint=f"name {_FORMS}")


def of_commit(store: Path, commit: str) -> list[Subject]:
    """Return what was measured with one commit of the tool, unchanged."""
    return _subjects(store, f"git_commit = '{commit}' and not dirty") if store.is_dir() else []


def revision(text: str) -> str:
    """Return the commit that a git revision of this project names, or nothing."""
    command = ["git", "-C", str(data_dir("firmware").parent), "rev-parse", "--verify", "--quiet"]
    try:
        done = subprocess.run(
            [*command, "--end-of-options", f"{text}^{{commit}}"],
            capture_output=True,
            text=True,
            timeout=_GIT_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _plain(text: str) -> str:
    """Return text that a pattern of files takes literally."""
    return "".join(letter for letter in text if letter.isalnum() or letter in "-_.")


def _subjects(store: Path, where: str) -> list[Subject]:
    return [subject_of(record) for _, record in find(store, where)]


def _filled(found: Operand, complaint: str) -> Operand:
    if not found.subjects:
        raise InputError(complaint, hint="`bench run` and `bench sweep` make records")
    return found
