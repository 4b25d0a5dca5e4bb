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
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from harness.board.schema import DeviceKind
from harness.data import data_dir
from harness.devices.clock import Clock, Unit
from harness.devices.pipe import Child, PipeConsole, running
from harness.devices.protocol import Capability
from harness.devices.xmlrpc import KeywordServer
from harness.errors import DeviceError, DeviceNotFoundError, NoAnswerError
from harness.telemetry.console import Console
from harness.telemetry.messages import Hello
from harness.toolchain.firmware import Firmware

PROGRAM = "renode"
VARIABLE = "RENODE"
OLDEST = (1, 15)
INSTALL = (
    "unpack the portable package of Renode 1.16.1 (github.com/renode/renode/releases) and put it "
    f"on PATH, or name the program in {VARIABLE}; or use the Docker image antmicro/renode:1.16.1"
)

_START_S = 60.0
_COMMAND_S = 60.0
_CONNECT_S = 10.0
_STOP_S = 5.0
_POLL_S = 0.05
_TRIES = 3
_RATE_CHECK_S = "0.001"
_RATE_TOLERANCE = 0.01
_CYCCNT = 0xE0001004


class RenodeDevice:
    """The Renode on PATH, or the one that the environment variable ``RENODE`` names."""

    kind = DeviceKind.RENODE
    capabilities = frozenset({Capability.EXACT_COUNT, Capability.STACK})

    def __init__(self) -> None:
        self._version = ""

    @property
    def detail(self) -> str:
        """Renode's version, once it runs, and how it counts."""
        return f"Renode {self._version or find_renode()}, DWT at the rate of instructions"

    @contextlib.contextmanager
    def open(self, firmware: Firmware) -> Iterator[Console]:
        """Boot a firmware on the model of its board."""
        script = board_script(firmware.target.board)
        with _server() as (child, server):
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


def find_renode() -> str:
    """Return the path of the program.

    Raises:
        DeviceNotFoundError: there is none.
    """
    named = os.environ.get(VARIABLE, "")
    path = shutil.which(named or PROGRAM)
    if path is None:
        where = f"{VARIABLE}={named} is no program" if named else f"{PROGRAM} is not on PATH"
        raise DeviceNotFoundError(where, hint=INSTALL)
    return path


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


def check_version(server: KeywordServer) -> str:
    """Return Renode's version.

    Raises:
        DeviceError: it is older than what this was tried on.
    """
    said = server.command("version")
    found = re.search(r"v?(\d+)\.(\d+)(?:\.\d+)*", said)
    if found is None:
        raise DeviceError(f"Renode does not tell its version: {said[:80]!r}", hint=INSTALL)
    if (int(found[1]), int(found[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise DeviceError(f"Renode {found[0]} is older than {oldest}", hint=INSTALL)
    return found[0].lstrip("v")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _server() -> Iterator[tuple[Child, KeywordServer]]:
    """Run a Renode and its server. Somebody may take its port first; then it is given another."""
    for last in (*[False] * (_TRIES - 1), True):
        port = free_port()
        with contextlib.ExitStack() as stack:
            child = stack.enter_context(_renode(port))
            server = KeywordServer(f"http://127.0.0.1:{port}", timeout_s=_COMMAND_S)
            try:
                _wait_until_it_answers(child, server)
            except DeviceError:
                if last or child.process.poll() is None:
                    raise
                continue
            yield child, server
            _stop(child, server)
            return


def _renode(port: int) -> contextlib.AbstractContextManager[Child]:
    command = [
        find_renode(),
        *("--disable-xwt", "--plain", "--hide-log"),
        *("--robot-server-port", str(port)),
    ]
    return running("Renode", command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _wait_until_it_answers(child: Child, server: KeywordServer) -> None:
    deadline = time.monotonic() + _START_S
    while not server.answers():
        if child.process.poll() is not None:
            raise DeviceError(child.obituary(), hint="start it by hand: renode --version")
        if time.monotonic() > deadline:
            raise NoAnswerError(
                f"Renode's Robot server does not answer within {_START_S:g} s",
                hint="start it by hand: renode --disable-xwt --robot-server-port 9999",
            )
        time.sleep(_POLL_S)


def _stop(child: Child, server: KeywordServer) -> None:
    """Let Renode end by itself; who does not is killed."""
    server.stop()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.process.wait(_STOP_S)


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
