"""What a flasher is: it puts an image into a board's flash, and starts it."""

from __future__ import annotations

from typing import Protocol

from harness.board.schema import Board
from harness.devices.platformio_flash import PlatformioFlasher
from harness.devices.pyocd_flash import PyOcdFlasher
from harness.errors import DeviceError, UsageError, near_names
from harness.lab.schema import Place
from harness.toolchain.firmware import Firmware

FLASHERS = ("pyocd", "platformio", "none")


class Flasher(Protocol):
    """What writes flash. Every wait is bounded; both calls raise DeviceErrors with a hint."""

    @property
    def name(self) -> str:
        """Its name in ``--flash``."""

    def program(self, firmware: Firmware, board: Board, place: Place, /) -> None:
        """Write the image, read it back, compare, and reset into it."""

    def reset(self, board: Board, place: Place, /) -> None:
        """Start what is in flash from the beginning."""


class NoFlasher:
    """Trusts that the image is in flash already; the board's hello proves it or not."""

    name = "none"

    def program(self, _firmware: Firmware, _board: Board, _place: Place) -> None:
        """Leave the flash as it is."""

    def reset(self, board: Board, _place: Place) -> None:
        """Refuse.

        Raises:
            DeviceError: always, since nothing here reaches the chip.
        """
        raise DeviceError(
            f"{board.name}: --flash none cannot reset a board", hint="use --flash pyocd"
        )


def find_flasher(name: str) -> Flasher:
    """Return the flasher of a name.

    Raises:
        UsageError: there is none of this name.
    """
    match name:
        case "pyocd":
            return PyOcdFlasher()
        case "platformio":
            return PlatformioFlasher()
        case "none":
            return NoFlasher()
    raise UsageError(f"there is no flasher {name!r}", hint=near_names(name, FLASHERS))
