"""A real board: programmed through its probe, asked over its serial port.

The order of a run: take the place, so that no other process disturbs; open the port, so that
nothing the board says is lost; program, which ends with a reset; then the session begins.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from harness.board.schema import Board, DeviceKind
from harness.devices.clock import Clock, cycle_clock, host_clock, icount_clock
from harness.devices.flash import Flasher
from harness.devices.protocol import Capability
from harness.devices.qemu import ICOUNT_SHIFT
from harness.devices.serial_line import SerialConsole, find_port
from harness.lab.lock import locked
from harness.lab.open import OpenLab, find_place
from harness.telemetry.console import Console
from harness.telemetry.messages import ClockKind, Hello
from harness.toolchain.firmware import Firmware

DEFAULT_BAUD = 921_600


class HardwareDevice:
    """The board of one place of a lab; ``place`` is needed where several have the same."""

    kind = DeviceKind.HARDWARE

    def __init__(
        self, lab: OpenLab, board: Board, flasher: Flasher, *, place: str | None = None
    ) -> None:
        self._lab = lab
        self._board = board
        self._flasher = flasher
        self._name, self._place = find_place(lab, board.name, place)

    @property
    def detail(self) -> str:
        """Which lab and place, and what programs it."""
        return f"{self._lab.detail}, place {self._name}, flashed by {self._flasher.name}"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The stack is the firmware's own; only a simulated core counts exactly."""
        exact = {Capability.EXACT_COUNT} if self._lab.stand_in else set()
        return frozenset({Capability.STACK} | exact)

    @contextlib.contextmanager
    def open(self, firmware: Firmware) -> Iterator[Console]:
        """Program a firmware and yield the line to it."""
        place = self._place
        with locked(self._name, place):
            console = SerialConsole(lambda: find_port(place), self._baud)
            with contextlib.closing(console):
                self._flasher.program(firmware, self._board, place)
                yield console

    def clock(self, hello: Hello) -> Clock:
        """Return what the ticks of the board are: cycles, or a timer's."""
        if self._lab.stand_in:
            return icount_clock(hello, ICOUNT_SHIFT)
        match hello.clock_kind:
            case ClockKind.CORE_CYCLES:
                return cycle_clock()
            case ClockKind.TIMER | ClockKind.HOST:
                return host_clock(hello)

    @property
    def _baud(self) -> int:
        console = self._board.console
        return self._place.serial.baud or (console.baud if console else DEFAULT_BAUD)
