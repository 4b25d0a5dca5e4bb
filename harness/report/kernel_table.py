"""The variants of one op side by side."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from harness.experiment.kernel_bench import KernelCase, KernelFigures
from harness.timing.cortex_m4 import TABLE
from harness.units import format_count

_ESTIMATED = "est. cycles"
_COLUMNS = ("instructions", "a MAC", "an output", "code", "weights", "flash", "scratch")


def kernel_table(case: KernelCase, figures: Sequence[KernelFigures]) -> Table:
    """Return a row a variant; sizes in bytes, flash of the whole image with its runtime."""
    asked = case.shape
    size = "x".join(map(str, asked.shape))
    window = "" if asked.kernel is None else f", {asked.kernel[0]}x{asked.kernel[1]}"
    out = "" if asked.channels is None else f" -> {asked.channels}"
    stride = "" if asked.stride == 1 else f", stride {asked.stride}"
    title = f"{asked.op} {size}{out}{window}{stride}, {asked.activation}, {case.form}, {case.core}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("variant")
    columns = (*_COLUMNS[:3], *([_ESTIMATED] if case.is_estimated else []), *_COLUMNS[3:])
    for column in columns:
        table.add_column(column, justify="right")
    table.add_column("outputs")
    if case.is_estimated:
        table.caption_justify = "left"
        table.caption = f"est. cycles: estimated by {TABLE}, for one inference; not measured"
    for found in figures:
        table.add_row(
            found.variant + (" (chosen)" if found.is_chosen else ""),
            format_count(found.instructions),
            f"{found.instructions / found.macs:.2f}" if found.macs else "",
            f"{found.instructions / found.elements:.2f}",
            *_estimate(found),
            *map(format_count, (found.code_bytes, found.weights_bytes)),
            *map(format_count, (found.flash_bytes, found.scratch_bytes)),
            Text("bit-exact", "green") if found.is_bit_exact else Text("DIFFER", "bold red"),
        )
    return table


def _estimate(found: KernelFigures) -> tuple[str, ...]:
    if found.estimated_cycles is None or found.open_cycles is None:
        return ()
    return (f"{format_count(found.estimated_cycles)} ± {format_count(found.open_cycles)}",)
