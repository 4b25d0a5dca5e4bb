"""One table, four notations: Markdown, CSV, LaTeX (booktabs) and HTML.

Numbers stay numbers in CSV; elsewhere they have their thousands separated.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

Cell = str | int | float | bool | None


class Format(StrEnum):
    """How a table is written."""

    MD = "md"
    CSV = "csv"
    LATEX = "latex"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with a title; a cell that has nothing to say is None.

    Fractions have ``decimals`` places, or as many of three as they need.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    decimals: int | None = None

    @property
    def is_number(self) -> tuple[bool, ...]:
        """Which columns hold numbers, and so go to the right."""
        return tuple(
            any(_is_number(row[column]) for row in self.rows) for column in range(len(self.columns))
        )

    @property
    def shown(self) -> Iterator[list[str]]:
        """The cells of each row as a person reads them."""
        return ([shown(cell, self.decimals) for cell in row] for row in self.rows)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def shown(cell: Cell, decimals: int | None = None) -> str:
    """Return a cell as a person reads it."""
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}"
        case float() if decimals is not None:
            return f"{cell:,.{decimals}f}"
        case float():
            return f"{cell:,.3f}".rstrip("0").rstrip(".") if abs(cell) < 1000 else f"{cell:,.0f}"
        case _:
            return cell


def write(sheets: Sequence[Sheet], output_format: Format) -> str:
    """Return tables as text. Several tables in CSV follow each other after an empty line."""
    match output_format:
        case Format.MD:
            return "\n".join(map(_markdown, sheets))
        case Format.CSV:
            return "\n".join(map(_csv, sheets))
        case Format.LATEX:
            return "\n".join(map(_latex, sheets))
        case Format.HTML:
            return _page(sheets)


def _markdown(sheet: Sheet) -> str:
    lines = [f"## {sheet.title}", ""] if sheet.title else []
    lines.append("| " + " | ".join(sheet.columns) + " |")
    lines.append("|" + "|".join("-:" if number else "-" for number in sheet.is_number) + "|")
    for row in sheet.shown:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _csv(sheet: Sheet) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(sheet.columns)
    writer.writerows(["" if cell is None else cell for cell in row] for row in sheet.rows)
    return text.getvalue()


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def _tex(text: str) -> str:
    return re.sub(r"[\\&%$#_{}~^]", lambda found: _TEX[found[0]], text).replace("\n", " ")


def _latex(sheet: Sheet) -> str:
    columns = "".join("r" if number else "l" for number in sheet.is_number)
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_tex(sheet.title)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_tex, sheet.columns)) + r" \\",
            r"\midrule",
            *(" & ".join(_tex(cell) for cell in row) + r" \\" for row in sheet.shown),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 2rem auto; max-width: 90rem; padding: 0 1rem; color: #222;
       font: 15px/1.5 system-ui, sans-serif; }}
table {{ border-collapse: collapse; margin: 1rem 0 2rem; font-size: 13px; }}
th, td {{ padding: .25rem .7rem; border-bottom: 1px solid #e4e4e0; text-align: left; }}
th {{ border-bottom: 2px solid #222; }}
.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
</style>
</head>
<body>
{tables}
</body>
</html>
"""


def _page(sheets: Sequence[Sheet]) -> str:
    tables = "\n".join(map(_html, sheets))
    return _PAGE.format(title=html.escape(sheets[0].title if sheets else ""), tables=tables)


def _html(sheet: Sheet) -> str:
    styles = [' class="n"' if number else "" for number in sheet.is_number]

    def row(tag: str, cells: Iterable[str]) -> str:
        inner = (f"<{tag}{s}>{html.escape(c)}</{tag}>" for s, c in zip(styles, cells, strict=True))
        return f"<tr>{''.join(inner)}</tr>"

    body = "\n".join(row("td", cells) for cells in sheet.shown)
    head = row("th", sheet.columns)
    return f"<h1>{html.escape(sheet.title)}</h1>\n<table>\n{head}\n{body}\n</table>"
