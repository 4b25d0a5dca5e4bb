"""The index of a store: one Parquet file beside the records, rebuilt whenever it is not theirs.

It holds nothing that the records do not say. Each row carries the name, size and time of the file
that it was read from; a row whose file has changed is read again, one whose file has gone is
dropped. Files that hold no record have rows too, which say why, so that garbage is looked at once.
The file is replaced in one step, so readers never see half of it, and of many writers the last
wins: whatever it missed is read again by the next reader.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import StoreError
from harness.results.columns import COLUMNS, Kind
from harness.results.record import Record
from harness.results.store import parse

INDEX = ".index.parquet"
MAX_RECORD_BYTES = 16_000_000

_VERSION = {b"bench.index": json.dumps([(c.name, c.kind) for c in COLUMNS]).encode()}
"""An index of other columns is not ours, and is made again."""

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.COUNT: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.TRUTH: pa.bool_(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
}
_OP = pa.struct(
    [
        ("index", pa.int64()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("macs", pa.int64()),
        ("segment", pa.string()),
        ("instructions", pa.int64()),
        ("cycles", pa.int64()),
        ("latency_s", pa.float64()),
    ]
)
_FILE_FIELDS = [("file", pa.string()), ("file_bytes", pa.int64()), ("file_mtime_ns", pa.int64())]
_SCHEMA = pa.schema(
    [
        *_FILE_FIELDS,
        ("fault", pa.string()),
        *((column.name, _TYPES[column.kind]) for column in COLUMNS),
        ("sample_values", pa.list_(pa.float64())),
        ("ops", pa.list_(_OP)),
    ],
    metadata=_VERSION,
)

_Stamp = tuple[str, int, int]
"""Name, size and time of a file: what tells that it is still the one that was read."""


@contextmanager
def indexed(store: Path) -> Iterator[Path]:
    """Yield a Parquet file with a row for each ``.json`` file of a store, up to date.

    Where the store cannot be written, the file is a temporary one.

    Raises:
        StoreError: there is no such folder.
    """
    stamps = _stamps(store)
    path = store / INDEX
    known = _known(path)
    if known is not None and known == stamps:
        yield path
        return
    table = _refreshed(store, path, known or set(), stamps)
    with tempfile.TemporaryDirectory() as spare:
        try:
            _replace(path, table)
        except OSError:
            path = Path(spare) / INDEX
            pq.write_table(table, path)
        yield path


def _stamps(store: Path) -> set[_Stamp]:
    """Return the stamps of all files that may be records."""
    stamps = set()
    try:
        with os.scandir(store) as entries:
            for entry in entries:
                if entry.name.endswith(".json") and not entry.name.startswith("."):
                    status = entry.stat()
                    stamps.add((entry.name, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise StoreError(
            f"{store}: cannot read records: {error.strerror}",
            hint="name a folder of records with --store; `bench run` and `bench sweep` make one",
        ) from error
    return stamps


def _known(path: Path) -> set[_Stamp] | None:
    """Return the stamps that an index was made of, None if it is no index of this version."""
    try:
        with pq.ParquetFile(path) as file:
            if (file.schema_arrow.metadata or {}).get(b"bench.index") != _VERSION[b"bench.index"]:
                return None
            table = file.read([name for name, _ in _FILE_FIELDS])
    except (OSError, pa.ArrowException):
        return None
    return set(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _refreshed(store: Path, path: Path, known: set[_Stamp], stamps: set[_Stamp]) -> pa.Table:
    """Return the table for ``stamps``: rows that are known, and new ones for the other files."""
    fresh = pa.Table.from_pylist(
        [_row(store, stamp) for stamp in sorted(stamps - known)], schema=_SCHEMA
    )
    if not known & stamps:
        return fresh
    old = pq.read_table(path)
    keys = zip(*(old[name].to_pylist() for name, _ in _FILE_FIELDS), strict=True)
    return pa.concat_tables([old.filter(pa.array([key in stamps for key in keys])), fresh])


def _row(store: Path, stamp: _Stamp) -> dict[str, Any]:
    name, size, mtime = stamp
    row: dict[str, Any] = {"file": name, "file_bytes": size, "file_mtime_ns": mtime}
    if size > MAX_RECORD_BYTES:
        return row | {"fault": f"is larger than the {MAX_RECORD_BYTES:,} B that a record may take"}
    try:
        record = parse((store / name).read_bytes())
        return row | record_row(record)
    except OSError as error:
        return row | {"fault": f"cannot be read: {error.strerror}"}
    except StoreError as error:
        return row | {"fault": error.message + (f": {error.hint}" if error.hint else "")}
    except ValueError as error:
        return row | {"fault": f"is not a record: {error}"}


def record_row(record: Record) -> dict[str, Any]:
    """Return a record's values by column, and its samples and ops."""
    return {
        **{column.name: column.of(record) for column in COLUMNS},
        "sample_values": list(record.latency.samples) if record.latency else [],
        "ops": [op.model_dump() for op in record.ops],
    }


def _replace(path: Path, table: pa.Table) -> None:
    """Write a table in one step under a name that readers use."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".index.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            pq.write_table(table, file)
        Path(name).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def table_of(records: Iterable[Record]) -> pa.Table:
    """Return records that lie in no store as a table with the same columns."""
    names = {column.name for column in COLUMNS}
    fields = [field for field in _SCHEMA if field.name in names]
    rows = [record_row(record) for record in records]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))
