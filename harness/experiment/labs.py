"""Which lab a case means, and how it is reached: a file, the simulated desk, labgrid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.devices.labgrid_lab import open_labgrid
from harness.devices.serial_line import find_port
from harness.errors import DeviceNotFoundError
from harness.lab.labgrid_address import parse_address
from harness.lab.open import FILE_NAME, LAB_VARIABLE, OpenLab, default_file, find_place, open_file
from harness.sim_lab.desk import check_fault, open_desk

SIMULATED = "sim"


def is_simulated(lab: str | None) -> bool:
    """Whether the boards of a lab are simulated: then their firmware is that of the emulation."""
    address = parse_address(lab or "")
    return address.simulated if address else (lab or "").partition(":")[0] == SIMULATED


def check_lab(lab: str | None, board: str | None) -> None:
    """Refuse a simulated desk with a fault that a board cannot have, before anything is built.

    Raises:
        UsageError: there is no such fault, or the board cannot have it.
    """
    name, _, fault = (lab or "").partition(":")
    if name == SIMULATED:
        check_fault(fault, board)


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


def place_in_file(lab: str | None, board: str, place: str | None) -> str | None:
    """Return the place that a lab file has a board at; ``place`` itself for other kinds of labs.

    Raises:
        FactsError: the lab file is wrong.
        DeviceNotFoundError: it has no such place, or several.
    """
    path = default_file() if lab is None else Path(lab)
    if path is None or is_simulated(lab) or parse_address(lab or "") is not None:
        return place
    return find_place(open_file(path), board, place)[0]


@contextmanager
def open_lab(
    lab: str | None,
    *,
    board: str | None = None,
    place: str | None = None,
    flash: str = "none",
) -> Iterator[OpenLab]:
    """Yield the lab that ``--lab`` names, the user's own unless it names one.

    Who shares a lab with others has the place of ``board`` for himself meanwhile. ``flash`` is what
    will program it.

    Raises:
        DeviceNotFoundError: there is no lab file, or it cannot be reached.
        FactsError: the lab file is wrong.
        UsageError: the simulated desk has no such fault, or the board cannot have it.
        DeviceError: the simulated desk does not start.
    """
    if (address := parse_address(lab or "")) is not None:
        with open_labgrid(address, board=board, place=place, needs_probe=flash != "none") as opened:
            yield opened
        return
    if lab is not None and is_simulated(lab):
        check_lab(lab, board)
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
