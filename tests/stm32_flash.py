"""An STM32F4 as a debugger sees it: a core that executes, and a flash controller with its rules.

Flash takes nothing unless the controller was unlocked and told to program or to erase; programming
clears bits, a protected sector takes neither. Source: ST RM0402 (STM32F412), 'Embedded flash memory
interface': key register, status and control register, sectors.
"""

from __future__ import annotations

from typing import Any

import unicorn
from unicorn import arm_const as arm
from unicorn.unicorn import UcError

from harness.sim_lab.adi import BusError

FLASH, FLASH_BYTES = 0x0800_0000, 0x8_0000
RAM, RAM_BYTES = 0x2000_0000, 0x4_0000
DEV_ID = 0x441
SECTORS = [0x4000] * 4 + [0x1_0000] + [0x2_0000] * 3

_CONTROLLER, _CONTROLLER_BYTES = 0x4002_3000, 0x1000
_REGISTERS = 0xC00
_KEYS = (0x4567_0123, 0xCDEF_89AB)
_PG, _SER, _MER, _STRT, _LOCK = 1 << 0, 1 << 1, 1 << 2, 1 << 16, 1 << 31
_OPTIONS = 0x0FFF_AAED
"""OPTCR from the factory: no read-out protection, the watchdog is software's."""

_WRPERR, _PGSERR = 1 << 4, 1 << 7
_CPUID, _CORTEX_M4 = 0xE000_ED00, 0x410F_C241
_DBGMCU_IDCODE = 0xE004_2000
_THUMB = 1
_BKPT = 0xBE
_MOST_INSTRUCTIONS = 5_000_000
_CORE = [getattr(arm, f"UC_ARM_REG_R{n}") for n in range(13)] + [
    arm.UC_ARM_REG_SP,
    arm.UC_ARM_REG_LR,
    arm.UC_ARM_REG_PC,
]


class Stm32F4:
    """The chip; ``protected`` are sectors with write protection, ``writes`` what flash took."""

    def __init__(self) -> None:
        self.flash = bytearray(b"\xff" * FLASH_BYTES)
        self.protected: set[int] = set()
        self.programmed_words = 0
        self.is_halted = False
        self._shadow: dict[int, int] = {}
        self._control, self._status, self._keys = _LOCK, 0, 0
        library: Any = unicorn  # it has no types
        modes = library.UC_MODE_THUMB | library.UC_MODE_MCLASS
        self._cpu = library.Uc(library.UC_ARCH_ARM, modes)
        self._cpu.mem_map(RAM, RAM_BYTES)
        self._cpu.mmio_map(FLASH, FLASH_BYTES, self._read_flash, None, self._write_flash, None)
        self._cpu.mmio_map(
            *(_CONTROLLER, _CONTROLLER_BYTES, self._read_register, None),
            *(self._write_register, None),
        )

    def halt(self) -> None:
        """Stop."""
        self.is_halted = True

    def resume(self) -> None:
        """Execute a function that returns to a BKPT, to its end; other code only counts as run."""
        end = self._cpu.reg_read(arm.UC_ARM_REG_LR) & ~_THUMB
        if not RAM <= end < RAM + RAM_BYTES or self.read(end, 2)[1] != _BKPT:
            self.is_halted = False
            return
        begin = self._cpu.reg_read(arm.UC_ARM_REG_PC) | _THUMB
        self._cpu.emu_start(begin, end, count=_MOST_INSTRUCTIONS)
        self.is_halted = True

    def step(self) -> None:
        """Execute one instruction."""
        self._cpu.emu_start(self._cpu.reg_read(arm.UC_ARM_REG_PC) | _THUMB, 0, count=1)

    def reset(self) -> None:
        """Lock the controller, as a reset does."""
        self.is_halted = True
        self._control, self._status, self._keys = _LOCK, 0, 0
        self._cpu.reg_write(arm.UC_ARM_REG_LR, 0xFFFF_FFFF)

    def read_register(self, number: int) -> int:
        """Return a register, numbered as in DCRSR."""
        if number < len(_CORE):
            return int(self._cpu.reg_read(_CORE[number]))
        return self._shadow.get(number, 0)

    def write_register(self, number: int, value: int) -> None:
        """Set a register, numbered as in DCRSR."""
        if number < len(_CORE):
            self._cpu.reg_write(_CORE[number], value)
        self._shadow[number] = value

    def read(self, address: int, size: int) -> bytes:
        """Return memory."""
        if address >= 0xE000_0000:
            known = {_CPUID: _CORTEX_M4, _DBGMCU_IDCODE: 0x2000_6000 | DEV_ID}
            return known.get(address, 0).to_bytes(4, "little")[:size]
        if FLASH <= address < FLASH + FLASH_BYTES:
            return bytes(self.flash[address - FLASH : address - FLASH + size])
        try:
            return bytes(self._cpu.mem_read(address, size))
        except UcError:
            raise BusError("nothing there") from None

    def write(self, address: int, data: bytes) -> None:
        """Write memory; a debugger cannot write flash so."""
        if address < 0xE000_0000 and not FLASH <= address < FLASH + FLASH_BYTES:
            try:
                self._cpu.mem_write(address, data)
            except UcError:
                raise BusError("nothing there") from None

    def set_breakpoint(self, address: int, *, is_set: bool) -> None:
        """Do nothing: no code runs but flash algorithms."""

    def _read_flash(self, _cpu: object, offset: int, size: int, _data: object) -> int:
        return int.from_bytes(self.flash[offset : offset + size], "little")

    def _write_flash(self, _cpu: object, offset: int, size: int, value: int, _data: object) -> None:
        if not self._control & _PG or self._control & _LOCK:
            self._status |= _PGSERR
        elif _sector_of(offset) in self.protected:
            self._status |= _WRPERR
        else:
            old = int.from_bytes(self.flash[offset : offset + size], "little")
            self.flash[offset : offset + size] = (old & value).to_bytes(size, "little")
            self.programmed_words += 1

    def _read_register(self, _cpu: object, offset: int, _size: int, _data: object) -> int:
        match offset - _REGISTERS:
            case 0x0C:
                return self._status
            case 0x10:
                return self._control
            case 0x14:
                return _OPTIONS
        return 0

    def _write_register(
        self, _cpu: object, offset: int, _size: int, value: int, _data: object
    ) -> None:
        match offset - _REGISTERS:
            case 0x04:
                self._keys = self._keys + 1 if value == _KEYS[self._keys] else 0
                if self._keys == len(_KEYS):
                    self._control &= ~_LOCK
                    self._keys = 0
            case 0x0C:
                self._status &= ~value
            case 0x10 if not self._control & _LOCK:
                self._control = value & ~_STRT
                if value & _STRT:
                    self._erase(value)

    def _erase(self, control: int) -> None:
        numbers = range(len(SECTORS)) if control & _MER else [control >> 3 & 0xF]
        for number in numbers:
            if number in self.protected:
                self._status |= _WRPERR
            else:
                begin = sum(SECTORS[:number])
                self.flash[begin : begin + SECTORS[number]] = b"\xff" * SECTORS[number]


def _sector_of(offset: int) -> int:
    return next(n for n in range(len(SECTORS)) if offset < sum(SECTORS[: n + 1]))
