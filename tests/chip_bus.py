"""The buses of microcontrollers, as far as their ports touch them.

The image of a board runs on an instruction-set emulator that has no peripherals of its own; the
bus records what is written and answers as the part does. A ready flag follows what asks for it,
unless it is named in ``stuck``; counters go on with each reading. Addresses: ST RM0385, RM0390,
RM0432, RM0433, section 2; Nordic nRF52840 Product Specification v1.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import unicorn
from elftools.elf.elffile import ELFFile
from unicorn.arm_const import UC_ARM_REG_SP, UC_CPU_ARM_CORTEX_M4, UC_CPU_ARM_CORTEX_M7

from harness.telemetry.frames import Decoder, Frame

RCC_CR, RCC_PLLCFGR, RCC_CFGR, RCC_CSR = 0x40023800, 0x40023804, 0x40023808, 0x40023874
PWR_CR1, PWR_CSR1 = 0x40007000, 0x40007004
FLASH_ACR = 0x40023C00

_CPUID, _DWT_CYCCNT = 0xE000ED00, 0xE0001004
_PERIPHERALS = ((0x40000000, 0x20000000), (0xE0000000, 0x100000))
_PAGE_BYTES = 0x1000
_READ_CYCLES = 12

Flag = tuple[int, int, int, int]
"""A flag's register and bit, and the register and bit that it follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """What a port finds: where things lie, which flags there are, what counts.

    ``frozen`` are fields that do not take what is written to them when they are stuck: register and
    mask. ``ready`` and ``received`` are (register, bit) of the console's flags, ``counters`` turn
    cycles, and how often the register was read, into what it reads.
    """

    name: str
    model: int
    cpuid: int
    flash: int
    ram: int = 0x20000000
    registers: Mapping[int, int]
    flags: Mapping[str, Flag]
    frozen: Mapping[str, tuple[int, int]]
    ready: tuple[int, int]
    received: tuple[int, int]
    read: int
    write: int
    chip_id: int
    counters: Mapping[int, Callable[[int, int], int]]


_OVERDRIVE: dict[str, Flag] = {
    "HSERDY": (RCC_CR, 17, RCC_CR, 16),
    "PLLRDY": (RCC_CR, 25, RCC_CR, 24),
    "VOSRDY": (PWR_CSR1, 14, RCC_CR, 24),
    "ODRDY": (PWR_CSR1, 16, PWR_CR1, 16),
    "ODSWRDY": (PWR_CSR1, 17, PWR_CR1, 17),
    "SWS": (RCC_CFGR, 3, RCC_CFGR, 1),
}
_LATENCY = {"LATENCY": (FLASH_ACR, 0xF)}

STM32F746 = Chip(
    name="nucleo-f746zg",
    model=UC_CPU_ARM_CORTEX_M7,
    cpuid=0x411FC271,
    flash=0x08000000,
    registers={RCC_CSR: 0x0C000000},
    flags=_OVERDRIVE,
    frozen=_LATENCY,
    ready=(0x4000481C, 7),
    received=(0x4000481C, 5),
    read=0x40004824,
    write=0x40004828,
    chip_id=0x1FF0F420,
    counters={
        0x40000024: lambda cycles, _: cycles >> 8,  # TIM2
        0x4000241C: lambda cycles, _: cycles * 125_000 // 216_000_000 & 0xFFFF,  # LPTIM1
    },
)

STM32F446 = Chip(
    name="nucleo-f446re",
    model=UC_CPU_ARM_CORTEX_M4,
    cpuid=0x410FC241,
    flash=0x08000000,
    registers={RCC_CSR: 0x14000000, 0x40014810: 1 << 1},  # TIM11: captures come
    flags=_OVERDRIVE,
    frozen=_LATENCY,
    ready=(0x40004400, 7),
    received=(0x40004400, 5),
    read=0x40004404,
    write=0x40004404,
    chip_id=0x1FFF7A10,
    counters={
        0x40000024: lambda cycles, _: cycles >> 8,  # TIM2
        0x40014834: lambda _, times: times * 128 & 0xFFFF,  # TIM11: 64 edges of HSE in HSI
    },
)

STM32L4R5 = Chip(
    name="nucleo-l4r5zi",
    model=UC_CPU_ARM_CORTEX_M4,
    cpuid=0x410FC241,
    flash=0x08000000,
    registers={0x40021094: 1 << 26},
    flags={
        "HSIRDY": (0x40021000, 10, 0x40021000, 8),
        "PLLRDY": (0x40021000, 25, 0x40021000, 24),
        "SWS.0": (0x40021008, 2, 0x40021008, 0),
        "SWS": (0x40021008, 3, 0x40021008, 1),
    },
    frozen={"LATENCY": (0x40022000, 0xF)},
    ready=(0x4000801C, 7),
    received=(0x4000801C, 5),
    read=0x40008024,
    write=0x40008028,
    chip_id=0x1FFF7590,
    counters={
        0x40000024: lambda cycles, _: cycles >> 8,  # TIM2
        0x40007C1C: lambda cycles, _: cycles * 125_000 // 120_000_000 & 0xFFFF,  # LPTIM1
    },
)

STM32H743 = Chip(
    name="nucleo-h743zi",
    model=UC_CPU_ARM_CORTEX_M7,
    cpuid=0x411FC271,
    flash=0x08000000,
    ram=0x24000000,
    registers={0x580244D0: 1 << 28},
    flags={
        "HSERDY": (0x58024400, 17, 0x58024400, 16),
        "PLLRDY": (0x58024400, 25, 0x58024400, 24),
        "ACTVOSRDY": (0x58024804, 13, 0x5802480C, 1),
        "VOSRDY": (0x58024818, 13, 0x58024818, 14),
        "SWS.0": (0x58024410, 3, 0x58024410, 0),
        "SWS": (0x58024410, 4, 0x58024410, 1),
    },
    frozen={"LATENCY": (0x52002000, 0xF)},
    ready=(0x4000481C, 7),
    received=(0x4000481C, 5),
    read=0x40004824,
    write=0x40004828,
    chip_id=0x1FF1E800,
    counters={
        0x40000024: lambda cycles, _: cycles >> 8,  # TIM2
        0x4000241C: lambda cycles, _: cycles * 500_000 // 400_000_000 & 0xFFFF,  # LPTIM1
    },
)

NRF52840 = Chip(
    name="nrf52840-dk",
    model=UC_CPU_ARM_CORTEX_M4,
    cpuid=0x410FC241,
    flash=0x00000000,
    registers={0x40000400: 1 << 2},
    flags={
        "HFCLKSTARTED": (0x40000100, 0, 0x40000000, 0),
        "LFCLKSTARTED": (0x40000104, 0, 0x40000008, 0),
    },
    frozen={},
    ready=(0x4000211C, 0),
    received=(0x40002108, 0),
    read=0x40002518,
    write=0x4000251C,
    chip_id=0x10000060,
    counters={
        0x40009540: lambda cycles, _: cycles >> 8,  # TIMER1
        0x4000B504: lambda cycles, _: cycles * 32_768 // 64_000_000,  # RTC0
    },
)


@dataclass(slots=True)
class Bus:
    """Registers, what was written to them in which order, and what came out of the console."""

    chip: Chip
    stuck: frozenset[str] = frozenset()
    incoming: bytearray = field(default_factory=bytearray)
    console: bytearray = field(default_factory=bytearray)
    writes: list[tuple[int, int]] = field(default_factory=list)
    registers: dict[int, int] = field(default_factory=dict)
    cycles: int = 0
    times: int = 0

    has_request: bool = False

    def __post_init__(self) -> None:
        self.has_request = bool(self.incoming)
        self.registers |= {**self.chip.registers, _CPUID: self.chip.cpuid}

    def read(self, address: int) -> int:
        """Return what a register reads; each reading takes some time."""
        chip = self.chip
        self.cycles += _READ_CYCLES
        if address == _DWT_CYCCNT:
            return self.cycles & 0xFFFFFFFF
        if address in chip.counters:
            self.times += 1
            return (
                0 if "counters" in self.stuck else chip.counters[address](self.cycles, self.times)
            )
        if address == chip.read and self.incoming:
            return self.incoming.pop(0)
        if 0 <= address - chip.chip_id < 12:
            return 0x11223344
        value = self.registers.get(address, 0)
        for name, (where, mask) in chip.frozen.items():
            if where == address and name in self.stuck:
                value &= ~mask
        return value | self._flags(address)

    def write(self, address: int, value: int) -> None:
        """Take a write."""
        self.writes.append((address, value))
        self.registers[address] = value
        if address == self.chip.write:
            self.console.append(value & 0xFF)

    def _flags(self, address: int) -> int:
        chip, flags = self.chip, 0
        for name, (where, bit, source, cause) in chip.flags.items():
            is_set = self.registers.get(source, 0) >> cause & 1
            if where == address and name not in self.stuck:
                flags |= is_set << bit
        if address == chip.ready[0]:
            flags |= 1 << chip.ready[1]
        if address == chip.received[0] and self.incoming:
            flags |= 1 << chip.received[1]
        return flags

    @property
    def has_said_all(self) -> bool:
        """Whether the frame of the boot is out, and an answer if there was a request."""
        return self.console[-1] == 0 and len(self.frames()) > self.has_request

    def frames(self) -> list[Frame]:
        """Return the frames that the console said."""
        return Decoder().feed(bytes(self.console))

    def first_write(self, address: int, matches: Callable[[int], bool] = bool) -> int:
        """Return the position of the first write to a register whose value matches."""
        return next(
            i for i, (where, value) in enumerate(self.writes) if where == address and matches(value)
        )


def boot(elf: Path, bus: Bus, *, instructions: int) -> None:
    """Run an image from reset until it has said all, or so many instructions were executed."""
    library: Any = unicorn  # it has no types
    machine = library.Uc(library.UC_ARCH_ARM, library.UC_MODE_THUMB | library.UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(bus.chip.model)
    machine.mem_map(bus.chip.flash, 0x100000)
    machine.mem_map(bus.chip.ram, 0xA0000)

    def read(_: object, offset: int, __: int, origin: int) -> int:
        return bus.read(origin + offset)

    def write(_: object, offset: int, __: int, value: int, origin: int) -> None:
        bus.write(origin + offset, value)
        if origin + offset == bus.chip.write and bus.has_said_all:
            machine.emu_stop()

    chip_id_page = bus.chip.chip_id // _PAGE_BYTES * _PAGE_BYTES
    # The page after it has an nRF52's UICR.
    for origin, size in (*_PERIPHERALS, (chip_id_page, 2 * _PAGE_BYTES)):
        machine.mmio_map(origin, size, read, origin, write, origin)
    with elf.open("rb") as file:
        image = ELFFile(file)
        for segment in image.iter_segments("PT_LOAD"):
            if segment["p_filesz"]:
                machine.mem_write(segment["p_paddr"], segment.data())
        entry = image.header["e_entry"]
    stack = bytes(machine.mem_read(bus.chip.flash, 4))
    machine.reg_write(UC_ARM_REG_SP, int.from_bytes(stack, "little"))
    machine.emu_start(entry | 1, 0, count=instructions)
