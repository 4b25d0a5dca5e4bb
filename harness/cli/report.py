"""``bench report``: what a store holds, as a table for a page, a paper or a spreadsheet."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import StoreOption
from harness.data import STORE


class Notation(StrEnum):
    """How the table is written."""

    MD = "md"
    CSV = "csv"
    LATEX = "latex"
    HTML = "html"


def report(
    store: StoreOption = STORE,
    output_format: Annotated[
        Notation, typer.Option("--format", help="Markdown, CSV, LaTeX (booktabs) or HTML.")
    ] = Notation.MD,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page of its own into this file.")
    ] = None,
    where: Annotated[
        str, typer.Option("--where", help="Condition in SQL, as in \"model = 'vww'\".")
    ] = "",
) -> None:
    """Print the newest record of each case as a table; docs/records.md tells what columns mean."""
    from harness.errors import NothingMeasuredError
    from harness.report.formats import Format, write
    from harness.report.store_sheet import store_sheet
    from harness.results.frame import find

    records = [record for _, record in find(store, where)]
    if not records:
        raise NothingMeasuredError(f"{store} holds no records{' like that' if where else ''}")
    sheets = [store_sheet(records, f"Records of {store}")]
    if html is not None:
        html.write_text(write(sheets, Format.HTML), encoding="utf-8")
        typer.echo(str(html), err=True)
        return
    sys.stdout.write(write(sheets, Format(output_format.value)))
