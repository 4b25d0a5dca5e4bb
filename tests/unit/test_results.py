"""Records on disk: whole or not there, never replaced, and readable for ever."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from harness.errors import StoreError
from harness.results.migrate import MIGRATIONS, migrate
from harness.results.record import SCHEMA_VERSION, Record
from harness.results.store import append, parse, read
from tests.records import make_failed, make_record

VERSION_1 = Path(__file__).parent / "records" / "version1.json"
KILLS = 200
WRITERS = 4


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    for record in (make_record(1), make_failed(2)):
        written, path = append(tmp_path / "new" / "store", record)
        assert read(path) == written == record


def test_a_record_names_its_capture(tmp_path: Path) -> None:
    written, path = append(tmp_path, make_record(), b"\x00bytes")
    assert written.capture is not None
    assert read(path).capture == written.capture
    assert Path(written.capture).read_bytes() == b"\x00bytes"


def test_a_record_is_never_replaced(tmp_path: Path) -> None:
    append(tmp_path, make_record())
    with pytest.raises(StoreError, match=r"r00000\.json: cannot write: File exists"):
        append(tmp_path, make_record())


def test_nothing_partial_is_left_behind(tmp_path: Path) -> None:
    append(tmp_path, make_record(), b"\x00bytes")
    written = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert written == ["r00000.capture", "r00000.json"]


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot write"):
        append(tmp_path / "file", make_record())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00", "is cut off, or not JSON"),
        (make_record().model_dump_json().encode()[:-9], "is cut off, or not JSON"),
        (b"[" * 100_000, "is cut off, or not JSON"),
        (b"[1, 2]", "is not a record: it has no schema_version"),
        (b'{"schema_version": true}', "is not a record: it has no schema_version"),
        (b'{"schema_version": 1, "id": 4}', r"is not a record: status: field required \(and 4"),
    ],
)
def test_what_is_no_record_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(StoreError, match=f"x.json: {message}"):
        read(path)


def test_a_newer_schema_says_to_update(tmp_path: Path) -> None:
    document = json.loads(make_record().model_dump_json()) | {"schema_version": SCHEMA_VERSION + 1}
    with pytest.raises(StoreError, match="has schema version 2, this bench reads up to 1") as told:
        parse(json.dumps(document).encode())
    assert told.value.hint == "a newer bench wrote it: update bench"


def test_a_missing_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read: No such file"):
        read(tmp_path / "none.json")


def test_a_record_of_version_1_stays_readable() -> None:
    """The file was written by the first version; when this fails, a migration is missing."""
    record = read(VERSION_1)
    assert record.model is not None
    assert record.latency is not None
    assert (record.status, record.model.name) == ("ok", "kws")
    assert record.latency.instructions == 7_818_845


def test_every_version_but_the_last_has_a_migration() -> None:
    assert set(MIGRATIONS) == set(range(1, SCHEMA_VERSION))


def test_migrations_are_taken_step_by_step() -> None:
    def rename(document: dict[str, Any]) -> dict[str, Any]:
        return {"name": document.pop("label"), **document}

    def add(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "unit": "B"}

    migrated = migrate(
        {"schema_version": 1, "label": "x"}, migrations={1: rename, 2: add}, current=3
    )
    assert migrated == {"schema_version": 3, "name": "x", "unit": "B"}


def _write_for_ever(store: Path, first: int, told: Connection) -> None:
    """Append records without end, and tell the number of each after it was written."""
    for number in range(first, first + 1_000_000):
        append(store, make_record(number), b"capture")
        told.send(number)


def test_killed_writers_lose_nothing_and_leave_nothing_half(tmp_path: Path) -> None:
    """Four writers at a time share a store and are killed at any moment, 200 times in all."""
    context = multiprocessing.get_context("fork")
    moments = random.Random(7)
    written: set[str] = set()
    for start in range(0, KILLS, WRITERS):
        writers = []
        for position in range(start, start + WRITERS):
            ours, theirs = context.Pipe(duplex=False)
            arguments = (tmp_path, position * 1_000_000, theirs)
            writer = context.Process(target=_write_for_ever, args=arguments, daemon=True)
            writer.start()
            theirs.close()
            writers.append((writer, ours))
        time.sleep(moments.uniform(0.0, 0.04))
        for writer, ours in writers:
            writer.kill()
            writer.join()
            written |= {f"r{number:05}" for number in _told(ours)}
    found = [read(path) for path in tmp_path.glob("*.json")]
    ids = {record.id for record in found}
    assert len(ids) == len(found)
    assert written <= ids
    assert len(ids - written) <= KILLS, "each writer was killed while at most one was not told yet"
    assert len(written) > KILLS, "writers were killed before they wrote: nothing was tested"
    assert all(Path(record.capture or "").read_bytes() == b"capture" for record in found)


def _told(ours: Connection) -> list[int]:
    numbers = []
    while True:
        try:
            numbers.append(int(ours.recv()))
        except EOFError:
            return numbers


def test_the_example_is_a_record_by_its_schema() -> None:
    assert Record.model_validate_json(VERSION_1.read_bytes()).id
