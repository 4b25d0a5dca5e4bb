"""The FAULT event: which exception stopped the core, and why.

Names of bits are those of the Arm ARMv7-M Architecture Reference Manual (DDI 0403), B3.2.15 and
B3.2.16, and of the ARMv8-M one (DDI 0553) for those that it adds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from harness.errors import CorruptStreamError
from harness.telemetry.board_state import BringUp

_EXCEPTIONS = {2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault"}
_EXCEPTIONS |= {7: "SecureFault"}

_CFSR = {
    0: "IACCVIOL", 1: "DACCVIOL", 3: "MUNSTKERR", 4: "MSTKERR", 5: "MLSPERR",
    8: "IBUSERR", 9: "PRECISERR", 10: "IMPRECISERR", 11: "UNSTKERR", 12: "STKERR", 13: "LSPERR",
    16: "UNDEFINSTR", 17: "INVSTATE", 18: "INVPC", 19: "NOCP", 20: "STKOF",
    24: "UNALIGNED", 25: "DIVBYZERO",
}  # fmt: skip
_MMARVALID = 1 << 7
_BFARVALID = 1 << 15
_STACK_BITS = {"MSTKERR", "STKERR", "STKOF"}
_GUARD_BYTES = 0x10000
"""How far below its end an access still is taken for one to the stack."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The registers of a fault; ``pc`` and ``lr`` are 0 where the stack could not take them.

    Without an exception the board did not come up, and ``cfsr`` holds why.
    """

    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<9I")

    exception: int
    cfsr: int
    hfsr: int
    mmfar: int
    bfar: int
    pc: int
    lr: int
    sp: int
    stack_begin: int

    @classmethod
    def parse(cls, payload: bytes) -> Fault:
        """Return the fault that a payload holds."""
        if len(payload) != cls.LAYOUT.size:
            raise CorruptStreamError(f"FAULT: {len(payload)} B where {cls.LAYOUT.size} B belong")
        return cls(*cls.LAYOUT.unpack(payload))

    @property
    def causes(self) -> tuple[str, ...]:
        """The names of the bits that are set in CFSR."""
        return tuple(name for bit, name in _CFSR.items() if self.cfsr >> bit & 1)

    @property
    def address(self) -> int | None:
        """The address whose access faulted, where the core knows it."""
        if self.cfsr & _BFARVALID:
            return self.bfar
        return self.mmfar if self.cfsr & _MMARVALID else None

    @property
    def is_stack_overflow(self) -> bool:
        """Whether it was the stack that went past its end."""
        guard = range(self.stack_begin - _GUARD_BYTES, self.stack_begin)
        return bool(_STACK_BITS.intersection(self.causes)) or self.address in guard

    def text(self) -> str:
        """Return one line with all that is known."""
        if not self.exception:
            return f"the board did not come up: {self._why_not_up()}"
        name = _EXCEPTIONS.get(self.exception, f"exception {self.exception}")
        parts = [f"{name} ({', '.join(self.causes) or f'HFSR 0x{self.hfsr:08x}'})"]
        if self.address is not None:
            parts.append(f"address 0x{self.address:08x}")
        if self.pc:
            parts.append(f"at pc 0x{self.pc:08x}, called from 0x{self.lr:08x}")
        parts.append(f"sp 0x{self.sp:08x}, stack from 0x{self.stack_begin:08x}")
        return ", ".join(parts)

    def _why_not_up(self) -> str:
        known = self.cfsr in set(BringUp)
        return BringUp(self.cfsr).text if known else f"reason {self.cfsr}"

    def hint(self) -> str:
        """Return what may be done about it."""
        if not self.exception:
            return "check its supply, its jumpers and its solder bridges, and power it off and on"
        if self.is_stack_overflow:
            return "the stack overflowed its reserve: build with more stack"
        return "arm-none-eabi-addr2line -fe FIRMWARE.elf with the pc names the line"
