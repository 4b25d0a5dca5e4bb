"""The debug port and the memory access port of a chip, register by register.

Source: Arm IHI 0031 (Arm Debug Interface v5): "The Debug Port", sections on DPIDR, CTRL/STAT,
SELECT and ABORT; "The Memory Access Port", sections on CSW, TAR and DRW; and "Sticky flags and DP
error responses". One AHB-AP as in Cortex-M3 and M4 (Arm DDI 0439, "Debug", AHB-AP registers).

A transfer answers OK or FAULT. After a fault the sticky flag stands: every transfer faults but a
read of DPIDR or CTRL/STAT and a write of ABORT, until ABORT clears it. Reads of an access port give
their own result: what is posted on the wire is the business of a probe's firmware.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Protocol

DPIDR = 0x2BA0_1477
"""SW-DP version 1 by Arm, as in a Cortex-M4."""

AHB_AP_IDR = 0x2477_0011
ROM_TABLE_BASE = 0xE00F_F003
"""Base 0xE00FF000, ADIv5 format, present."""

_POWER_REQUESTS = 0x5000_0000
_STICKY_ERROR = 1 << 5
_WRITABLE_CONTROL = _POWER_REQUESTS | 0x0000_0F01
_ABORT_STICKY_CLEAR = 1 << 2

_CSW_SIZE = 0x7
_CSW_INCREMENT = 0x30
_CSW_INCREMENT_SINGLE = 0x10
_CSW_ENABLED = 1 << 6
_CSW_PROTECTION = 0x2300_0000
_CSW_WRITABLE = _CSW_INCREMENT | _CSW_PROTECTION
_LARGEST_SIZE = 2
_WRAP_BYTES = 0x1000
"""TAR of this AHB-AP increments within 4 KB."""


class Dp(IntEnum):
    """Registers of the debug port; the first is ABORT when it is written."""

    DPIDR = 0x0
    CTRL_STAT = 0x4
    SELECT = 0x8
    RDBUFF = 0xC


class Ap(IntEnum):
    """Registers of a memory access port."""

    CSW = 0x00
    TAR = 0x04
    DRW = 0x0C
    BD0 = 0x10
    BD1 = 0x14
    BD2 = 0x18
    BD3 = 0x1C
    BASE = 0xF8
    IDR = 0xFC


class BusError(Exception):
    """A memory access that the chip's bus refuses."""


class FaultResponseError(Exception):
    """The response FAULT to a transfer."""


class Bus(Protocol):
    """The chip's memory, as its access port reaches it; both raise :class:`BusError`."""

    def read(self, address: int, size: int, /) -> bytes:
        """Return ``size`` bytes; an access of 1, 2 or 4 bytes is aligned."""

    def write(self, address: int, data: bytes, /) -> None:
        """Write bytes, aligned likewise."""


