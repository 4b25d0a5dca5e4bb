"""Where files lie: the project's data in a checkout or an installed wheel, and the user's cache."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

STORE = Path("records")
"""Where records are kept unless told otherwise."""

_PACKAGE = Path(__file__).resolve().parent


def data_dir(name: str) -> Path:
    """Return the folder ``boards``, ``firmware``, ``models`` or ``reports``.

    A wheel carries them under ``harness/_data``; in a checkout they stand beside the package.
    """
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def cache_dir(name: str) -> Path:
    """Return the user's cache folder ``models``, ``objects`` or ``builds``; it may not exist yet.

    The environment variable ``BENCH_CACHE`` names another place for all of them.
    """
    root = os.environ.get("BENCH_CACHE")
    return (Path(root) if root else platformdirs.user_cache_path("bench-tinyml")) / name


def plain(name: str) -> str:
    """Return a user's name as a part of a file name that needs no quotes and fits everywhere."""
    return re.sub(r"[^\w.]+", "-", name).strip(".-")[:40] or "unnamed"
