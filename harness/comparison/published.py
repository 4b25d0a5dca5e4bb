"""Figures that others have published, each with its source; never mixed with our own.

A table is a YAML file: its sources once, then a line a network and system. Sizes are kept as they
were printed; ``kib: true`` says that a source's kB is 1024 bytes. What was printed is rounded, so
a ratio with it has an interval.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from harness.comparison.subject import Conditions, Figure, Identity, Subject
from harness.data import data_dir
from harness.errors import UsageError, near_names
from harness.facts import Facts, load_facts

_Amount = Annotated[float, Field(gt=0)]


class Source(Facts):
    """Where figures were read: what it is, where it lies, and which state of it."""

    what: str
    url: str
    note: str = ""


class Line(Facts):
    """One system's figures for one network, as printed; ``model`` is a name of the catalog."""

    model: str
    system: str
    source: str
    on: str = ""
    macs_millions: _Amount | None = None
    instructions_millions: _Amount | None = None
    sram_kb: _Amount | None = None
    flash_kb: _Amount | None = None
    latency_ms: _Amount | None = None
    energy_uj: _Amount | None = None
    accuracy_percent: _Amount | None = None
    note: str = ""


class OpLine(Facts):
    """What one system takes for a MAC of ops of one class: from the least to the most seen."""

    op: str
    system: str
    source: str
    instructions_a_mac: tuple[_Amount, _Amount]


class Published(Facts):
    """A table of published figures, of networks and maybe of classes of ops."""

    title: str
    kib: bool = False
    sources: dict[str, Source]
    lines: tuple[Line, ...]
    ops: tuple[OpLine, ...] = ()

    @model_validator(mode="after")
    def _every_line_has_its_source(self) -> Published:
        named = {line.source for line in self.lines} | {line.source for line in self.ops}
        unknown = sorted(named - self.sources.keys())
        if unknown:
            raise ValueError(f"lines name sources that are not given: {', '.join(unknown)}")
        return self

    @property
    def kb_bytes(self) -> int:
        """How many bytes its kB has."""
        return 1024 if self.kib else 1000


def published_names() -> list[str]:
    """Return the names of the tables that come with the project."""
    return sorted(path.stem for path in (data_dir("reports") / "published").glob("*.yaml"))


def load_published(name_or_path: str) -> Published:
    """Return a table by name, or from a YAML file.

    Raises:
        UsageError: there is no such table.
        FactsError: the file is not one.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        return load_facts(Path(name_or_path), Published)
    known = published_names()
    if name_or_path not in known:
        raise UsageError(
            f"there is no published table {name_or_path!r}", hint=near_names(name_or_path, known)
        )
    return load_facts(data_dir("reports") / "published" / f"{name_or_path}.yaml", Published)


def subjects_of(table: Published, system: str = "") -> list[Subject]:
    """Return the lines of a table as subjects; of one system only, if it is named.

    Raises:
        UsageError: no line is of that system.
    """
    systems = sorted({line.system for line in table.lines})
    if system and system not in systems:
        raise UsageError(f"{table.title}: no system {system!r}", hint=near_names(system, systems))
    return [_subject(table, line) for line in table.lines if system in ("", line.system)]


def _subject(table: Published, line: Line) -> Subject:
    figures = {}
    for name, amount in (("measured_peak_bytes", line.sram_kb), ("flash_bytes", line.flash_kb)):
        if amount is not None:
            rounded_by = _last_digit(amount) / 2 * table.kb_bytes
            value = amount * table.kb_bytes
            figures[name] = Figure(value=value, unit="B", rounded_by=rounded_by)
    if line.instructions_millions is not None:
        figures["instructions"] = Figure(
            value=line.instructions_millions * 1e6,
            unit="instructions",
            rounded_by=_last_digit(line.instructions_millions) / 2 * 1e6,
        )
    if line.latency_ms is not None:
        rounded_by = _last_digit(line.latency_ms) / 2 / 1000
        figures["latency_s"] = Figure(value=line.latency_ms / 1000, unit="s", rounded_by=rounded_by)
    where = f" on {line.on}" if line.on else ""
    return Subject(
        identity=Identity(model=line.model),
        conditions=Conditions(kind=f"published ({line.system}{where})"),
        figures=figures,
        source=f"{line.system}{where}: {table.sources[line.source].what}",
    )


def _last_digit(amount: float) -> float:
    """Return what one step of the last printed digit is worth: 1 for 59, 0.1 for 34.1."""
    decimals = f"{amount:.12g}".partition(".")[2]
    return float(10 ** -len(decimals))
