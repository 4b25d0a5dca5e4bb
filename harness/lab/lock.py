"""One user of a board at a time, across processes.

The lock is the kernel's, on a file of the user's cache folder: it is gone when its holder ends,
however that ends. The file's text says who holds it, for those who wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from harness.data import cache_dir, plain
from harness.errors import DeviceBusyError
from harness.lab.schema import Place

_LOOK_AGAIN_S = 0.1
_COMMAND_MAX = 100


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a place: process id, what it does, and since when."""

    pid: int
    command: str
    since: str

    def __str__(self) -> str:
        """Say it."""
        return f"{self.command} (pid {self.pid}) since {self.since}"


@contextlib.contextmanager
def locked(
    name: str,
    place: Place,
    *,
    wait_s: float = 0.5,
    waiting: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold a place of this name while the block runs; ``waiting`` hears who has it meanwhile.

    Who only looks (:func:`holder`) has it for a moment too, so some waiting there must be.

    Raises:
        DeviceBusyError: somebody else had it for all of ``wait_s``.
    """
    path = _path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    end_s = time.monotonic() + wait_s
    with path.open("a+") as file:
        while not _take(file):
            who = _read(file)
            if time.monotonic() >= end_s:
                raise DeviceBusyError(
                    f"{name}: {who or 'another process'} has this board",
                    hint="wait for it to end, or end it",
                )
            waiting(str(who or "another process"))
            time.sleep(_LOOK_AGAIN_S)
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        file.truncate(0)
        file.write(f"{os.getpid()}\n{_command()}\n{since}\n")
        file.flush()
        yield


def holder(place: Place) -> Holder | None:
    """Return who has a place now, None if nobody has."""
    try:
        with _path(place).open("r+") as file:
            return None if _take(file) else _read(file)
    except FileNotFoundError:
        return None


def _command() -> str:
    """Return what this process does, short enough to be told."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]).replace("\n", " ")[:_COMMAND_MAX]


def _path(place: Place) -> Path:
    """Return the file of a board, whatever labs and places call it."""
    uid = place.probe.uid if place.probe else None
    thing = uid or place.usb_serial or place.serial.port or place.board
    return cache_dir("locks") / f"{plain(thing)}.lock"


def _take(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[str]) -> Holder | None:
    file.seek(0)
    lines = file.read().splitlines()
    if len(lines) != 3 or not lines[0].isdigit():
        return None
    return Holder(int(lines[0]), lines[1], lines[2])
