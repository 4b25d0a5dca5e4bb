"""QEMU: an emulated core that counts instructions exactly.

``-icount shift=8,sleep=off`` makes one instruction 256 ns of virtual time, always, and lets
virtual time run as fast as the computer can. At 25 or 32 MHz a tick of the machine's timers is
then less than a sixth of an instruction, so counts come back exactly
(:mod:`harness.devices.clock`), and two runs are identical.

Console and debug port are ends of socket pairs that QEMU inherits: nothing listens on a port and
nothing needs a name. The guest stands still until the debug port lets it run, so no byte is lost
before a reader is there.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from functools import lru_cache

from harness.board.schema import DeviceKind
from harness.devices.clock import Clock, icount_clock
from harness.devices.gdb import GdbMemory
from harness.devices.pipe import PipeConsole, running
from harness.devices.protocol import Capability
from harness.errors import DeviceError, DeviceNotFoundError
from harness.telemetry.console import Console
from harness.telemetry.messages import Hello
from harness.toolchain.firmware import Firmware

PROGRAM = "qemu-system-arm"
ICOUNT_SHIFT = 8
_VERSION_S = 10.0


class QemuDevice:
    """The QEMU machine that a firmware's target names.

    ``has_debug_port`` is False for tests that want uploads to take the serial line.
    """

    kind = DeviceKind.QEMU
    capabilities = frozenset({Capability.EXACT_COUNT, Capability.STACK})

    def __init__(self, *, has_debug_port: bool = True) -> None:
        self._has_debug_port = has_debug_port

    @property
    def detail(self) -> str:
        """QEMU's version and how it counts."""
        return f"QEMU {_version(find_qemu())}, icount shift {ICOUNT_SHIFT}"

    @contextlib.contextmanager
    def open(self, firmware: Firmware) -> Iterator[Console]:
        """Boot a firmware on its machine."""
        machine = firmware.target.machine
        with contextlib.ExitStack() as stack:
            console, its_console = map(stack.enter_context, socket.socketpair())
            stub, its_stub = map(stack.enter_context, socket.socketpair())
            # The loader enters at the ELF's entry point wherever the image lies; -kernel would
            # start from a vector table at address 0.
            command = [
                find_qemu(),
                *("-machine", machine, "-nodefaults", "-display", "none", "-monitor", "none"),
                *("-icount", f"shift={ICOUNT_SHIFT},sleep=off"),
                *("-chardev", f"socket,id=console,fd={its_console.fileno()}"),
                *("-serial", "chardev:console"),
                *("-chardev", f"socket,id=stub,fd={its_stub.fileno()}"),
                *("-S", "-gdb", "chardev:stub"),
                *("-device", f"loader,file={firmware.elf},cpu-num=0"),
            ]
            child = stack.enter_context(
                running(
                    f"QEMU ({machine})",
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[its_console.fileno(), its_stub.fileno()],
                )
            )
            its_console.close()
            its_stub.close()
            memory = GdbMemory(stub)
            try:
                memory.resume()
            except DeviceError:
                raise DeviceError(child.obituary()) from None
            yield PipeConsole(
                child,
                console.fileno(),
                console.fileno(),
                memory if self._has_debug_port else None,
            )

    def clock(self, hello: Hello) -> Clock:
        """Return the clock that counts instructions."""
        return icount_clock(hello, ICOUNT_SHIFT)


def find_qemu() -> str:
    """Return the path of the program.

    Raises:
        DeviceNotFoundError: there is none.
    """
    path = shutil.which(PROGRAM)
    if path is None:
        raise DeviceNotFoundError(
            f"{PROGRAM} is not on PATH",
            hint="apt-get install qemu-system-arm, or brew install qemu (or `make setup`)",
        )
    return path


@lru_cache(maxsize=1)
def _version(program: str) -> str:
    """Return what QEMU calls itself; asked once, however many cases follow."""
    try:
        said = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_S,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeviceNotFoundError(f"{program} does not tell its version: {error}") from None
    version = re.search(r"version (\S+)", said)
    return version[1] if version else "?"
