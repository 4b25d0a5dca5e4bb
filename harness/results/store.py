"""Records on disk: one JSON file each, written once, never changed.

A record appears under its name only when it is whole: it is written beside it, flushed to the
disk, and linked into place, which fails rather than replaces. So many writers may share a folder,
and a kill leaves at worst a file whose name starts with a dot, which no reader looks at.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from harness.errors import StoreError
from harness.results.migrate import migrate
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


def append(store: Path, record: Record, capture: bytes = b"") -> tuple[Record, Path]:
    """Write a record, and its capture if it has one, into a store folder.

    Returns the record as it was written, which names its capture, and its path.

    Raises:
        StoreError: the folder cannot be written, or the record is there already.
    """
    if capture:
        # First, so that no record ever names a capture that is not there.
        kept = write_once(store / CAPTURES, f"{record.id}.capture", capture)
        record = record.model_copy(update={"capture": _json_safe(kept)})
    text = record.model_dump_json(indent=1) + "\n"
    return record, write_once(store, f"{record.id}.json", text.encode())


def _json_safe(path: Path) -> str:
    """Return a path whose bytes may be no UTF-8 as text that JSON can hold."""
    return str(path).encode(errors="backslashreplace").decode()


def write_once(folder: Path, name: str, content: bytes) -> Path:
    """Write a new file whole or not at all, and return its path.

    Raises:
        StoreError: the folder cannot be written, or the file is there already.
    """
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
        _flush(folder)
    except OSError as error:
        raise _cannot_write(path, error) from error
    return path


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: cannot write: {error.strerror}",
        hint="give a writable folder with --store, or --no-store",
    )


def _flush(folder: Path) -> None:
    """Bring a folder's names to the disk, so that a file survives a loss of power too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> Record:
    """Return the record in a file, migrated to this version's schema.

    Raises:
        StoreError: the file is missing, not a record, or of a newer schema than this version's.
    """
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path}: cannot read: {error.strerror}") from error
    except StoreError as error:
        raise StoreError(f"{path}: {error.message}", hint=error.hint) from error


def parse(data: bytes) -> Record:
    """Return the record that a file's bytes hold.

    Raises:
        StoreError: the bytes are cut off, are not a record, or are of a newer schema.
    """
    try:
        # One pass for what was written by this version, which is nearly all there is.
        return Record.model_validate_json(data)
    except ValidationError as error:
        fault = error
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        what = "is empty" if not data.strip() else "is cut off, or not JSON"
        raise StoreError(what) from fault
    document = migrate(document)
    try:
        return Record.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise StoreError(f"is not a record: {_first_fault(error)}") from error


def _first_fault(error: ValidationError) -> str:
    """Return the first of a document's faults, and how many there are besides."""
    faults = error.errors(include_url=False, include_input=False)
    where = ".".join(map(str, faults[0]["loc"])) or "all of it"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{where}: {faults[0]['msg'].lower()}{more}"
