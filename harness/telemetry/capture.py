"""Capture: every byte that went over a line, in both directions, with its time.

The file is text, so that it can be read, searched and cut by hand::

    bench-capture 1 hardware
    0.000213 < 0004410101...        from the board
    0.000590 > 0003010102...        to the board

The first line ends with the kind of device that the firmware was built for, if that is known.
Times are seconds since the line was opened. A capture is kept of failures too, and can stand in
for the board (``--device replay:FILE``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import CorruptStreamError
from harness.telemetry.console import Console, Memory

_TITLE = "bench-capture 1"
_TITLE_LINE = re.compile(rf"{_TITLE}(?: ([a-z]+))?")


class Direction(StrEnum):
    """Whose bytes they are; the value is the mark in the file."""

    FROM_BOARD = "<"
    TO_BOARD = ">"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that went one way at one moment."""

    time_s: float
    direction: Direction
    data: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    """All traffic of a session, in order; ``source`` is the kind of device, if it is known."""

    traffic: tuple[Traffic, ...]
    source: str = ""

    def encode(self) -> bytes:
        """Return the capture as its file has it."""
        lines = (f"{t.time_s:.6f} {t.direction.value} {t.data.hex()}\n" for t in self.traffic)
        title = f"{_TITLE} {self.source}".rstrip()
        return "".join([title + "\n", *lines]).encode()

    @classmethod
    def decode(cls, content: bytes) -> Capture:
        """Return the capture that a file holds.

        Raises:
            CorruptStreamError: it is not a capture; says the line.
        """
        lines = content.decode("ascii", errors="replace").splitlines()
        title = _TITLE_LINE.fullmatch(lines[0]) if lines else None
        if title is None:
            raise CorruptStreamError(f"not a capture: the first line is not {_TITLE!r}")
        traffic: list[Traffic] = []
        for number, line in enumerate(lines[1:], start=2):
            try:
                time_s, mark, data = line.split(" ")
                traffic.append(Traffic(float(time_s), Direction(mark), bytes.fromhex(data)))
            except ValueError:
                raise CorruptStreamError(
                    f"capture, line {number}: expected 'SECONDS <|> HEX', found {line[:40]!r}"
                ) from None
        return cls(tuple(traffic), title[1] or "")


def with_source(content: bytes, source: str) -> bytes:
    """Return an encoded capture that says what kind of device it is of; nothing stays nothing."""
    _, end, traffic = content.partition(b"\n")
    return f"{_TITLE} {source}".encode() + end + traffic if content else b""


class Recorder:
    """A console that notes all that goes through it."""

    def __init__(self, console: Console, now: Callable[[], float]) -> None:
        self._console = console
        self._now = now
        self._start_s = now()
        self._traffic: list[Traffic] = []

    @property
    def capture(self) -> Capture:
        """What went through so far."""
        return Capture(tuple(self._traffic))

    @property
    def memory(self) -> Memory | None:
        """The board's memory; what is written there is not noted, ADOPT's CRC vouches for it."""
        return self._console.memory

    def read(self, timeout_s: float) -> bytes:
        """Return what has arrived."""
        data = self._console.read(timeout_s)
        if data:
            self._note(Direction.FROM_BOARD, data)
        return data

    def write(self, data: bytes) -> None:
        """Send all of ``data``; noted even when the line then fails."""
        self._note(Direction.TO_BOARD, data)
        self._console.write(data)

    def _note(self, direction: Direction, data: bytes) -> None:
        self._traffic.append(Traffic(self._now() - self._start_s, direction, data))
