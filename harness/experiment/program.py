"""Program a board with an image that was built before, outside of any run."""

from __future__ import annotations

from pathlib import Path

from harness.board.load import load_board
from harness.board.schema import DeviceKind
from harness.board.target import target_for
from harness.devices.flash import find_flasher
from harness.experiment.labs import is_simulated, open_lab
from harness.lab.lock import locked
from harness.lab.open import find_place
from harness.toolchain.firmware import Firmware
from harness.toolchain.image_file import read_image


def program(
    elf: Path, board: str, *, lab: str | None, flash: str, place: str | None = None
) -> tuple[str, Firmware]:
    """Program a place of a lab and start it; return its name and the image.

    Raises:
        UsageError: there is no board or flasher of this name.
        ToolchainError: the file is no image for this board.
        DeviceError: the place cannot be reached, or does not take the image.
    """
    facts = load_board(board)
    kind = DeviceKind.QEMU if is_simulated(lab) else DeviceKind.HARDWARE
    firmware = read_image(elf, target_for(facts, kind))
    flasher = find_flasher(flash)
    with open_lab(lab, board=facts.name, place=place, flash=flash) as opened:
        name, there = find_place(opened, facts.name, place)
        with locked(name, there):
            flasher.program(firmware, facts, there)
    return name, firmware
