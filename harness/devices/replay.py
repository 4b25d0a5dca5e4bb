"""Replay: a recorded capture answers in place of the board.

What the board sent is handed out again byte by byte, damage included, but in answer to requests
instead of by the clock: the bytes that followed a request follow it again. A request that the
capture has not is an error, since then the capture is of another run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.board.schema import DeviceKind
from harness.devices.clock import Clock, cycle_clock, host_clock, icount_clock, timer_clock
from harness.devices.protocol import Capability
from harness.devices.qemu import ICOUNT_SHIFT
from harness.devices.renode import RenodeDevice
from harness.errors import CorruptStreamError, DeviceError, DeviceNotFoundError, NoAnswerError
from harness.telemetry.capture import Capture, Direction
from harness.telemetry.console import Console
from harness.telemetry.frames import Decoder, Frame
from harness.telemetry.messages import CRC_BYTES, ROW, Adopt, ClockKind, Hello
from harness.toolchain.firmware import Firmware


@dataclass(slots=True)
class _Exchange:
    """A request of the recorded host and all that the board said until the next one."""

    request: Frame
    reply: bytearray = field(default_factory=bytearray)


class _NoMemory:
    """Takes writes for done: the CRC of ADOPT tells whether they were those of the recording."""

    def write(self, address: int, data: bytes) -> None:
        """Do nothing."""


class ReplayConsole:
    """The board's side of a capture."""

    def __init__(self, capture: Capture) -> None:
        self._decoder = Decoder()
        self._ready, self._exchanges = _exchanges(capture)
        self._next = 0
        self._said: dict[bool, Frame] = {}
        is_written = any(_is_of_written_bytes(e.request) for e in self._exchanges)
        self.memory = _NoMemory() if is_written else None

    def read(self, _timeout_s: float) -> bytes:
        """Return what the board said next; never waits, since nothing more would come."""
        if not self._ready:
            raise NoAnswerError("the capture ends here: the board said nothing more")
        data, self._ready = bytes(self._ready), bytearray()
        return data

    def write(self, data: bytes) -> None:
        """Find the request among the recorded ones, and make its reply ready."""
        for request in self._decoder.feed(data):
            if request in self._said.values():
                continue  # said again; what the board said to that is in the same reply
            if self._next == len(self._exchanges):
                raise NoAnswerError("the capture ends here: it has no further request")
            expected = self._exchanges[self._next]
            if expected.request != request:
                raise DeviceError(
                    f"the capture is of another run: request {self._next} differs",
                    hint="replay with the model, inputs, warm-up and repeat of the recorded run",
                )
            self._ready += expected.reply
            self._next += 1
            self._said[request.type == ROW] = request


class ReplayDevice:
    """A board whose answers are in a file."""

    kind = DeviceKind.REPLAY
    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def detail(self) -> str:
        """The file's name."""
        return f"capture {self._path.name}"

    @contextlib.contextmanager
    def open(self, _firmware: Firmware) -> Iterator[Console]:
        """Read the capture; the session itself refuses one of another firmware."""
        yield ReplayConsole(read_capture(self._path))

    def clock(self, hello: Hello) -> Clock:
        """Return the clock of the recorded board."""
        match built_for(read_capture(self._path)), hello.clock_kind:
            case DeviceKind.RENODE, _:
                return RenodeDevice().clock(hello)
            case _, ClockKind.HOST:
                return host_clock(hello)
            case _, ClockKind.CORE_CYCLES:
                return cycle_clock(hello)
            case DeviceKind.HARDWARE, ClockKind.TIMER:
                return timer_clock(hello)
            case _, ClockKind.TIMER:
                return icount_clock(hello, ICOUNT_SHIFT)


def read_capture(path: Path) -> Capture:
    """Return the capture in a file.

    Raises:
        DeviceNotFoundError: there is no such file.
        CorruptStreamError: it is no capture.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DeviceNotFoundError(f"{path}: {error.strerror}") from None
    try:
        return Capture.decode(content)
    except CorruptStreamError as error:
        raise CorruptStreamError(f"{path}: {error.message}") from None


def built_for(capture: Capture) -> DeviceKind:
    """Return the kind of device whose firmware was captured; QEMU where a capture does not say."""
    known = {kind.value: kind for kind in DeviceKind if kind is not DeviceKind.REPLAY}
    return known.get(capture.source, DeviceKind.QEMU)


def _is_of_written_bytes(request: Frame) -> bool:
    """Return whether a request vouches for bytes that went through a debug port."""
    return request.type == Adopt.TYPE or (request.type == ROW and len(request.payload) == CRC_BYTES)


def _exchanges(capture: Capture) -> tuple[bytearray, list[_Exchange]]:
    """Return what the board said before any request, and each request with its reply.

    A request is what the host says, an answer to WANT too; the last of both may be said again.
    """
    first = bytearray()
    exchanges: list[_Exchange] = []
    said: dict[bool, Frame] = {}
    decoder = Decoder()
    for traffic in capture.traffic:
        if traffic.direction is Direction.TO_BOARD:
            for request in decoder.feed(traffic.data):
                if request not in said.values():
                    exchanges.append(_Exchange(request))
                    said[request.type == ROW] = request
        elif exchanges:
            exchanges[-1].reply += traffic.data
        else:
            first += traffic.data
    return first, exchanges
