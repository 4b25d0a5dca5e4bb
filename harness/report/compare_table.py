"""A comparison as tables: a block a pair, then what was refused and what has no partner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.comparison.compare import Comparison, Pair, Refusal, Row
from harness.comparison.statistics import CONFIDENCE
from harness.comparison.subject import Subject
from harness.report.figures import NAMES, named_amount, ratio_text

_SHORT = 60
_EACH_ALONE = 2
"""So many pairs have a table each; more share one that shows what differs."""


def comparison_table(found: Comparison, before: str, after: str) -> RenderableType:
    """Return a comparison; the columns are named after its sides."""
    parts: list[RenderableType] = []
    if len(found.pairs) <= _EACH_ALONE:
        parts += [_pair(pair, before, after) for pair in found.pairs]
        lines = []
    else:
        changed = [pair for pair in found.pairs if any(map(_has_changed, pair.rows))]
        if changed:
            parts.append(_changes(changed, before, after))
        lines = [f"{len(found.pairs) - len(changed)} of {len(found.pairs)} cases are equal"]
        asked = dict.fromkeys(line for pair in found.pairs for line in across_lines(pair))
        lines += [f"across {line}" for line in asked]
    lines += [
        *(f"refused: {refusal_text(refusal)}" for refusal in found.refused),
        *(f"only in {before}: {_case(subject)}" for subject in found.only_before),
        *(f"only in {after}: {_case(subject)}" for subject in found.only_after),
    ]
    if any(row.p_value is not None for pair in found.pairs for row in pair.rows):
        lines.append(
            f"Ratios of noisy figures have their {CONFIDENCE:.0%} confidence interval; "
            "p is of the Mann-Whitney test."
        )
    return Group(*parts, *map(Text, lines))


def _has_changed(row: Row) -> bool:
    """Return whether both sides' figures differ, beyond noise where there is some."""
    return not row.low <= 1 <= row.high


def _changes(pairs: Sequence[Pair], before: str, after: str) -> Table:
    """Return a row a figure that differs."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("case", "figure", before, after, "ratio"):
        is_side = column in (before, after)
        table.add_column(column, justify="right" if is_side else "left", no_wrap=column == "ratio")
    for pair in pairs:
        case = str(pair.after.identity)
        for row in filter(_has_changed, pair.rows):
            cells = (
                NAMES[row.figure],
                named_amount(row.before, row.unit),
                named_amount(row.after, row.unit),
            )
            table.add_row(case, *cells, ratio_text(row))
            case = ""
    return table


def _pair(pair: Pair, before: str, after: str) -> Table:
    title = str(pair.after.identity) + "".join(f"\nacross {line}" for line in across_lines(pair))
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure")
    for side in (before, after):
        table.add_column(side, justify="right")
    table.add_column("ratio")
    noisy = any(row.p_value is not None for row in pair.rows)
    if noisy:
        table.add_column("p", justify="right")
    for row in pair.rows:
        cells = [
            NAMES[row.figure],
            named_amount(row.before, row.unit),
            named_amount(row.after, row.unit),
        ]
        p_value = "" if row.p_value is None else f"{row.p_value:.2g}"
        table.add_row(*cells, ratio_text(row), *([p_value] if noisy else []))
    if not pair.rows:
        failed = [s.failed for s in (pair.before, pair.after) if s.failed]
        table.add_row(failed[0] if failed else "no figure that both have")
    return table


def across_lines(pair: Pair) -> Iterator[str]:
    """Yield each difference between the sides of a pair, as ``kind: qemu -> hardware``."""
    for name, (old, new) in pair.across.items():
        yield f"{name}: {_short(old)} -> {_short(new)}"
    if "published" in (pair.before.conditions.kind or "") + (pair.after.conditions.kind or ""):
        yield f"sources: {pair.before.source}; {pair.after.source}"


def refusal_text(refusal: Refusal) -> str:
    """Return why two subjects are not compared."""
    unlike = "; ".join(
        f"{name}: {_short(old)} and {_short(new)}" for name, (old, new) in refusal.because.items()
    )
    return f"{refusal.after.identity}: {unlike}"


def _case(subject: Subject) -> str:
    return str(subject.identity) + (f" (failed: {subject.failed})" if subject.failed else "")


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"