class AccessPort:
    """An AHB-AP; ``is_enabled`` is its DeviceEn input, which a locked chip holds low."""

    def __init__(self, bus: Bus, *, is_enabled: bool = True) -> None:
        self._bus = bus
        self._is_enabled = is_enabled
        self._csw = _CSW_PROTECTION | 2
        self._tar = 0

    def read(self, register: int, count: int = 1) -> list[int]:
        """Return what ``count`` reads of a register give."""
        if register == Ap.DRW:
            return self._transfer_in(count)
        return [self._read(register) for _ in range(count)]

    def write(self, register: int, values: Sequence[int]) -> None:
        """Write values to a register, one after the other."""
        match register:
            case Ap.CSW if values:
                self._set_csw(values[-1])
            case Ap.TAR if values:
                self._tar = values[-1]
            case Ap.DRW:
                self._transfer_out(values)
            case Ap.BD0 | Ap.BD1 | Ap.BD2 | Ap.BD3:
                for value in values:
                    self._store(self._tar & ~0xF | register & 0xC, struct.pack("<I", value))

    def _read(self, register: int) -> int:
        match register:
            case Ap.CSW:
                return self._csw | (_CSW_ENABLED if self._is_enabled else 0)
            case Ap.TAR:
                return self._tar
            case Ap.BD0 | Ap.BD1 | Ap.BD2 | Ap.BD3:
                data = self._load(self._tar & ~0xF | register & 0xC, 4)
                return int.from_bytes(data, "little")
            case Ap.BASE:
                return ROM_TABLE_BASE
            case Ap.IDR:
                return AHB_AP_IDR
        return 0

    def _set_csw(self, value: int) -> None:
        size = min(value & _CSW_SIZE, _LARGEST_SIZE)
        increment = value & _CSW_INCREMENT
        if increment not in (0, _CSW_INCREMENT_SINGLE):
            increment = 0  # packed transfers are not implemented: the field reads back as it acts
        self._csw = value & _CSW_PROTECTION | increment | size

    def _transfer_in(self, count: int) -> list[int]:
        values: list[int] = []
        while len(values) < count:
            run = self._run(count - len(values))
            size = 1 << (self._csw & _CSW_SIZE)
            data = self._load(self._tar, run * size)
            if size == 4:
                values += struct.unpack(f"<{run}I", data)
            else:
                values.append(int.from_bytes(data, "little") << 8 * (self._tar & 3))
            self._advance(run * size)
        return values

    def _transfer_out(self, values: Sequence[int]) -> None:
        done = 0
        while done < len(values):
            run = self._run(len(values) - done)
            size = 1 << (self._csw & _CSW_SIZE)
            part = values[done : done + run]
            if size == 4:
                data = struct.pack(f"<{run}I", *part)
            else:
                lane = part[0] >> 8 * (self._tar & 3)
                data = (lane & (1 << 8 * size) - 1).to_bytes(size, "little")
            self._store(self._tar, data)
            self._advance(run * size)
            done += run

    def _run(self, count: int) -> int:
        """Return how many of ``count`` transfers go to consecutive words."""
        if self._csw & _CSW_SIZE != _LARGEST_SIZE or not self._csw & _CSW_INCREMENT:
            return 1
        return min(count, (_WRAP_BYTES - self._tar % _WRAP_BYTES + 3) // 4)

    def _advance(self, size: int) -> None:
        if self._csw & _CSW_INCREMENT:
            page = self._tar & ~(_WRAP_BYTES - 1)
            self._tar = page | (self._tar + size) % _WRAP_BYTES

    def _load(self, address: int, size: int) -> bytes:
        self._check(address, size)
        return self._bus.read(address, size)

    def _store(self, address: int, data: bytes) -> None:
        self._check(address, len(data))
        self._bus.write(address, data)

    def _check(self, address: int, size: int) -> None:
        if not self._is_enabled:
            raise BusError(f"0x{address:08x}: the access port is disabled")
        if address % min(size, 4):
            raise BusError(f"0x{address:08x}: an access of {size} B is not aligned")


class Port(Protocol):
    """An access port: registers at multiples of 4, in one of 16 banks; both raise BusError."""

    def read(self, register: int, count: int = 1) -> list[int]:
        """Return what ``count`` reads of a register give."""

    def write(self, register: int, values: Sequence[int]) -> None:
        """Write values to a register, one after the other."""


class DebugPort:
    """An SW-DP with access ports by number; where there is none, registers read 0."""

    def __init__(self, ports: Mapping[int, Port]) -> None:
        self._ports = ports
        self._control = 0
        self._select = 0
        self._last_read = 0

    def read(self, register: int) -> int:
        """Return a register of the debug port: 0x0, 0x4, 0x8 or 0xC.

        Raises:
            FaultResponseError: an error stands that was not cleared.
        """
        match register & 0xC:
            case Dp.DPIDR:
                return DPIDR
            case Dp.CTRL_STAT if self._select & 0xF == 0:
                return self._control | (self._control & _POWER_REQUESTS) << 1
            case Dp.RDBUFF | Dp.SELECT:
                self._refuse_after_error()
                return self._last_read
        return 0

    def write(self, register: int, value: int) -> None:
        """Write a register of the debug port.

        Raises:
            FaultResponseError: an error stands that was not cleared.
        """
        match register & 0xC:
            case Dp.DPIDR:
                if value & _ABORT_STICKY_CLEAR:
                    self._control &= ~_STICKY_ERROR
            case Dp.CTRL_STAT if self._select & 0xF == 0:
                self._refuse_after_error()
                self._control = self._control & _STICKY_ERROR | value & _WRITABLE_CONTROL
            case Dp.SELECT:
                self._refuse_after_error()
                self._select = value

    def read_access_port(self, register: int, count: int = 1) -> list[int]:
        """Return what ``count`` reads of a register give, in the bank that SELECT names.

        Raises:
            FaultResponseError: the access failed, or an error stands that was not cleared.
        """
        self._refuse_access()
        port = self._ports.get(self._select >> 24)
        try:
            address = self._select & 0xF0 | register & 0xC
            values = port.read(address, count) if port else [0] * count
        except BusError as fault:
            raise self._fail(fault) from None
        self._last_read = values[-1] if values else self._last_read
        return values

    def write_access_port(self, register: int, values: Sequence[int]) -> None:
        """Write values to a register in the bank that SELECT names.

        Raises:
            FaultResponseError: the access failed, or an error stands that was not cleared.
        """
        self._refuse_access()
        port = self._ports.get(self._select >> 24)
        try:
            if port is not None:
                port.write(self._select & 0xF0 | register & 0xC, values)
        except BusError as fault:
            raise self._fail(fault) from None

    def _refuse_access(self) -> None:
        self._refuse_after_error()
        if self._control & _POWER_REQUESTS != _POWER_REQUESTS:
            raise self._fail("the debug domain has no power")

    def _refuse_after_error(self) -> None:
        if self._control & _STICKY_ERROR:
            raise FaultResponseError("an error stands that was not cleared")

    def _fail(self, reason: object) -> FaultResponseError:
        self._control |= _STICKY_ERROR
        return FaultResponseError(str(reason))
