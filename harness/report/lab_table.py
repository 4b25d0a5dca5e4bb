"""What hangs on the desk, a paragraph a place: serial numbers are too long for columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.experiment.lab_report import Standing


def lab_table(name: str, standings: Sequence[Standing]) -> RenderableType:
    """Return each place of a lab with what is known of it, and all that is wrong there."""
    parts: list[RenderableType] = [Text(name, style="bold")]
    for each in standings:
        parts += [Text(f"\n{each.name}: {each.board}"), _facts(each)]
    return Group(*parts)


def _facts(standing: Standing) -> Table:
    grid = Table.grid(padding=(0, 2))
    for what, told in _lines(standing):
        style = "red" if what == "wrong" else "dim"
        grid.add_row("", Text(what, style=style), Text(told, overflow="fold"))
    return grid


def _lines(standing: Standing) -> Iterator[tuple[str, str]]:
    """Yield what is known, and what is wrong."""
    for what, told in (
        ("probe", standing.probe),
        ("port", standing.port),
        ("in use by", standing.user),
        ("firmware", _firmware(standing)),
        ("core", standing.core),
        ("chip", standing.chip_id),
    ):
        if told:
            yield what, told
    for fault in standing.faults:
        yield "wrong", fault


def _firmware(standing: Standing) -> str:
    if standing.answers is None:
        return ""
    if not standing.answers:
        return "not one of bench's, or silent"
    return f"build {standing.build_id} of model {standing.model_sha256[:12]}"
