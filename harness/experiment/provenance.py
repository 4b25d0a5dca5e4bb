"""Which version of the tool is running, as far as a checkout can tell."""

from __future__ import annotations

import hashlib
import subprocess
from functools import cache
from pathlib import Path

from harness import __version__
from harness.data import data_dir
from harness.results.record import ToolPart

_GIT_S = 5.0


@cache
def tool_part() -> ToolPart:
    """Return version and, in a git checkout of this project, commit and whether it was changed.

    That of the first call, since it is about then that Python read the code it runs.
    """
    root = data_dir("firmware").parent
    if not (root / ".git").exists():
        return ToolPart(version=__version__)
    commit = _git(root.as_posix(), "rev-parse", "HEAD")
    changes = _git(root.as_posix(), "status", "--porcelain")
    return ToolPart(version=__version__, git_commit=commit, dirty=bool(changes))


def source_digest() -> str:
    """Return the SHA-256 of all that decides figures: the package and the firmware, as text."""
    firmware = data_dir("firmware")
    package = Path(__file__).resolve().parent.parent
    state = hashlib.sha256()
    for root, suffixes in ((package, (".py",)), (firmware, (".c", ".h", ".ld"))):
        for path in sorted(p for p in root.rglob("*") if p.suffix in suffixes):
            content = path.read_bytes()
            state.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
            state.update(content)
    return state.hexdigest()


def _git(root: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", root, *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
