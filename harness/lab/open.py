"""A lab that can be used: its places, from whichever source they come.

Most labs are a file. It is looked for where ``--lab`` or the variable ``BENCH_LAB`` says, as
``lab.yaml`` in the folder that we are in, and in the user's configuration folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from harness.board.load import load_board
from harness.errors import DeviceNotFoundError, near_names
from harness.facts import load_facts
from harness.lab.schema import Lab, Place

LAB_VARIABLE = "BENCH_LAB"
FILE_NAME = "lab.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLab:
    """Places that can be reached now; ``stand_in`` says that they are simulated.

    ``detail`` tells in one line, for the record, what kind of lab it is. ``users`` is of a lab
    that serves a port only to who has the place: by place, who that is, or nothing.
    """

    name: str
    places: Mapping[str, Place]
    stand_in: bool = False
    detail: str = ""
    users: Mapping[str, str] | None = None


def default_file() -> Path | None:
    """Return the lab file that is used unless one is named, None if there is none."""
    named = os.environ.get(LAB_VARIABLE)
    if named:
        return Path(named)
    folders = (Path(), platformdirs.user_config_path("bench-tinyml"))
    return next((f / FILE_NAME for f in folders if (f / FILE_NAME).is_file()), None)


def open_file(path: Path) -> OpenLab:
    """Return the lab that a file describes.

    Raises:
        FactsError: the file cannot be read, or with every fault of it.
    """
    lab = load_facts(path, Lab)
    places = {name: _beside(place, path.parent) for name, place in lab.places.items()}
    return OpenLab(name=lab.name, places=places, detail=f"lab {lab.name!r}")


def find_place(lab: OpenLab, board: str, name: str | None = None) -> tuple[str, Place]:
    """Return name and facts of the one place of a lab that has a board, or of that name.

    Raises:
        DeviceNotFoundError: there is none, or more than one, or that one has another board.
    """
    if name is not None:
        return name, _named(lab, board, name)
    found = [(name, place) for name, place in lab.places.items() if _has(place, board)]
    if len(found) == 1:
        return found[0]
    if found:
        names = [name for name, _ in found]
        raise DeviceNotFoundError(
            f"{lab.name}: several places have a {board}: {', '.join(names)}",
            hint=f"say which, as in --device hardware:{names[0]}",
        )
    known = {place.board for place in lab.places.values()}
    raise DeviceNotFoundError(
        f"{lab.name}: no place has a {board}",
        hint=near_names(board, known) if known else "the lab has no places",
    )


def _has(place: Place, board: str) -> bool:
    """Whether a place has a board of this name; that of one's own is in its file."""
    if Path(place.board).suffix in (".yaml", ".yml"):
        return load_board(place.board).name == board
    return place.board == board


def _named(lab: OpenLab, board: str, name: str) -> Place:
    place = lab.places.get(name)
    if place is None:
        raise DeviceNotFoundError(
            f"{lab.name}: there is no place {name!r}", hint=near_names(name, lab.places)
        )
    if not _has(place, board):
        raise DeviceNotFoundError(
            f"{lab.name}: place {name} has a {place.board}, not a {board}",
            hint=f"use --board {place.board}",
        )
    return place


def _beside(place: Place, folder: Path) -> Place:
    """Return a place whose files are paths from here, not from the lab file."""
    if Path(place.board).suffix in (".yaml", ".yml"):
        place = place.model_copy(update={"board": str(folder / place.board)})
    if place.probe is None or place.probe.pack is None:
        return place
    probe = place.probe.model_copy(update={"pack": folder / place.probe.pack})
    return place.model_copy(update={"probe": probe})
