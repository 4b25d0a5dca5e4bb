"""The simulated probe, as pyOCD sees it: a plug-in found by the entry point ``pyocd.probe``.

Its unique id is the address of the desk and the name of the board, ``bench-sim:SOCKET/BOARD``, so
that ``pyocd … --uid`` finds it as it finds a probe by serial number. The variable
``BENCH_SIM_DESK`` names a socket whose boards are listed among all connected probes.

Transfers are collected and sent when a result is asked for, as a probe's firmware would; so an
error of a write is told by a later read, which pyOCD knows of real probes.

Source: pyOCD 0.46, "Developers' guide: architecture"; class ``DebugProbe``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pyocd.core import exceptions
from pyocd.core.plugin import Plugin
from pyocd.probe.debug_probe import DebugProbe

from harness.sim_lab import wire
from harness.sim_lab.wire import PROBE_TYPE

PLUGIN = PROBE_TYPE
VARIABLE = "BENCH_SIM_DESK"
_ANSWER_S = 60.0
_MOST_WORDS = 16 * 1024


class SimulatedProbe(DebugProbe):  # type: ignore[misc]
    """A probe whose target is a board of a simulated desk."""

    def __init__(self, address: str, board: str) -> None:
        super().__init__()
        self._address = address
        self._board = board
        self._line: socket.socket | None = None
        self._protocol: DebugProbe.Protocol | None = None
        self._is_reset_low = False
        self._pending: list[wire.Operation] = []
        self._pending_words = 0
        self._readers: list[_Reading] = []

    @classmethod
    def get_all_connected_probes(
        cls, unique_id: str | None = None, is_explicit: bool = False
    ) -> list[SimulatedProbe]:
        """Return the probes of the desk that the environment names."""
        address = os.environ.get(VARIABLE)
        if address is None or (is_explicit and unique_id):
            return []  # who asks for one by its address gets it by get_probe_with_id
        return [cls(address, board) for board in _boards(address)]

    @classmethod
    def get_probe_with_id(cls, unique_id: str, is_explicit: bool = False) -> SimulatedProbe | None:
        """Return the probe of an address, if its desk has it."""
        del is_explicit
        address, _, board = unique_id.removeprefix(PLUGIN + ":").rpartition("/")
        return cls(address, board) if address and board in _boards(address) else None

    @property
    def vendor_name(self) -> str:
        """Who made it."""
        return "bench"

    @property
    def product_name(self) -> str:
        """What it is."""
        return f"simulated {self._board}"

    @property
    def supported_wire_protocols(self) -> Collection[DebugProbe.Protocol]:
        """SWD alone."""
        return [DebugProbe.Protocol.DEFAULT, DebugProbe.Protocol.SWD]

    @property
    def unique_id(self) -> str:
        """Where its desk is, and which board it is at."""
        return f"{PLUGIN}:{self._address}/{self._board}"

    @property
    def wire_protocol(self) -> DebugProbe.Protocol | None:
        """SWD once connected."""
        return self._protocol

    @property
    def is_open(self) -> bool:
        """Whether the board's probe is taken."""
        return self._line is not None

    @property
    def capabilities(self) -> set[DebugProbe.Capability]:
        """Nothing beyond plain transfers."""
        return set()

    def open(self) -> None:
        """Take the board's probe."""
        line = _connect(self._address)
        answer = _ask(line, wire.OPEN + self._board.encode())
        if answer[:1] != wire.DONE:
            line.close()
            raise exceptions.ProbeError(answer[1:].decode(errors="replace"))
        self._line = line

    def close(self) -> None:
        """Give the board's probe back."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def connect(self, protocol: DebugProbe.Protocol | None = None) -> None:
        """Choose SWD, whatever is asked for: there is nothing else."""
        del protocol
        self._protocol = DebugProbe.Protocol.SWD

    def disconnect(self) -> None:
        """Choose nothing."""
        self._protocol = None

    def set_clock(self, frequency: float) -> None:
        """Do nothing: a socket has no clock."""

    def reset(self) -> None:
        """Pull nRESET low, and let it go."""
        self.assert_reset(True)
        self.assert_reset(False)

    def assert_reset(self, asserted: bool) -> None:
        """Pull nRESET low, or let it go."""
        self._is_reset_low = asserted
        self._put(wire.Operation(wire.Kind.RESET_LINE, int(asserted)))
        self.flush()

    def is_reset_asserted(self) -> bool:
        """Whether nRESET is pulled low."""
        return self._is_reset_low

    def read_dp(self, addr: int, now: bool = True) -> Any:
        """Read a register of the debug port."""
        return self._read(wire.Operation(wire.Kind.READ_DP, addr & 0xC, 1), now, _first)

    def write_dp(self, addr: int, data: int) -> None:
        """Write a register of the debug port."""
        self._put(wire.Operation(wire.Kind.WRITE_DP, addr & 0xC, words=(data & 0xFFFF_FFFF,)))

    def read_ap(self, addr: int, now: bool = True) -> Any:
        """Read a register of the access port."""
        return self._read(wire.Operation(wire.Kind.READ_AP, addr & 0xC, 1), now, _first)

    def write_ap(self, addr: int, data: int) -> None:
        """Write a register of the access port."""
        self._put(wire.Operation(wire.Kind.WRITE_AP, addr & 0xC, words=(data & 0xFFFF_FFFF,)))

    def read_ap_multiple(self, addr: int, count: int = 1, now: bool = True) -> Any:
        """Read a register of the access port many times."""
        return self._read(wire.Operation(wire.Kind.READ_AP, addr & 0xC, count), now, list)

    def write_ap_multiple(self, addr: int, values: Sequence[int]) -> None:
        """Write a register of the access port many times."""
        words = tuple(value & 0xFFFF_FFFF for value in values)
        for first in range(0, len(words), _MOST_WORDS):
            part = words[first : first + _MOST_WORDS]
            self._put(wire.Operation(wire.Kind.WRITE_AP, addr & 0xC, words=part))

    def flush(self) -> None:
        """Send what is pending, and learn how it went."""
        batch, self._pending, self._pending_words = self._pending, [], 0
        readers, self._readers = self._readers, []
        if not batch:
            return
        if self._line is None:
            raise exceptions.ProbeError(f"the probe of {self._board} is not open")
        answer = _ask(self._line, wire.encode_batch(batch))
        if answer[:1] != wire.DONE:
            raise exceptions.ProbeError(answer[1:].decode(errors="replace"))
        status, _, words = wire.decode_result(answer[1:])
        fault = exceptions.TransferFaultError() if status is wire.Status.FAULT else None
        for reader in readers:
            words = reader.take(words, fault)
        if fault is not None and not any(reader.failed for reader in readers):
            raise fault

    def _read(self, operation: wire.Operation, now: bool, shape: Callable[[list[int]], Any]) -> Any:
        self._put(operation)
        reading = _Reading(operation.count)
        self._readers.append(reading)

        def result() -> Any:
            if not reading.is_known:
                self.flush()
            return shape(reading.words())

        return result() if now else result

    def _put(self, operation: wire.Operation) -> None:
        self._pending.append(operation)
        self._pending_words += len(operation.words) + operation.count
        if self._pending_words > _MOST_WORDS:
            self.flush()


class SimulatedProbePlugin(Plugin):  # type: ignore[misc]
    """What pyOCD loads."""

    @property
    def name(self) -> str:
        """The prefix of a unique id."""
        return PLUGIN

    @property
    def description(self) -> str:
        """What ``pyocd list --plugins`` shows."""
        return "boards of a simulated desk"

    def load(self) -> type[SimulatedProbe]:
        """Return the class of the probes."""
        return SimulatedProbe


class _Reading:
    """A result that may be known only later."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._words: list[int] | None = None
        self._fault: exceptions.TransferError | None = None
        self.is_known = False

    @property
    def failed(self) -> bool:
        """Whether it tells of an error."""
        return self._fault is not None

    def take(self, words: list[int], fault: exceptions.TransferError | None) -> list[int]:
        """Take the words of this reading, and return the others."""
        self.is_known = True
        if len(words) >= self._count:
            self._words = words[: self._count]
        else:
            self._fault = fault or exceptions.TransferError("the desk answered too few words")
        return words[self._count :]

    def words(self) -> list[int]:
        """Return the words, or raise what went wrong."""
        if self._words is None:
            assert self._fault is not None
            raise self._fault
        return self._words


def _first(words: list[int]) -> int:
    return words[0]


def _boards(address: str) -> list[str]:
    """Return the boards of a desk; none if nobody is there."""
    try:
        with _connect(address) as line:
            return _ask(line, wire.LIST)[1:].decode().splitlines()
    except exceptions.ProbeError:
        return []


def _connect(address: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(_ANSWER_S)
    try:
        line.connect(address)
    except OSError as error:
        line.close()
        raise exceptions.ProbeError(f"no desk at {address}: {error.strerror}") from None
    return line


def _ask(line: socket.socket, message: bytes) -> bytes:
    try:
        wire.send(line, message)
        return wire.receive(line)
    except TimeoutError:
        raise exceptions.TransferTimeoutError("the desk does not answer") from None
    except (OSError, wire.WireError) as error:
        raise exceptions.ProbeDisconnected(f"the desk is gone: {error}") from None
