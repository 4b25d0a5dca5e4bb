"""What a firmware is linked for: one core, one port, one flash and one RAM region.

A board gives several targets: itself, and the emulated machine that stands in for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.board.schema import Board, Core, DeviceKind
from harness.errors import DeviceNotFoundError


@dataclass(frozen=True, slots=True)
class Region:
    """A contiguous run of addresses."""

    origin: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Target:
    """Everything the linker and the start-up code must know.

    ``port`` is a folder under ``firmware/ports``; ``machine`` is QEMU's name of the machine, or
    empty where no machine is emulated. On the host ``flash`` and ``ram`` only carry sizes.
    """

    board: str
    mcu: str
    core: Core
    fpu: str
    kind: DeviceKind
    port: str
    machine: str
    stand_in: bool
    flash: Region
    ram: Region


def target_for(board: Board, kind: DeviceKind) -> Target:
    """Return the target of a board on a kind of device.

    Raises:
        DeviceNotFoundError: the board has no port or machine for this kind.
    """
    flash, ram = board.memory("flash"), board.memory("ram")
    flash_region = Region(flash.origin, flash.size_bytes)
    ram_region = Region(ram.origin, ram.size_bytes)
    port, machine, stand_in = board.port or "", "", False
    match kind:
        case DeviceKind.HOST:
            port = "host"
        case DeviceKind.QEMU:
            if board.emulation is None:
                raise DeviceNotFoundError(
                    f"{board.name}: no QEMU machine has a {board.core.value} like it",
                    hint="use --device host, or a board that `bench boards` lists with a machine",
                )
            port, machine = board.emulation.port, board.emulation.machine
            stand_in = board.emulation.stand_in
            flash_region = Region(board.emulation.flash_origin, flash.size_bytes)
            ram_region = Region(board.emulation.ram_origin, ram.size_bytes)
        case DeviceKind.HARDWARE | DeviceKind.RENODE | DeviceKind.REPLAY:
            if not port:
                raise DeviceNotFoundError(
                    f"{board.name}: there is no firmware port for real {board.mcu} hardware yet",
                    hint="use --device qemu, or add one: CONTRIBUTING.md, 'a port'",
                )
    return Target(
        board=board.name,
        mcu=board.mcu,
        core=board.core,
        fpu=board.fpu,
        kind=kind,
        port=port,
        machine=machine,
        stand_in=stand_in,
        flash=flash_region,
        ram=ram_region,
    )
