"""The host: the same firmware as a native program, its console a pair of pipes."""

from __future__ import annotations

import contextlib
import platform
import subprocess
from collections.abc import Iterator

from harness.board.schema import DeviceKind
from harness.devices.clock import Clock, host_clock
from harness.devices.pipe import PipeConsole, running
from harness.devices.protocol import Capability
from harness.telemetry.console import Console
from harness.telemetry.messages import Hello
from harness.toolchain.firmware import Firmware


class HostDevice:
    """The computer that we are on."""

    kind = DeviceKind.HOST
    capabilities: frozenset[Capability] = frozenset()

    @property
    def detail(self) -> str:
        """The kind of computer; not its name."""
        return f"native build, {platform.system()} {platform.machine()}"

    @contextlib.contextmanager
    def open(self, firmware: Firmware) -> Iterator[Console]:
        """Start the native program."""
        with running(
            "the native build", [str(firmware.elf)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.process.stdin is not None
            assert child.process.stdout is not None
            read_fd, write_fd = child.process.stdout.fileno(), child.process.stdin.fileno()
            yield PipeConsole(child, read_fd, write_fd)

    def clock(self, hello: Hello) -> Clock:
        """Return the computer's monotonic clock."""
        return host_clock(hello)
