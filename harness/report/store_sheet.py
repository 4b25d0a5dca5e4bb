"""The records of a store as one table: the newest of each case, no column that says nothing.

Instructions, cycles and seconds are columns of their own, so figures of different kinds never
share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.comparison.subject import Identity, identity_of
from harness.report.formats import Cell, Sheet
from harness.results.columns import COLUMNS
from harness.results.record import Record

_SHOWN = (
    "model",
    "weights",
    "board",
    "device",
    "schedule",
    "chosen",
    "sram_limit_bytes",
    "flash_limit_bytes",
    "input_by_rows",
    "optimize",
    "planned_peak_bytes",
    "linked_bytes",
    "measured_peak_bytes",
    "flash_bytes",
    "instructions",
    "cycles",
    "latency_s",
    "spread",
    "samples",
    "recompute_ratio",
    "bit_exact",
    "git_commit",
    "created",
    "error",
)


def newest_records(records: Iterable[Record]) -> list[Record]:
    """Return the newest record of each case; ``records`` come oldest first."""
    found: dict[tuple[Identity, str], Record] = {}
    for record in records:
        identity = identity_of(record.case)
        found.pop((identity, record.case.device), None)
        found[identity, record.case.device] = record
    return list(found.values())


def store_sheet(records: Iterable[Record], title: str) -> Sheet:
    """Return the newest record of each case as a row, sorted by what was asked for."""
    rows = sorted(newest_records(records), key=_key)
    columns = [column for column in COLUMNS if column.name in _SHOWN]
    columns.sort(key=lambda column: _SHOWN.index(column.name))
    kept = [c for c in columns if any(c.of(record) not in (None, False, "") for record in rows)]
    return Sheet(
        title=title,
        columns=tuple(c.name for c in kept),
        rows=tuple(tuple(_cell(c.of, record) for c in kept) for record in rows),
    )


def _key(record: Record) -> tuple[str, ...]:
    case = record.case
    limits = (f"{limit or 0:012}" for limit in (case.sram_limit, case.flash_limit))
    return (case.model, case.board, case.device, case.schedule, *limits)


def _cell(of: Callable[[Record], object], record: Record) -> Cell:
    value = of(record)
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)
