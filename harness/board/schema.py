"""The facts of a board, as its YAML states them; each with its source.

Facts in YAML, decisions in code: nothing here chooses, it only says what the product is and how
it can be emulated. Sizes are bytes, frequencies hertz, addresses as the reference manual has them.
"""

from __future__ import annotations

import itertools
import json
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from harness.facts import Facts


class Core(StrEnum):
    """A Cortex-M core; the value is what GCC's -mcpu takes, less feature suffixes."""

    CORTEX_M0 = "cortex-m0"
    CORTEX_M0PLUS = "cortex-m0plus"
    CORTEX_M3 = "cortex-m3"
    CORTEX_M4 = "cortex-m4"
    CORTEX_M7 = "cortex-m7"
    CORTEX_M33 = "cortex-m33"
    CORTEX_M55 = "cortex-m55"


class TimingTable(StrEnum):
    """What says how many cycles an instruction takes: a core that has a table in harness/timing."""

    CORTEX_M4 = "cortex-m4"


class DeviceKind(StrEnum):
    """What executes the firmware; part of every figure."""

    HARDWARE = "hardware"
    RENODE = "renode"
    QEMU = "qemu"
    HOST = "host"
    REPLAY = "replay"


Fpu = Literal["none", "single", "double"]

_FPUS: dict[Core, tuple[Fpu, ...]] = {
    Core.CORTEX_M0: ("none",),
    Core.CORTEX_M0PLUS: ("none",),
    Core.CORTEX_M3: ("none",),
    Core.CORTEX_M4: ("none", "single"),
    Core.CORTEX_M7: ("none", "single", "double"),
    Core.CORTEX_M33: ("none", "single"),
    Core.CORTEX_M55: ("none", "single", "double"),
}
"""What a core can be made with: the configuration options in its Technical Reference Manual."""

Address = Annotated[int, Field(ge=0, lt=1 << 32)]
Folder = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Source = Annotated[str, Field(min_length=4, description="document number and section")]


class Memory(Facts):
    """One memory of the mcu. The linker uses the ones with a ``link`` role."""

    name: str
    origin: Address
    size_bytes: Annotated[int, Field(gt=0, le=1 << 32)]
    link: Literal["flash", "ram"] | None = None
    source: Source

    @property
    def end(self) -> int:
        """The first address after the memory."""
        return self.origin + self.size_bytes


class Timing(Facts):
    """The timings of the core's instructions: a table that its manual has, and this project."""

    table: TimingTable
    source: Source


class Console(Facts):
    """The UART that reaches the host through the board's own USB connector."""

    uart: str
    tx: str = ""
    rx: str = ""
    baud: int = 921_600
    source: Source


class McuId(Facts):
    """The register by which a debugger tells that the chip is the board's mcu.

    ``value`` is what the bits of ``mask`` read; the others are the revision or reserved.
    """

    register_name: str
    address: Address
    mask: Annotated[int, Field(gt=0, lt=1 << 32)] = 0xFFFF_FFFF
    value: Annotated[int, Field(ge=0, lt=1 << 32)]
    source: Source


class Emulation(Facts):
    """A QEMU machine that runs this board's core.

    ``stand_in`` says that the machine is not this board: then the firmware is linked at the
    machine's addresses into regions of the board's sizes.
    """

    machine: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    port: Folder
    flash_origin: Address
    ram_origin: Address
    stand_in: bool
    source: Source


class Board(Facts):
    """One board: a product one can buy, or an emulated machine under its own name."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    mcu: str
    core: Core
    timing: Timing | None = Field(
        default=None,
        description="what cycles are counted by where kernels are chosen; without it, instructions "
        "are counted",
    )
    fpu: Fpu
    clock_hz: Annotated[int, Field(gt=0)]
    clock_source: Source
    memories: tuple[Memory, ...]
    console: Console | None = None
    mcu_id: McuId | None = None
    port: Folder | None = Field(
        default=None, description="folder under firmware/ports for real boards"
    )
    pyocd_target: str | None = None
    pyocd_connect: Literal["under-reset", "attach"] = Field(
        default="under-reset",
        description="attach where no debugger reaches the chip while its reset line is held",
    )
    platformio_platform: str | None = Field(
        default=None, description="PlatformIO's platform that has platformio_board"
    )
    platformio_board: str | None = None
    emulation: Emulation | None = None
    notes: tuple[str, ...] = ()

    @field_validator("fpu")
    @classmethod
    def _have_what_the_core_can_have(cls, fpu: Fpu, fields: ValidationInfo) -> Fpu:
        core = fields.data.get("core")
        if core is not None and fpu not in _FPUS[core]:
            raise ValueError(f"a {core.value} has {' or '.join(_FPUS[core])}")
        return fpu

    @field_validator("timing")
    @classmethod
    def _have_the_timing_of_the_core(
        cls, timing: Timing | None, fields: ValidationInfo
    ) -> Timing | None:
        core = fields.data.get("core")
        if timing is not None and core is not None and timing.table.value != core.value:
            raise ValueError(f"is of a {timing.table.value}, the core is a {core.value}")
        return timing

    @field_validator("memories")
    @classmethod
    def _link_one_flash_and_one_ram(cls, memories: tuple[Memory, ...]) -> tuple[Memory, ...]:
        for role in ("flash", "ram"):
            linked = [m.name for m in memories if m.link == role]
            if len(linked) != 1:
                found = ", ".join(linked) or "none"
                raise ValueError(f"exactly one memory must have link: {role} (have it: {found})")
        for memory in memories:
            if memory.end > 1 << 32:
                raise ValueError(f"{memory.name} ends beyond 32 bits of address")
        for one, other in itertools.combinations(memories, 2):
            if one.name == other.name:
                raise ValueError(f"two memories are named {one.name}")
            if one.origin < other.end and other.origin < one.end:
                raise ValueError(f"{one.name} and {other.name} overlap")
        return memories

    @property
    def timing_table(self) -> TimingTable | None:
        """What cycles are counted by, if there is a table."""
        return None if self.timing is None else self.timing.table

    def memory(self, role: Literal["flash", "ram"]) -> Memory:
        """Return the memory that the linker uses for a role."""
        return next(m for m in self.memories if m.link == role)


def json_schema() -> str:
    """Return the JSON schema of a board file; ``boards/schema.json`` holds it for editors."""
    return json.dumps(Board.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
