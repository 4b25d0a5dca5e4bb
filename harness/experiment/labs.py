"""Which lab a case means, and how it is reached: a file, or the simulated desk (``--lab sim``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.devices.serial_line import find_port
from harness.errors import DeviceNotFoundError
from harness.lab.open import FILE_NAME, LAB_VARIABLE, OpenLab, default_file, find_place, open_file
from harness.sim_lab.desk import open_desk

SIMULATED = "sim"


def is_simulated(lab: str | None) -> bool:
    """Whether the boards of a lab are simulated: then their firmware is that of the emulation."""
    return lab is not None and lab.partition(":")[0] == SIMULATED


def is_attached(board: str) -> bool:
    """Whether the user's lab has one place with a board, and its port is there now.

    Raises:
        FactsError: the lab file is wrong.
    """
    path = default_file()
    if path is None:
        return False
    try:
        _, place = find_place(open_file(path), board)
        return Path(find_port(place)).exists()
    except DeviceNotFoundError:
        return False


@contextmanager
def open_lab(lab: str | None) -> Iterator[OpenLab]:
    """Yield the lab that ``--lab`` names, the user's own unless it names one.

    Raises:
        DeviceNotFoundError: there is no lab file, or it cannot be reached.
        FactsError: the lab file is wrong.
        UsageError: the simulated desk has no such fault.
        DeviceError: the simulated desk does not start.
    """
    if lab is not None and is_simulated(lab):
        with open_desk(lab.partition(":")[2]) as desk:
            yield desk
        return
    path = default_file() if lab is None else Path(lab)
    if path is None:
        raise DeviceNotFoundError(
            "there is no lab file that says where your boards are",
            hint=f"write {FILE_NAME} (docs/hardware.md), name it with --lab or {LAB_VARIABLE}, "
            "or try --lab sim, which needs no board",
        )
    yield open_file(path)
