"""Records as tables: documented columns, honest types, and a store full of rubbish."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pandas as pd
import pytest

import harness.results as results
from harness.data import data_dir
from harness.errors import StoreError, UsageError
from harness.results.columns import COLUMNS
from harness.results.frame import Fault, StoreWarning, faults, frame_of
from harness.results.index import INDEX
from harness.results.record import Record
from harness.results.store import append
from tests.records import make_failed, make_record, make_timed

TEN_THOUSAND = 10_000
LOAD_S = 2.0
"""What loading ten thousand records from the index may take."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for record in (make_record(0), make_timed(1, [5.0, 7.0, 6.0]), make_failed(2)):
        append(tmp_path, record)
    return tmp_path


def test_a_row_a_record_oldest_first(store: Path) -> None:
    frame = results.load(store)
    assert list(frame["id"]) == ["r00000", "r00001", "r00002"]
    assert list(frame["status"]) == ["ok", "ok", "failed"]
    assert list(frame["error"].isna()) == [True, True, False]
    assert frame.equals(frame_of([make_record(0), make_timed(1, [5.0, 7.0, 6.0]), make_failed(2)]))


def test_figures_keep_their_kind_and_their_type(store: Path) -> None:
    frame = results.load(store)
    assert str(frame["instructions"].dtype) == str(frame["cycles"].dtype) == "Int64"
    assert list(frame["instructions"].fillna(-1)) == [1000, -1, -1]
    assert list(frame["cycles"].fillna(-1)) == [-1, 6, -1]
    assert list(frame["spread"].fillna(-1)) == [0, 2, -1]
    assert str(frame["bit_exact"].dtype) == "boolean"
    assert isinstance(frame["created"].dtype, pd.DatetimeTZDtype)


def test_the_columns_are_those_that_are_documented(store: Path) -> None:
    assert list(results.load(store).columns) == [column.name for column in COLUMNS]
    text = (data_dir("boards").parent / "docs" / "records.md").read_text(encoding="utf-8")
    for column in COLUMNS:
        assert f"| `{column.name}` | {column.unit} | {column.meaning} |" in text


def test_a_condition_chooses_rows(store: Path) -> None:
    assert list(results.load(store, "cycles is not null")["id"]) == ["r00001"]
    with pytest.raises(UsageError, match="where 'colour = 1':") as caught:
        results.load(store, "colour = 1")
    assert "in SQL" in caught.value.hint


def test_ops_are_rows_of_their_own(store: Path) -> None:
    ops = results.load_ops(store, "device = 'qemu'")
    assert list(ops["index"]) == [0, 1, 2]
    assert list(ops["instructions"]) == [700, 200, 100]
    assert set(ops["model"]) == {"kws"}


def test_a_store_of_rubbish_gives_what_is_sound_and_names_the_rest(store: Path) -> None:
    text = make_record(9).model_dump_json()
    (store / "a-empty.json").write_text("")
    (store / "b-cut.json").write_text(text[:200])
    (store / "c-foreign.json").write_text('{"benchmark": "dhrystone"}')
    (store / "d-future.json").write_text(text.replace('"schema_version":1', '"schema_version":2'))
    (store / "e-copy.json").write_text(make_record(0).model_dump_json())
    (store / "f-noise.json").write_bytes(os.urandom(64))
    (store / "g-folder.json").mkdir()
    (store / "h-date.json").write_text(text.replace("2026-01-01", "first of May"))
    (store / "i-huge.json").write_text(text.replace('"macs":1000', f'"macs":{10**40}'))
    (store / "notes.txt").write_text("not ours, and no .json")
    reasons = {
        "a-empty.json": "is empty",
        "b-cut.json": "is cut off",
        "c-foreign.json": "is not a record",
        "d-future.json": "update bench",
        "e-copy.json": "is a copy of record r00000",
        "f-noise.json": "is cut off, or not JSON",
        "g-folder.json": "cannot be read",
        "h-date.json": "is not a record",
        "i-huge.json": "is not a record",
    }
    for _ in range(2):  # from the records, then from the index
        with pytest.warns(StoreWarning) as warned:
            frame = results.load(store)
        assert list(frame["id"]) == ["r00000", "r00001", "r00002"]
        told = dict(line.split(": ", 1) for line in str(warned[0].message).splitlines()[1:])
        assert told.keys() == reasons.keys()
        assert all(reason in told[name] for name, reason in reasons.items())
    assert Fault("a-empty.json", "is empty") in faults(store)


def test_a_copy_counts_once_its_original_is_gone(store: Path) -> None:
    (store / "copy.json").write_bytes((store / "r00000.json").read_bytes())
    with pytest.warns(StoreWarning, match="copy.json: is a copy of record r00000"):
        results.load(store)
    (store / "r00000.json").unlink()
    assert len(results.load(store)) == 3


def test_the_index_follows_the_records(store: Path) -> None:
    results.load(store)
    append(store, make_record(3))
    (store / "r00001.json").unlink()
    (store / "r00002.json").write_text(make_record(2, model="vww").model_dump_json())
    frame = results.load(store)
    assert list(frame["id"]) == ["r00000", "r00002", "r00003"]
    assert list(frame["model"]) == ["kws", "vww", "kws"]


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more", None])
def test_a_damaged_or_missing_index_is_made_again(store: Path, damage: bytes | None) -> None:
    whole = results.load(store)
    if damage is None:
        (store / INDEX).unlink()
    else:
        (store / INDEX).write_bytes(damage)
    assert results.load(store).equals(whole)
    assert (store / INDEX).stat().st_size > 1000


def test_an_index_of_other_columns_is_made_again(store: Path) -> None:
    pd.DataFrame({"file": ["r00000.json"], "file_bytes": [1]}).to_parquet(store / INDEX)
    assert len(results.load(store)) == 3


def test_a_store_that_is_only_read_is_read(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr("harness.results.index._replace", refuse)
    assert len(results.load(store)) == 3
    assert not (store / INDEX).exists()


def test_an_empty_store_has_all_columns_and_a_missing_one_is_told(tmp_path: Path) -> None:
    assert results.load(tmp_path).shape == (0, len(COLUMNS))
    with pytest.raises(StoreError, match="none: cannot read records: No such file") as caught:
        results.load(tmp_path / "none")
    assert "--store" in caught.value.hint


def test_ten_thousand_records_load_in_time(tmp_path: Path) -> None:
    one = json.loads(make_record(0).model_dump_json())
    for number in range(TEN_THOUSAND):
        text = json.dumps(one | {"id": f"r{number:05}"})
        (tmp_path / f"r{number:05}.json").write_text(text)
    assert len(results.load(tmp_path)) == TEN_THOUSAND
    began = time.perf_counter()
    frame = results.load(tmp_path)
    took_s = time.perf_counter() - began
    assert len(frame) == TEN_THOUSAND
    assert took_s < LOAD_S, f"{took_s:.2f} s"


def test_records_of_the_first_version_have_no_later_fields(tmp_path: Path) -> None:
    example = Path(__file__).parent / "records" / "version1.json"
    record = Record.model_validate_json(example.read_bytes())
    (tmp_path / f"{record.id}.json").write_bytes(example.read_bytes())
    frame = results.load(tmp_path)
    assert list(frame["kernels"]) == [""]
    assert list(frame["caches"]) == ["unknown"]
