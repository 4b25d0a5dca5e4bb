"""A serial line that misbehaves as told: between a pty, which pyserial opens, and a board.

It keeps the code honest that talks to real ports. Bytes are dropped, flipped, torn apart, cut off
by a BREAK and held back with given chances, the same ones for the same seed; the port is unplugged
once and comes back under another name, reached through a link like those under
``/dev/serial/by-id``; and a line can be as slow as its baud rate says. What the board said is kept
as it was, so that a test can tell a figure that is right from one that only looks so.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import tty
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

_PACKET_BYTES = 64
_READ_BYTES = 4096
_TICK_S = 0.05
_CHUNK_PAUSE_S = 0.002
_BREAK_BYTES = 25
"""What goes under in a BREAK: 0.25 ms at 921,600 baud, where the shortest takes one byte's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong: chances a byte, both ways.

    ``chunk`` tears traffic in two pieces, ``stall`` holds it back for ``stall_s``. ``cut`` is a
    BREAK: no pseudo-terminal carries one, so the line says what a UART makes of it, one zero. After
    ``unplug_after`` bytes from the board the port is gone for ``away_s``. ``bytes_per_s`` bounds
    each way, and ``latency_s`` is what any byte takes at least.
    """

    drop: float = 0.0
    flip: float = 0.0
    chunk: float = 0.0
    stall: float = 0.0
    stall_s: float = 0.02
    cut: float = 0.0
    unplug_after: int | None = None
    away_s: float = 0.3
    bytes_per_s: float | None = None
    latency_s: float = 0.0


class _Way:
    """One direction: bytes go in at one end, and come out later, or not at all."""

    def __init__(self, faults: Faults, seed: str) -> None:
        self._faults = faults
        self._random = Random(seed)
        self._cuts = Random(f"{seed} cut")
        self._cut_left = 0
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._free_at = 0.0
        self.carried_bytes = 0

    def put(self, data: bytes) -> None:
        """Send bytes on their way."""
        self.carried_bytes += len(data)
        for piece, pause_s in self._pieces(data):
            start = max(self._free_at, time.monotonic())
            rate = self._faults.bytes_per_s
            self._free_at = start + pause_s + (len(piece) / rate if rate else 0.0)
            self._under_way.append((self._free_at + self._faults.latency_s, piece))

    def due(self) -> bytes:
        """Return what has arrived by now."""
        now, out = time.monotonic(), bytearray()
        while self._under_way and self._under_way[0][0] <= now:
            out += self._under_way.popleft()[1]
        return bytes(out)

    @property
    def wait_s(self) -> float:
        """How long nothing will arrive."""
        if not self._under_way:
            return _TICK_S
        return min(max(self._under_way[0][0] - time.monotonic(), 0.0), _TICK_S)

    def clear(self) -> None:
        """Lose what is under way."""
        self._under_way.clear()

    def _pieces(self, data: bytes) -> Iterator[tuple[bytes, float]]:
        """Yield data as it leaves, damaged and torn, each piece with the pause before it."""
        faults = self._faults
        chances = (faults.drop, faults.flip, faults.chunk, faults.stall)
        piece, pause_s = bytearray(), 0.0
        for byte in data:
            # Four draws a byte whatever the chances, so that equal seeds hit equal bytes.
            dropped, flipped, torn, stalled = (self._random.random() < c for c in chances)
            bit = self._random.randrange(8)
            if torn or stalled or len(piece) == _PACKET_BYTES:
                yield bytes(piece), pause_s
                piece.clear()
                pause_s = _CHUNK_PAUSE_S * torn + faults.stall_s * stalled
            if self._cut_left:
                self._cut_left -= 1
            elif faults.cut and self._cuts.random() < faults.cut:
                self._cut_left = _BREAK_BYTES - 1
                piece.append(0)
            elif not dropped:
                piece.append(byte ^ (1 << bit) if flipped else byte)
        yield bytes(piece), pause_s


class BadLine:
    """A line whose computer's end is the port ``link``; its board is plugged in with attach()."""

    def __init__(self, link: Path, faults: Faults, *, seed: int = 0) -> None:
        self.link = link
        self.unplugged_at: float | None = None
        self.said = bytearray()
        self._faults = faults
        self._to_board = _Way(faults, f"to {seed}")
        self._from_board = _Way(faults, f"from {seed}")
        self._board: tuple[int, int] | None = None
        self._pty: tuple[int, int] | None = None
        self._spare: tuple[int, int] | None = None
        self._back_at = 0.0
        self._ended = threading.Event()

    @property
    def carried_bytes(self) -> tuple[int, int]:
        """How many bytes were sent to the board, and by the board."""
        return self._to_board.carried_bytes, self._from_board.carried_bytes

    def attach(self, read_fd: int, write_fd: int) -> None:
        """Plug a board in: where its console is read and written."""
        os.set_blocking(write_fd, False)
        self._board = read_fd, write_fd

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Carry bytes while the block runs."""
        self._plug_in()
        carrier = threading.Thread(target=self._carry, name=f"line {self.link.name}")
        carrier.start()
        try:
            yield
        finally:
            self._ended.set()
            carrier.join()
            self._unplug()
            for fd in self._spare or ():
                os.close(fd)

    def _carry(self) -> None:
        while not self._ended.is_set():
            if self._pty is None and time.monotonic() >= self._back_at:
                self._plug_in()
            ends = {self._pty[0]: self._to_board} if self._pty else {}
            if self._board is not None:
                ends[self._board[0]] = self._from_board
            wait_s = min(self._to_board.wait_s, self._from_board.wait_s)
            for fd in select.select(list(ends), [], [], wait_s)[0]:
                self._take(fd, ends[fd])
            self._deliver()

    def _take(self, fd: int, way: _Way) -> None:
        try:
            data = os.read(fd, _READ_BYTES)
        except OSError:
            data = b""  # nobody has the port open
        if not data:
            self._ended.wait(_CHUNK_PAUSE_S)
            return
        if way is self._from_board:
            self.said += data
        way.put(data)

    def _deliver(self) -> None:
        unplug_after = self._faults.unplug_after
        if (
            unplug_after is not None
            and self.unplugged_at is None
            and self._from_board.carried_bytes >= unplug_after
        ):
            spare = os.openpty()  # holds the next name, so that it comes back under another one
            self._unplug()
            self._spare = spare
            self.unplugged_at = time.monotonic()
            self._back_at = self.unplugged_at + self._faults.away_s
        for way, fd in (
            (self._to_board, self._board[1] if self._board else None),
            (self._from_board, self._pty[0] if self._pty else None),
        ):
            if data := way.due():
                _write(fd, data)

    def _plug_in(self) -> None:
        master, slave = self._spare or os.openpty()
        self._spare = None
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._pty = master, slave
        self.link.symlink_to(os.ttyname(slave))

    def _unplug(self) -> None:
        """Take both ends away, as a USB plug does, and what was under way with them."""
        if self._pty is None:
            return
        self.link.unlink()
        for fd in self._pty:
            os.close(fd)
        self._pty = None
        self._to_board.clear()
        self._from_board.clear()


def _write(fd: int | None, data: bytes) -> None:
    """Write to an end that may not be there, or not listen: a wire keeps nothing for later."""
    if fd is None:
        return
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(fd, data) :]
