"""A console over file descriptors of a child process, and the child's orderly end."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from harness.errors import DeviceError, NoAnswerError
from harness.telemetry.console import Memory

_READ_BYTES = 1 << 16
_WRITE_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 5.0
_ERROR_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Child:
    """A child process and the file that takes what it complains about."""

    name: str
    process: subprocess.Popen[bytes]
    complaints: IO[bytes]

    def obituary(self) -> str:
        """Return how the process ended, and the last that it said."""
        try:
            code = self.process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return f"{self.name} closed its console"
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self.complaints.seek(0)
        # The first paragraph says it; a dump of all registers may follow.
        said = self.complaints.read(_ERROR_BYTES).decode(errors="replace").partition("\n\n")[0]
        lines = [line for line in said.splitlines() if "warning:" not in line]
        return ": ".join([f"{self.name} ended with {how}", *lines])


class PipeConsole:
    """The console of a child process; its descriptors are made non-blocking."""

    def __init__(
        self, child: Child, read_fd: int, write_fd: int, memory: Memory | None = None
    ) -> None:
        self._child = child
        self.memory = memory
        self._read_fd = read_fd
        self._write_fd = write_fd
        os.set_blocking(read_fd, False)
        os.set_blocking(write_fd, False)

    def read(self, timeout_s: float) -> bytes:
        """Return what has arrived, waiting at most ``timeout_s`` for the first byte."""
        if not select.select([self._read_fd], [], [], timeout_s)[0]:
            return b""
        try:
            data = os.read(self._read_fd, _READ_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            raise DeviceError(self._child.obituary())
        return data

    def write(self, data: bytes) -> None:
        """Send all of ``data``, as fast as the other end takes it."""
        deadline = time.monotonic() + _WRITE_TIMEOUT_S
        rest = memoryview(data)
        while rest:
            if not select.select([], [self._write_fd], [], max(deadline - time.monotonic(), 0))[1]:
                raise NoAnswerError(f"{self._child.name} took no byte for {_WRITE_TIMEOUT_S:g} s")
            try:
                rest = rest[os.write(self._write_fd, rest) :]
            except (BrokenPipeError, ConnectionError):
                raise DeviceError(self._child.obituary()) from None


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], *, stdin: int, stdout: int, pass_fds: Sequence[int] = ()
) -> Iterator[Child]:
    """Run a child in a process group of its own, which is gone when the context ends.

    Where the system offers it, the child also dies with us when we are killed.
    """
    if setpriv := shutil.which("setpriv"):
        command = [setpriv, "--pdeathsig", "KILL", *command]
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=complaints,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceError(f"{name} does not start: {error.strerror}") from None
        try:
            yield Child(name, process, complaints)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
