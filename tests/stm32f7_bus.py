"""The bus of an STM32F746, as far as the port touches it: records writes, answers as the part does.

The image itself runs, on an instruction-set emulator that has no peripherals of its own. A ready
flag follows what asks for it, unless it is named in ``stuck``. Addresses: ST RM0385, section 2.2.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import unicorn
from elftools.elf.elffile import ELFFile
from unicorn.arm_const import UC_ARM_REG_SP, UC_CPU_ARM_CORTEX_M7

from harness.telemetry.frames import Decoder, Frame

RCC_CR, RCC_PLLCFGR, RCC_CFGR, RCC_CSR = 0x40023800, 0x40023804, 0x40023808, 0x40023874
PWR_CR1, PWR_CSR1 = 0x40007000, 0x40007004
FLASH_ACR = 0x40023C00
USART3_ISR, USART3_RDR, USART3_TDR = 0x4000481C, 0x40004824, 0x40004828
CPUID = 0xE000ED00
LPTIM1_CNT, TIM2_CNT, DWT_CYCCNT = 0x4000241C, 0x40000024, 0xE0001004

_FLASH, _RAM, _CHIP_ID = 0x08000000, 0x20000000, 0x1FF0F000
_REGIONS = ((0x40000000, 0x20000000), (0xE0000000, 0x100000), (_CHIP_ID, 0x1000))
_HSI_TICK_CYCLES = 216_000_000 * 128 // 16_000_000
_READ_CYCLES = 12
_FOLLOWS = {  # a flag's register and bit, and the register and bit that it follows
    "HSERDY": (RCC_CR, 17, RCC_CR, 16),
    "PLLRDY": (RCC_CR, 25, RCC_CR, 24),
    "VOSRDY": (PWR_CSR1, 14, RCC_CR, 24),
    "ODRDY": (PWR_CSR1, 16, PWR_CR1, 16),
    "ODSWRDY": (PWR_CSR1, 17, PWR_CR1, 17),
    "SWS": (RCC_CFGR, 3, RCC_CFGR, 1),
}


@dataclass(slots=True)
class Bus:
    """Registers, what was written to them in which order, and what came out of the console."""

    stuck: frozenset[str] = frozenset()
    has_reference: bool = True
    registers: dict[int, int] = field(
        default_factory=lambda: {RCC_CSR: 0x0C000000, CPUID: 0x411FC271}
    )
    writes: list[tuple[int, int]] = field(default_factory=list)
    incoming: bytearray = field(default_factory=bytearray)
    console: bytearray = field(default_factory=bytearray)
    cycles: int = 0

    def read(self, address: int) -> int:
        """Return what a register reads; each reading takes some time."""
        self.cycles += _READ_CYCLES
        match address:
            case _ if address == DWT_CYCCNT:
                return self.cycles & 0xFFFFFFFF
            case _ if address == TIM2_CNT:
                return self.cycles >> 8
            case _ if address == LPTIM1_CNT:
                return self.cycles // _HSI_TICK_CYCLES & 0xFFFF if self.has_reference else 0
            case _ if address == USART3_ISR:
                return 1 << 7 | bool(self.incoming) << 5
            case _ if address == USART3_RDR:
                return self.incoming.pop(0)
            case _ if address == FLASH_ACR and "LATENCY" in self.stuck:
                return 0
            case _ if _CHIP_ID <= address < _CHIP_ID + 0x1000:
                return 0x11223344
        return self.registers.get(address, 0) | self._flags(address)

    def write(self, address: int, value: int) -> None:
        """Take a write."""
        self.writes.append((address, value))
        self.registers[address] = value
        if address == USART3_TDR:
            self.console.append(value & 0xFF)

    def _flags(self, address: int) -> int:
        flags = 0
        for name, (where, bit, source, cause) in _FOLLOWS.items():
            is_set = self.registers.get(source, 0) >> cause & 1
            if where == address and name not in self.stuck:
                flags |= is_set << bit
        return flags

    def frames(self) -> list[Frame]:
        """Return the frames that the console said."""
        return Decoder().feed(bytes(self.console))

    def first_write(self, address: int, matches: Callable[[int], bool] = bool) -> int:
        """Return the position of the first write to a register whose value matches."""
        return next(
            i for i, (where, value) in enumerate(self.writes) if where == address and matches(value)
        )


def boot(elf: Path, bus: Bus, *, instructions: int) -> None:
    """Run so many instructions of an image, from reset on."""
    library: Any = unicorn  # it has no types
    machine = library.Uc(library.UC_ARCH_ARM, library.UC_MODE_THUMB | library.UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M7)
    machine.mem_map(_FLASH, 0x100000)
    machine.mem_map(_RAM, 0x50000)

    def read(_: object, offset: int, __: int, origin: int) -> int:
        return bus.read(origin + offset)

    def write(_: object, offset: int, __: int, value: int, origin: int) -> None:
        bus.write(origin + offset, value)

    for origin, size in _REGIONS:
        machine.mmio_map(origin, size, read, origin, write, origin)
    with elf.open("rb") as file:
        image = ELFFile(file)
        for segment in image.iter_segments("PT_LOAD"):
            if segment["p_filesz"]:
                machine.mem_write(segment["p_paddr"], segment.data())
        entry = image.header["e_entry"]
    machine.reg_write(UC_ARM_REG_SP, int.from_bytes(machine.mem_read(_FLASH, 4), "little"))
    machine.emu_start(entry | 1, 0, count=instructions)
