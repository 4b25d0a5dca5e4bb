"""Records on disk: one JSON file each, written once, never changed.

A record appears under its name only when it is whole: it is written beside it, flushed to the
disk, and linked into place, which fails rather than replaces. So many writers may share a folder,
and a kill leaves at worst a file whose name starts with a dot, which no reader looks at.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.errors import StoreError
from harness.results.record import Record

CAPTURES = "captures"


def prepare(store: Path) -> None:
    """Make a store folder and see that it takes files, before anything is measured for it.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=store):
            pass
    except OSError as error:
        raise _cannot_write(store, error) from error


def append(store: Path, record: Record) -> Path:
    """Write a record into a store folder and return its path.

    Raises:
        StoreError: the folder cannot be written, or the record is there already.
    """
    return _write_once(
        store, f"{record.id}.json", (record.model_dump_json(indent=1) + "\n").encode()
    )


def append_capture(store: Path, record_id: str, capture: bytes) -> Path:
    """Write the raw bytes of a case beside its record and return the path."""
    return _write_once(store / CAPTURES, f"{record_id}.capture", capture)


def _write_once(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    partial = folder / f".{name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error
    return path


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: cannot write: {error.strerror}",
        hint="give a writable folder with --store, or --no-store",
    )


def read(path: Path) -> Record:
    """Return the record in a file.

    Raises:
        StoreError: the file is missing, not a record, or of a newer schema than this version's.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: cannot read: {error}") from error
    try:
        return Record.model_validate_json(text)
    except ValueError as error:
        raise StoreError(
            f"{path}: not a record of schema version 1: {str(error).splitlines()[0]}",
            hint="if a newer bench wrote it, update bench",
        ) from error
