"""Units as types, and how a quantity is printed.

Store SI, convert when printing. The types cost nothing at run time; they make a signature say
what a number is.
"""

from __future__ import annotations

from typing import NewType

Bytes = NewType("Bytes", int)
Cycles = NewType("Cycles", int)
Instructions = NewType("Instructions", int)
Ticks = NewType("Ticks", int)
Hertz = NewType("Hertz", int)
Seconds = NewType("Seconds", float)
Joules = NewType("Joules", float)


def format_count(count: int) -> str:
    """Return a count with thousands separated, as ``1,234,567``."""
    return f"{count:,}"


def format_bytes(size: int) -> str:
    """Return a size in bytes, exact, with kB (1000 bytes) beside it when that is shorter."""
    return f"{size:,} B" if size < 10_000 else f"{size:,} B ({size / 1000:.1f} kB)"


def format_seconds(duration: float) -> str:
    """Return a duration in the largest unit that leaves at least one digit before the point."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if duration >= factor:
            return f"{duration / factor:.3f} {unit}"
    return f"{duration * 1e9:.1f} ns"
