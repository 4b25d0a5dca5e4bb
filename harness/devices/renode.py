"""Renode: models of whole microcontrollers, on which the image of the real board boots.

Renode is driven through its own Robot Framework server (XML-RPC, ``ExecuteCommand``), whose answers
tell an error from a result. The console is a socket terminal with its telnet mode off, which
queues what was said before anyone connected. The board's own script
(``boards/<board>/<board>.resc``) makes the machine, so that a user opens the same one by hand.

What DWT counts there are instructions: in the board's platform its frequency makes one instruction
one count, which is checked at the end of each run.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from harness.board.schema import DeviceKind
from harness.data import data_dir
from harness.devices.clock import Clock, Unit
from harness.devices.pipe import Child, PipeConsole
from harness.devices.protocol import Capability
from harness.devices.renode_process import (
    KeptRenode,
    check_version,
    find_renode,
    free_port,
    serving,
)
from harness.devices.xmlrpc import KeywordServer
from harness.errors import DeviceError, DeviceNotFoundError, NoAnswerError
from harness.telemetry.console import Console
from harness.telemetry.messages import Hello
from harness.toolchain.firmware import Firmware

_CONNECT_S = 10.0
_POLL_S = 0.05
_RATE_CHECK_S = "0.001"
_RATE_TOLERANCE = 0.01
_CYCCNT = 0xE0001004


class RenodeDevice:
    """The Renode on PATH, or the one that the environment variable ``RENODE`` names.

    It is started for each firmware, or ``kept`` for more of them.
    """

    kind = DeviceKind.RENODE
    capabilities = frozenset({Capability.EXACT_COUNT, Capability.STACK})

    def __init__(self, kept: KeptRenode | None = None) -> None:
        self._serving = serving if kept is None else kept.serving
        self._version = ""

    @property
    def detail(self) -> str:
        """Renode's version, once it runs, and how it counts."""
        return f"Renode {self._version or find_renode()}, DWT at the rate of instructions"

    @contextlib.contextmanager
    def open(self, firmware: Firmware) -> Iterator[Console]:
        """Boot a firmware on the model of its board."""
        script = board_script(firmware.target.board)
        with self._serving() as (child, server):
            self._version = check_version(server)
            port = free_port()
            for command in (
                f"$elf={_path(firmware.elf)}",
                f"$port={port}",
                f"include {_path(script)}",
                "emulation SetGlobalAdvanceImmediately true",
                "start",
            ):
                server.command(command)
            with _connected(child, port) as line:
                yield PipeConsole(child, line.fileno(), line.fileno())
                _check_rate(server)

    def clock(self, hello: Hello) -> Clock:
        """Return the clock that counts instructions."""
        del hello
        return Clock("renode-dwt", Unit.INSTRUCTIONS, Fraction(1))


def board_script(board: str) -> Path:
    """Return the script that makes a board's machine.

    Raises:
        DeviceNotFoundError: Renode has no model of this board here.
    """
    script = data_dir("boards") / board / f"{board}.resc"
    if not script.is_file():
        raise DeviceNotFoundError(
            f"{board}: there is no Renode platform for it",
            hint=f"use --device qemu, or add {board}.repl and {board}.resc (docs/renode.md)",
        )
    return script


@contextlib.contextmanager
def _connected(child: Child, port: int) -> Iterator[socket.socket]:
    """Connect to the console's terminal."""
    deadline = time.monotonic() + _CONNECT_S
    while True:
        try:
            line = socket.create_connection(("127.0.0.1", port), timeout=_CONNECT_S)
            break
        except OSError as error:
            if child.process.poll() is not None:
                raise DeviceError(child.obituary()) from None
            if time.monotonic() > deadline:
                raise NoAnswerError(
                    f"Renode's console does not listen on port {port}: {error}"
                ) from None
            time.sleep(_POLL_S)
    with line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield line


def _check_rate(server: KeywordServer) -> None:
    """Compare the cycle counter with the instructions that Renode says it executed."""
    server.command("pause")
    before = _counts(server)
    server.command(f'emulation RunFor "{_RATE_CHECK_S}"')
    executed, counted = (b - a for a, b in zip(before, _counts(server), strict=True))
    counted %= 1 << 32
    if not executed or abs(counted / executed - 1) > _RATE_TOLERANCE:
        raise DeviceError(
            f"the cycle counter went on by {counted:,} while {executed:,} instructions were "
            "executed: its count is not one of instructions",
            hint="in the board's .repl, frequency of dwt must be a million times PerformanceInMips",
        )


def _counts(server: KeywordServer) -> tuple[int, int]:
    """Return instructions executed, and what DWT_CYCCNT reads."""
    executed = server.command("sysbus.cpu ExecutedInstructions")
    counted = server.command(f"sysbus ReadDoubleWord 0x{_CYCCNT:08X}")
    try:
        return int(executed.strip(), 0), int(counted.strip(), 0)
    except ValueError:
        raise DeviceError(f"Renode's counters read {executed!r} and {counted!r}") from None


def _path(path: Path) -> str:
    """Return a path as Renode's monitor takes it."""
    return "@" + str(path.resolve()).replace(" ", "\\ ")
