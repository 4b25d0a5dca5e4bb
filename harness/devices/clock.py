"""From ticks of the board's clock to the figure of an inference.

On an emulator that executes one instruction per fixed step of virtual time, ticks are a count of
instructions in another unit, and the count comes back exactly: a reading is off by less than a
tick, and a tick is a small part of an instruction.

The window of an inference is ``[read the clock, call, read the clock]``; the window that
calibrates it calls an empty function, which executes one instruction, its return. So the
instructions of an inference, from its first to its return, are

    window - empty window + 1
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from harness.telemetry.messages import Hello

NANOSECONDS = 1_000_000_000


class Unit(StrEnum):
    """What a figure counts; figures of different units never share a column."""

    INSTRUCTIONS = "instructions"
    CYCLES = "cycles"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Clock:
    """What ticks mean. ``name`` goes into the record; ``per_tick`` is in ``unit``.

    ``hz`` is how many cycles make a second, where cycles are counted.
    """

    name: str
    unit: Unit
    per_tick: Fraction
    hz: int | None = None

    @property
    def grain(self) -> Fraction:
        """What part a tick is of the least by which two readings of the clock can differ."""
        return self.per_tick if self.unit is Unit.INSTRUCTIONS else Fraction(1)

    def measure(self, ticks: int, overhead_ticks: int) -> int | float:
        """Return the figure of a window: an exact count, or seconds."""
        match self.unit:
            case Unit.INSTRUCTIONS:
                return round(ticks * self.per_tick) - round(overhead_ticks * self.per_tick) + 1
            case Unit.CYCLES:
                return round((ticks - overhead_ticks) * self.per_tick)
            case Unit.SECONDS:
                return float((ticks - overhead_ticks) * self.per_tick)


def icount_clock(hello: Hello, shift: int) -> Clock:
    """Return the clock of a QEMU on which an instruction takes ``2**shift`` ns of virtual time."""
    per_tick = Fraction(NANOSECONDS, hello.tick_hz << shift)
    assert per_tick < Fraction(1, 4), "a tick must be a small part of an instruction"
    return Clock("qemu-icount", Unit.INSTRUCTIONS, per_tick)


def cycle_clock(hello: Hello) -> Clock:
    """Return the clock of a core that counts its own cycles."""
    return Clock("core-cycles", Unit.CYCLES, Fraction(1), hz=hello.tick_hz)


def timer_clock(hello: Hello) -> Clock:
    """Return the clock of a core that has a timer beside it and counts no cycles."""
    return Clock("board-timer", Unit.SECONDS, Fraction(1, hello.tick_hz))


def host_clock(hello: Hello) -> Clock:
    """Return the monotonic clock of a native build."""
    return Clock("host-monotonic", Unit.SECONDS, Fraction(1, hello.tick_hz))
