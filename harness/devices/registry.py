"""Which devices there are: ours, and those that other packages offer.

A package adds one with an entry point in the group ``bench.devices``, named after a kind of
device, whose object makes a :class:`~harness.devices.protocol.Device` when called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from harness.board.schema import Board, DeviceKind
from harness.devices.flash import find_flasher
from harness.devices.hardware import HardwareDevice
from harness.devices.host import HostDevice
from harness.devices.protocol import Device
from harness.devices.qemu import QemuDevice
from harness.devices.renode import RenodeDevice
from harness.devices.renode_process import KeptRenode
from harness.devices.replay import ReplayDevice
from harness.errors import DeviceNotFoundError
from harness.lab.open import OpenLab

GROUP = "bench.devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What it takes to reach a board: its lab, the place if it is named, and how to flash it.

    ``wait_s`` and ``waiting`` are for when somebody else has it.
    """

    lab: OpenLab
    board: Board
    flash: str
    place: str | None = None
    wait_s: float = 0.5
    waiting: Callable[[str], None] = lambda _: None


def open_device(
    kind: DeviceKind,
    *,
    capture: Path | None = None,
    attached: Attached | None = None,
    kept: KeptRenode | None = None,
) -> Device:
    """Return the device of a kind; ``capture`` is the file that a replay reads.

    ``attached`` is the board that real hardware needs, ``kept`` a Renode that has been used before.

    Raises:
        DeviceNotFoundError: there is none of this kind.
    """
    match kind:
        case DeviceKind.QEMU:
            return QemuDevice()
        case DeviceKind.RENODE:
            return RenodeDevice(kept)
        case DeviceKind.HOST:
            return HostDevice()
        case DeviceKind.REPLAY if capture is not None:
            return ReplayDevice(capture)
        case DeviceKind.HARDWARE if attached is not None:
            flasher = find_flasher(attached.flash)
            return HardwareDevice(
                attached.lab,
                attached.board,
                flasher,
                place=attached.place,
                wait_s=attached.wait_s,
                waiting=attached.waiting,
            )
        case _:
            for entry in entry_points(group=GROUP, name=kind.value):
                device: Device = entry.load()()
                return device
    raise DeviceNotFoundError(
        f"no device of kind {kind.value!r} is installed",
        hint=f"use --device qemu or host, or a package with an entry point in {GROUP!r}",
    )
