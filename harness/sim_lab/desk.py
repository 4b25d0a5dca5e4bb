"""Opens a simulated desk: a lab with a place for every board that can be emulated.

The desk is a process of its own, which ends with the context: it is told by the end of its stdin,
killed if it does not listen, and dies with us where the system offers that.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.board.load import board_names, load_board
from harness.board.schema import Board
from harness.devices.pipe import Child, running
from harness.devices.qemu import find_qemu
from harness.errors import DeviceError, NoAnswerError, UsageError
from harness.lab.open import OpenLab
from harness.lab.schema import Place, Probe, Serial
from harness.sim_lab.faults import Fault, parse_fault
from harness.sim_lab.pack import sim_pack, target_name
from harness.sim_lab.wire import PROBE_TYPE

_BUILT_IN = {"microbit": "nrf51"}
"""Boards whose flash controller QEMU has, and the target of pyOCD's own that programs it."""

_LONGEST_ADDRESS = 100
"""Of a Unix socket: 104 bytes on macOS, 108 on Linux."""

_START_S = 30.0
_END_S = 5.0


def check_fault(fault: str, board: str | None = None) -> None:
    """Refuse a fault that does not exist, or that a board cannot have.

    Raises:
        UsageError: it would have no effect.
    """
    if parse_fault(fault) is not Fault.WRONG_ID or board is None:
        return
    able = [each.name for each in simulated_boards() if each.mcu_id is not None]
    if board not in able:
        raise UsageError(
            f"{board} has no register that says which chip it is, so that cannot be wrong",
            hint=f"sim:{fault} is for {', '.join(able)}",
        )


@contextlib.contextmanager
def open_desk(fault: str = "") -> Iterator[OpenLab]:
    """Yield a desk with a fault, or with none; what was started for it is gone afterwards.

    Raises:
        UsageError: there is no such fault.
        DeviceNotFoundError: the emulator is missing.
        DeviceError: the desk does not start.
        ToolchainError: there is no compiler for its flash algorithm.
    """
    parse_fault(fault)
    find_qemu()
    boards = simulated_boards()
    pack = sim_pack([board for board in boards if board.name not in _BUILT_IN])
    with tempfile.TemporaryDirectory(prefix="bench-desk-") as folder:
        address = Path(folder) / "s"
        if len(str(address)) > _LONGEST_ADDRESS:
            raise DeviceError(
                f"{address}: too long for the name of a socket",
                hint="let TMPDIR name a folder with a shorter path",
            )
        names = [board.name for board in boards]
        command = [sys.executable, "-m", "harness.sim_lab.server", str(address), fault, *names]
        with running(
            "the simulated desk", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            ports = _started(child)
            try:
                yield OpenLab(
                    name="the simulated desk",
                    places={name: _place(name, address, port, pack) for name, port in ports},
                    stand_in=True,
                    detail="simulated desk" + (f" with fault {fault}" if fault else ""),
                )
            finally:
                _end(child)


def simulated_boards() -> list[Board]:
    """Return the boards that the desk has."""
    return [board for board in map(load_board, board_names()) if board.emulation]


def _place(name: str, address: Path, port: str, pack: Path) -> Place:
    uid = f"{PROBE_TYPE}:{address}/{name}"
    probe = Probe(uid=uid, pack=pack, target=target_name(name))
    if name in _BUILT_IN:
        probe = Probe(uid=uid, target=_BUILT_IN[name])
    return Place(board=name, probe=probe, serial=Serial(port=port))


def _started(child: Child) -> list[tuple[str, str]]:
    """Return the boards' names and serial ports, as the desk says once it listens."""
    output = child.process.stdout
    assert output is not None
    if not select.select([output], [], [], _START_S)[0]:
        raise NoAnswerError(f"the simulated desk does not start within {_START_S:g} s")
    line = output.readline()
    if not line:
        raise DeviceError(child.obituary())
    ports: dict[str, str] = json.loads(line)
    return sorted(ports.items())


def _end(child: Child) -> None:
    """Ask the desk to end, so that it takes its emulators with it."""
    assert child.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        child.process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.process.wait(_END_S)
