"""How figures, ratios and cases are written; the same in a terminal, in Markdown and in a log."""

from __future__ import annotations

from harness.comparison.compare import Row
from harness.units import format_count, format_seconds

NAMES = {
    "instructions": "instructions",
    "cycles": "cycles",
    "latency_s": "latency",
    "planned_peak_bytes": "SRAM planned",
    "linked_bytes": "SRAM linked",
    "measured_peak_bytes": "SRAM measured",
    "flash_bytes": "flash",
    "code_bytes": "code",
}


def amount(value: float, unit: str) -> str:
    """Return a figure with its unit: ``1,234 B``, ``1,234 instructions``, ``1.500 ms``."""
    if unit == "s":
        return format_seconds(value)
    return f"{format_count(round(value))} {unit}"


def named_amount(value: float, unit: str) -> str:
    """Return a figure that stands beside its name, which says instructions or cycles already."""
    return format_count(round(value)) if unit in NAMES else amount(value, unit)


def percent(ratio: float) -> str:
    """Return a ratio as a change; as many digits as it takes to tell it from none."""
    change = (ratio - 1) * 100
    digits = 1 if abs(change) >= 0.95 else 2 if abs(change) >= 0.095 else 4
    return f"{change:+.{digits}f} %"


def ratio_text(row: Row) -> str:
    """Return a ratio with its uncertainty: ``x 1.034 (1.021 to 1.047)``; an exact one as a change,
    ``x 1.0340 (+3.4 %)``, or ``=``.
    """
    if row.before == row.after and row.low == row.high:
        return "="
    if row.low == row.high:
        return f"x {row.ratio:.4f} ({percent(row.ratio)})"
    return f"x {row.ratio:.3f} ({row.low:.3f} to {row.high:.3f})"
