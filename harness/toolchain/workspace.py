"""Where an image is built: a folder in the user's cache that only its content names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.board.target import Target
from harness.codegen.sources import Sources
from harness.data import cache_dir, plain


def build_dir(sources: Sources, target: Target, optimize: str) -> Path:
    """Return the folder for an image; the same sources and target always give the same one."""
    digest = hashlib.sha256(repr((sources.files, target, optimize)).encode()).hexdigest()
    return cache_dir("builds") / f"{plain(sources.model_name)}-{target.board}-{digest[:12]}"
