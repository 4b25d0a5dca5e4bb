"""Records as pandas DataFrames, queried by DuckDB from the index.

DuckDB (https://duckdb.org/docs/stable/data/parquet/overview) reads only the columns and rows that
a query wants, so that ten thousand records are a table in a fraction of a second.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pyarrow as pa

from harness.data import STORE
from harness.errors import UsageError
from harness.results.columns import COLUMNS
from harness.results.index import indexed, table_of
from harness.results.record import Record
from harness.results.store import read

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NAMES = ", ".join(f'"{column.name}"' for column in COLUMNS)
_RANKED = (
    "select *, row_number() over (partition by id order by file <> id || '.json', file) as copy "
    "from read_parquet('{path}') where fault is null"
)
_DTYPES = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


class StoreWarning(UserWarning):
    """Files of a store that were skipped, by name and with the reason."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A file of a store that is skipped, and why."""

    file: str
    reason: str


def load(store: Path | str = STORE, where: str = "") -> pd.DataFrame:
    """Return the records of a store, a row each, oldest first; ``harness.results.columns`` tells
    what each column means and in which unit.

    ``where`` is a condition in SQL over the columns, as in ``"model = 'vww' and status = 'ok'"``.
    Files that are no records, and copies of records, are skipped with a :class:`StoreWarning`.

    Raises:
        StoreError: there is no such folder.
        UsageError: the condition is not SQL over the columns.
    """
    return _query(
        Path(store), f"select {_NAMES} from records {_condition(where)} order by created, id", where
    )


def load_ops(store: Path | str = STORE, where: str = "") -> pd.DataFrame:
    """Return the ops of all records of a store, a row each, in order of execution.

    Columns: ``id``, ``model``, ``board``, ``device``, ``schedule`` of the record; ``index``,
    ``kind``, ``name``, ``macs``, ``segment`` of the op, and what it took in ``instructions``,
    ``cycles`` or ``latency_s``. ``where`` and errors as for :func:`load`.
    """
    ops = "select id, created, model, board, device, schedule, unnest(ops) as op from records"
    return _query(
        Path(store),
        f"select * exclude (op, created), op.* from ({ops} {_condition(where)}) "
        "order by created, id, op.index",
        where,
    )


def find(store: Path | str, where: str = "") -> list[tuple[Path, Record]]:
    """Return records whole, each with its file, oldest first; ``where`` as for :func:`load`."""
    folder = Path(store)
    sql = f"select file from records {_condition(where)} order by created, id"
    files = _query(folder, sql, where)["file"]
    return [(folder / file, read(folder / file)) for file in files]


def frame_of(records: Iterable[Record]) -> pd.DataFrame:
    """Return records as the same table as :func:`load`."""
    return _to_pandas(table_of(records))


def faults(store: Path) -> list[Fault]:
    """Return the files of a store that are skipped, by name."""
    with indexed(store) as path, _connect(path) as database:
        return _faults(database, path)


def _query(store: Path, sql: str, where: str) -> pd.DataFrame:
    with indexed(store) as path, _connect(path) as database:
        found = _faults(database, path)
        try:
            table = database.sql(sql).to_arrow_table()
        except (
            duckdb.BinderException,
            duckdb.ParserException,
            duckdb.ConversionException,
        ) as error:
            raise UsageError(
                f"where {where!r}: {str(error).splitlines()[0]}",
                hint="a condition in SQL, such as \"model = 'vww' and sram_limit_bytes is null\"",
            ) from error
    if found:
        told = "\n".join(f"{fault.file}: {fault.reason}" for fault in found)
        warnings.warn(f"{store}: skipped\n{told}", StoreWarning, stacklevel=3)
    return _to_pandas(table)


def _condition(where: str) -> str:
    return f"where ({where})" if where else ""


def _connect(path: Path) -> DuckDBPyConnection:
    """Return a database in which ``records`` is each record once."""
    database = duckdb.connect()
    quoted = str(path).replace("'", "''")
    ranked = _RANKED.format(path=quoted)
    database.execute(f"create view records as select * from ({ranked}) where copy = 1")
    database.execute(f"create view copies as select * from ({ranked}) where copy > 1")
    return database


def _faults(database: DuckDBPyConnection, path: Path) -> list[Fault]:
    rows = database.execute(
        "select file, fault from read_parquet(?) where fault is not null union all "
        "select file, 'is a copy of record ' || id from copies order by 1",
        [str(path)],
    ).fetchall()
    return [Fault(file, reason) for file, reason in rows]


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper=_DTYPES.get)
    if "created" in frame:  # DuckDB gives times in the zone of the session
        frame["created"] = frame["created"].dt.tz_convert("UTC")
    return frame
