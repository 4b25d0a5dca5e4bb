"""Records on disk: whole or not there, and never replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.results.record import CasePart, Record, ToolPart
from harness.results.store import append, append_capture, read


def failed_record(record_id: str = "r1") -> Record:
    return Record(
        status="failed",
        id=record_id,
        created="2026-01-01T00:00:00Z",
        tool=ToolPart(version="0"),
        case=CasePart(
            board="nucleo-f746zg",
            model="kws",
            device="qemu",
            schedule="layer",
            optimize="cycles",
            inputs="seeded",
            warmup=0,
            repeat=1,
        ),
    )


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = append(tmp_path / "new" / "store", failed_record())
    assert read(path) == failed_record()


def test_a_record_is_never_replaced(tmp_path: Path) -> None:
    append(tmp_path, failed_record())
    with pytest.raises(StoreError, match=r"r1\.json: cannot write: File exists"):
        append(tmp_path, failed_record())


def test_nothing_partial_is_left_behind(tmp_path: Path) -> None:
    append(tmp_path, failed_record())
    append_capture(tmp_path, "r1", b"\x00bytes")
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["r1.capture", "r1.json"]


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot write"):
        append(tmp_path / "file", failed_record())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a record"),
        ('{"schema_version": 2}', "not a record of schema version 1"),
        (failed_record().model_dump_json()[:-9], "not a record"),
    ],
)
def test_what_is_no_record_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(StoreError, match=message) as caught:
        read(path)
    assert "update bench" in caught.value.hint


def test_a_missing_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        read(tmp_path / "none.json")


def test_binary_garbage_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="cannot read"):
        read(path)
