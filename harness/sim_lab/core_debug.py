"""The private peripheral bus of a core: what a debugger halts, steps and resets it with.

Source: Arm DDI 0403 (ARMv7-M Architecture Reference Manual), C1.6 "Debug system registers", C1.8
"DWT", C1.11 "FPB"; B3.2.6 AIRCR. Registers that are not of debug (CPUID, VTOR, NVIC) are the
emulated core's own.

The DWT has neither comparators nor a cycle counter, which it says of itself: the emulated machines
have none. Reset catch is the only vector catch.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

from harness.board.schema import Core
from harness.sim_lab.adi import BusError
from harness.sim_lab.rom_table import DWT, FPB, ROM_TABLE, rom_table

PPB_BEGIN, PPB_END = 0xE000_0000, 0xE010_0000


_DEBUG_KEY, _VECTOR_KEY = 0xA05F, 0x05FA
_C_DEBUGEN, _C_HALT, _C_STEP = 1 << 0, 1 << 1, 1 << 2
_CONTROL_BITS = 0x2F
_S_REGRDY, _S_HALT, _S_RESET_ST = 1 << 16, 1 << 17, 1 << 25
_HALTED, _BREAKPOINT, _CAUGHT = 1 << 0, 1 << 1, 1 << 3
_VC_CORERESET = 1 << 0
_SYSRESETREQ_OR_VECTRESET = 1 << 2 | 1 << 0
_REGISTER_WRITE = 1 << 16

_FPB_COMPARATORS = 6
_FPB_CONTROL = 1 << 28 | _FPB_COMPARATORS << 4
"""Version 2: a comparator holds any address, with its enable in bit 0."""

_DWT_CONTROL = 1 << 25
"""No comparators, NOCYCCNT."""


class Register(IntEnum):
    """Registers of debug, by address."""

    DWT_CTRL = 0xE000_1000
    FP_CTRL = 0xE000_2000
    AIRCR = 0xE000_ED0C
    DFSR = 0xE000_ED30
    DHCSR = 0xE000_EDF0
    DCRSR = 0xE000_EDF4
    DCRDR = 0xE000_EDF8
    DEMCR = 0xE000_EDFC


class DebugCore(Protocol):
    """An emulated core that can be stopped."""

    def halt(self) -> None:
        """Stop it, if it runs."""

    def resume(self) -> None:
        """Let it run."""

    def step(self) -> None:
        """Execute one instruction."""

    def reset(self) -> None:
        """Reset the machine, and leave the core stopped at the first instruction."""

    @property
    def is_halted(self) -> bool:
        """Whether it stands still, by our wish or at a breakpoint."""

    def read_register(self, number: int, /) -> int:
        """Return a register, numbered as in DCRSR."""

    def write_register(self, number: int, value: int, /) -> None:
        """Set a register, numbered as in DCRSR."""

    def read(self, address: int, size: int, /) -> bytes:
        """Return memory."""

    def write(self, address: int, data: bytes, /) -> None:
        """Write memory."""

    def set_breakpoint(self, address: int, *, is_set: bool) -> None:
        """Stop before the instruction at an address, or no longer."""


class CoreDebug:
    """Debug registers over a core. ``on_stop`` is told when the core has come to a stop."""

    def __init__(
        self, core: DebugCore, kind: Core, on_stop: Callable[[], None] = lambda: None
    ) -> None:
        self._core = core
        self._on_stop = on_stop
        self._identities = rom_table(kind)
        self._control = 0
        self._catch = 0
        self._fault_status = 0
        self._selected_value = 0
        self._was_reset = True
        self._held_in_reset = False
        self._was_halted = True
        self._comparators = [0] * _FPB_COMPARATORS

    @property
    def is_left_alone(self) -> bool:
        """Whether no debugger is at work on the core."""
        return not self._control & _C_DEBUGEN and not self._held_in_reset

    def reset(self) -> None:
        """Reset the machine; the core then runs, unless the debugger catches the reset."""
        self._core.reset()
        self._was_reset = True
        self._after_reset()

    def hold_reset(self, *, asserted: bool) -> None:
        """Drive the line nRESET; the core stands still while it is low."""
        if asserted and not self._held_in_reset:
            self._core.halt()
        if self._held_in_reset and not asserted:
            self._held_in_reset = False
            self.reset()
        self._held_in_reset = asserted

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of the private peripheral bus.

        Raises:
            BusError: the core has nothing there.
        """
        first = address & ~3
        words = (address + size - first + 3) // 4
        data = b"".join(
            struct.pack("<I", self._read_word(first + 4 * index)) for index in range(words)
        )
        return data[address - first : address - first + size]

    def write(self, address: int, data: bytes) -> None:
        """Write bytes of the private peripheral bus.

        Raises:
            BusError: the core has nothing there.
        """
        if address % 4 or len(data) % 4:
            self._core.write(address, data)
            return
        for offset in range(0, len(data), 4):
            self._write_word(address + offset, int.from_bytes(data[offset : offset + 4], "little"))

    def _read_word(self, address: int) -> int:
        match address:
            case Register.DHCSR:
                return self._state()
            case Register.DCRDR:
                return self._selected_value
            case Register.DEMCR:
                return self._catch
            case Register.DFSR:
                self._see_stop()
                return self._fault_status
            case Register.FP_CTRL:
                return _FPB_CONTROL | 1
            case Register.DWT_CTRL:
                return _DWT_CONTROL
        identity = self._identities.get(address)
        if identity is not None:
            return identity
        if address & ~0xFFF in (DWT, FPB, ROM_TABLE):
            index = (address - FPB - 8) // 4
            return self._comparators[index] if 0 <= index < _FPB_COMPARATORS else 0
        return int.from_bytes(self._core.read(address, 4), "little")

    def _write_word(self, address: int, value: int) -> None:
        match address:
            case Register.DHCSR:
                if value >> 16 == _DEBUG_KEY:
                    self._set_control(value & _CONTROL_BITS)
            case Register.DCRSR:
                self._move_register(value)
            case Register.DCRDR:
                self._selected_value = value
            case Register.DEMCR:
                self._catch = value
            case Register.DFSR:
                self._fault_status &= ~value
            case Register.AIRCR if value >> 16 == _VECTOR_KEY and value & _SYSRESETREQ_OR_VECTRESET:
                self.reset()
            case _ if address & ~0xFFF in (DWT, FPB, ROM_TABLE):
                index = (address - FPB - 8) // 4
                if 0 <= index < _FPB_COMPARATORS:
                    self._set_comparator(index, value)
            case _:
                self._core.write(address, struct.pack("<I", value))

    def _state(self) -> int:
        self._see_stop()
        state = self._control | _S_REGRDY
        if self._core.is_halted and self._control & _C_DEBUGEN:
            state |= _S_HALT
        if self._was_reset or self._held_in_reset:
            state |= _S_RESET_ST
            self._was_reset = False
        return state

    def _see_stop(self) -> None:
        """Notice that a running core has stopped by itself."""
        if self._core.is_halted and not self._was_halted:
            self._was_halted = True
            self._control |= _C_HALT
            self._fault_status |= _BREAKPOINT
            self._on_stop()

    def _set_control(self, wanted: int) -> None:
        self._see_stop()
        if not wanted & _C_DEBUGEN:
            wanted = 0
        self._control = wanted
        if self._held_in_reset:
            return
        if wanted & _C_HALT:
            if not self._core.is_halted:
                self._core.halt()
                self._fault_status |= _HALTED
                self._was_halted = True
                self._on_stop()
        elif wanted & _C_STEP:
            self._core.step()
            self._control |= _C_HALT
            self._fault_status |= _HALTED
        elif self._core.is_halted:
            self._was_halted = False
            self._core.resume()

    def _after_reset(self) -> None:
        if self._control & _C_DEBUGEN and self._catch & _VC_CORERESET:
            self._control |= _C_HALT
            self._fault_status |= _CAUGHT
            self._was_halted = True
            self._on_stop()
        else:
            self._control &= ~_C_HALT
            self._was_halted = False
            self._core.resume()

    def _move_register(self, selector: int) -> None:
        if not self._core.is_halted:
            raise BusError("a register of a running core")
        number = selector & 0x7F
        if selector & _REGISTER_WRITE:
            self._core.write_register(number, self._selected_value)
        else:
            self._selected_value = self._core.read_register(number)

    def _set_comparator(self, index: int, value: int) -> None:
        before, self._comparators[index] = self._comparators[index], value
        if before & 1:
            self._core.set_breakpoint(before & ~1, is_set=False)
        if value & 1:
            self._core.set_breakpoint(value & ~1, is_set=True)
