"""Older records become what this version reads; newer ones are refused by name.

``MIGRATIONS[n]`` turns a document of schema version n into one of n + 1. There is one for every
version before ``SCHEMA_VERSION``, and none is ever changed, since records are kept for years.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import StoreError
from harness.results.record import SCHEMA_VERSION

Document = dict[str, Any]
Migrations = Mapping[int, Callable[[Document], Document]]

MIGRATIONS: Migrations = {}


def migrate(
    document: Any, *, migrations: Migrations = MIGRATIONS, current: int = SCHEMA_VERSION
) -> Document:
    """Return a parsed JSON document in the schema of version ``current``.

    Raises:
        StoreError: it is no record, or a newer version wrote it.
    """
    found: Document = document if isinstance(document, dict) else {}
    version = found.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise StoreError("is not a record: it has no schema_version")
    if version > current:
        raise StoreError(
            f"has schema version {version}, this bench reads up to {current}",
            hint="a newer bench wrote it: update bench",
        )
    for step in range(version, current):
        found = migrations[step](found) | {"schema_version": step + 1}
    return found
