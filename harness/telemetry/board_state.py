"""The answer to BOARD: what a board says of its core, its clock and its caches.

A figure in cycles means something only beside these: the same code takes other cycles with other
wait states or without its caches. Core names are by the part number in CPUID, as each core's
Technical Reference Manual gives it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import ClassVar

from harness.errors import CorruptStreamError

_CORES = {
    0xC20: "cortex-m0",
    0xC60: "cortex-m0plus",
    0xC23: "cortex-m3",
    0xC24: "cortex-m4",
    0xC27: "cortex-m7",
    0xD21: "cortex-m33",
    0xD22: "cortex-m55",
}

CLOCK_TOLERANCE = 0.03
"""By how much the measured frequency may differ: the oscillator that it is counted against is an
RC one, which is trimmed to 1 % at room temperature (ST DS10916, HSI accuracy)."""


class Flag(IntFlag):
    """What is switched on."""

    ICACHE = 1
    DCACHE = 2
    FLASH_PREFETCH = 4
    FLASH_ACCELERATOR = 8
    OVERDRIVE = 16
    CRYSTAL = 32


class Reset(IntEnum):
    """Why the board last started."""

    UNKNOWN = 0
    POWER = 1
    PIN = 2
    SOFTWARE = 3
    WATCHDOG = 4
    LOW_POWER = 5
    LOCKUP = 6


class BringUp(IntEnum):
    """Why a board did not come up, in a FAULT without an exception."""

    OSCILLATOR_DEAD = 1
    PLL_UNLOCKED = 2
    REGULATOR_LOW = 3
    OVERDRIVE_DEAD = 4
    FLASH_TOO_FAST = 5
    CLOCK_NOT_SWITCHED = 6

    @property
    def text(self) -> str:
        """Say it."""
        return _BRING_UP[self]


_BRING_UP = {
    BringUp.OSCILLATOR_DEAD: "the oscillator that its clocks come from does not start",
    BringUp.PLL_UNLOCKED: "its PLL does not lock",
    BringUp.REGULATOR_LOW: "the core's supply does not reach what its clock needs",
    BringUp.OVERDRIVE_DEAD: "over-drive does not get ready",
    BringUp.FLASH_TOO_FAST: "its flash does not take the wait states",
    BringUp.CLOCK_NOT_SWITCHED: "the core stays on the clock that it started with",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardState:
    """What a board says of itself; zeros, and an empty ``chip_id``, are what it does not know.

    ``core_hz`` is as the clock tree was set, ``measured_hz`` counted against another clock.
    """

    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<3IHBB12s")

    cpuid: int
    core_hz: int
    measured_hz: int
    flags: Flag
    wait_states: int
    reset: Reset
    chip_id: str

    @classmethod
    def parse(cls, payload: bytes) -> BoardState:
        """Return the state that a payload holds."""
        if len(payload) != cls.LAYOUT.size:
            raise CorruptStreamError(f"BOARD: {len(payload)} B where {cls.LAYOUT.size} B belong")
        cpuid, core_hz, measured_hz, flags, waits, reset, chip_id = cls.LAYOUT.unpack(payload)
        if reset not in set(Reset):
            raise CorruptStreamError(f"BOARD: unknown reset reason {reset}")
        return cls(
            cpuid=cpuid,
            core_hz=core_hz,
            measured_hz=measured_hz,
            flags=Flag(flags),
            wait_states=waits,
            reset=Reset(reset),
            chip_id=chip_id.hex() if any(chip_id) else "",
        )

    @property
    def core(self) -> str:
        """The core's name, or its part number; empty where there is no CPUID."""
        if not self.cpuid:
            return ""
        part = self.cpuid >> 4 & 0xFFF
        return _CORES.get(part, f"part 0x{part:03x}")

    @property
    def is_clock_wrong(self) -> bool:
        """Whether the clock was measured and is not what it was set to."""
        if not self.measured_hz or not self.core_hz:
            return False
        return abs(self.measured_hz / self.core_hz - 1) > CLOCK_TOLERANCE
