"""What each pass took away, as text: ops, multiply-accumulates and weights before and after."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results.record import PassPart, WorkPart

_HEAD = ("pass", "ops", "MACs", "weights, bytes")


def pass_text(imported: WorkPart, passes: Sequence[PassPart]) -> str:
    """Return a line for the file, one for each pass that changed anything, and the idle ones.

    A pass that changed the graph but none of the three figures counts as idle.
    """
    rows = [_HEAD, ("as imported", *(f"{figure:,}" for figure in _figures(imported)))]
    idle: list[str] = []
    before = imported
    for done in passes:
        changes = [
            _change(*pair) for pair in zip(_figures(before), _figures(done.left), strict=True)
        ]
        if any(changes):
            rows.append((done.name, *changes))
        else:
            idle.append(done.name)
        before = done.left
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join((name.ljust(widths[0]), *map(str.rjust, figures, widths[1:]))).rstrip()
        for name, *figures in rows
    ]
    return "\n".join([*lines, *([f"these changed none of it: {', '.join(idle)}"] if idle else [])])


def _figures(work: WorkPart) -> tuple[int, int, int]:
    return work.ops, work.macs, work.weights_bytes


def _change(before: int, after: int) -> str:
    """Return what is left and by how much it is less, nothing where nothing changed."""
    if before == after:
        return ""
    return f"{after:,} ({(after - before) / before:+.1%})" if before else f"{after:,}"
