"""Text that is checked in and read again whenever it changes.

``UPDATE_GOLDEN=1 pytest tests/golden`` rewrites what differs and fails once, so that the diff is
read before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def assert_golden(path: Path, text: str) -> None:
    """Compare text with a file, or replace the file if asked to."""
    known = path.read_text() if path.exists() else ""
    if text == known:
        return
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        pytest.fail(f"{path.name} is rewritten: read the diff")
    assert text == known, f"{path.name} differs; UPDATE_GOLDEN=1 rewrites it"
