"""A real board: programmed through its probe, asked over its serial port.

The order of a run: take the place, so that no other process disturbs; open the port, so that
nothing the board says is lost; program, which ends with a reset; then the session begins.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from harness.board.schema import Board, DeviceKind
from harness.devices.clock import Clock, cycle_clock, host_clock, icount_clock, timer_clock
from harness.devices.flash import Flasher
from harness.devices.protocol import Capability
from harness.devices.qemu import ICOUNT_SHIFT
from harness.devices.serial_line import BACK_S, SerialConsole, find_port
from harness.errors import DeviceNotFoundError
from harness.lab.lock import locked
from harness.lab.open import OpenLab, find_place
from harness.lab.schema import Place
from harness.telemetry.console import Console
from harness.telemetry.link import Link, Patience
from harness.telemetry.messages import AskBoard, AskHello, ClockKind, Hello
from harness.toolchain.firmware import Firmware

DEFAULT_BAUD = 921_600
_HELLO_S = 10.0


class HardwareDevice:
    """The board of one place of a lab; ``place`` is needed where several have the same.

    Somebody else who has it is waited for ``wait_s``; ``waiting`` hears who it is. A port that goes
    away in the middle may take ``back_s`` to come back.
    """

    kind = DeviceKind.HARDWARE

    def __init__(
        self,
        lab: OpenLab,
        board: Board,
        flasher: Flasher,
        *,
        place: str | None = None,
        wait_s: float = 0.5,
        waiting: Callable[[str], None] = lambda _: None,
        back_s: float = BACK_S,
    ) -> None:
        self._lab = lab
        self._board = board
        self._flasher = flasher
        self._wait_s = wait_s
        self._waiting = waiting
        self._back_s = back_s
        self._name, self._place = find_place(lab, board.name, place)

    @property
    def detail(self) -> str:
        """Which lab and place, and what programs it."""
        flasher = self._flasher.name
        how = "flashed before" if flasher == "none" else f"flashed by {flasher}"
        return f"{self._lab.detail}, place {self._name}, {how}"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The stack is the firmware's own; only a simulated core counts exactly."""
        exact = {Capability.EXACT_COUNT} if self._lab.stand_in else set()
        return frozenset({Capability.STACK} | exact)

    @contextlib.contextmanager
    def open(self, firmware: Firmware) -> Iterator[Console]:
        """Program a firmware and yield the line to it."""
        place = self._place
        with locked(self._name, place, wait_s=self._wait_s, waiting=self._waiting):
            console = SerialConsole(
                lambda: find_port(place), baud_of(self._board, place), back_s=self._back_s
            )
            with contextlib.closing(console):
                self._flasher.program(firmware, self._board, place)
                self._prove_identity(console)
                yield console

    def clock(self, hello: Hello) -> Clock:
        """Return what the ticks of the board are: cycles, or a timer's."""
        if self._lab.stand_in:
            return icount_clock(hello, ICOUNT_SHIFT)
        match hello.clock_kind:
            case ClockKind.CORE_CYCLES:
                return cycle_clock(hello)
            case ClockKind.TIMER:
                return timer_clock(hello)
            case ClockKind.HOST:  # a native build at the end of the line
                return host_clock(hello)

    def _prove_identity(self, console: Console) -> None:
        """Ask the board for its chip's id, where the lab says which it must be."""
        wanted = self._place.chip_id
        if wanted is None:
            return
        link = Link(console, Patience(), time.monotonic)
        link.ask(AskHello(), silence_s=_HELLO_S)
        found = link.ask(AskBoard()).chip_id
        if found != wanted:
            raise DeviceNotFoundError(
                f"{self._name}: the chip on this line is {found or 'one without an id'}, "
                f"the lab file says {wanted}",
                hint="another board hangs there: correct the lab file, or the cables",
            )


def baud_of(board: Board, place: Place) -> int:
    """Return how fast the console of a place is."""
    return place.serial.baud or (board.console.baud if board.console else DEFAULT_BAUD)
