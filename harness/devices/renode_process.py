"""The process of Renode and its Robot server: found, started, asked, kept, and put away.

Renode takes a second to start and half of one to be emptied, so those who run many firmwares keep
it between two (:class:`KeptRenode`).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

from harness.devices.pipe import Child, running
from harness.devices.xmlrpc import KeywordServer
from harness.errors import DeviceError, DeviceNotFoundError, NoAnswerError

PROGRAM = "renode"
VARIABLE = "RENODE"
OLDEST = (1, 15)
INSTALL = (
    "unpack the portable package of Renode 1.16.1 (github.com/renode/renode/releases) and put it "
    f"on PATH, or name the program in {VARIABLE}; or use the Docker image antmicro/renode:1.16.1"
)

_START_S = 60.0
_COMMAND_S = 60.0
_STOP_S = 5.0
_POLL_S = 0.05
_TRIES = 3

Serving = tuple[Child, KeywordServer]


class KeptRenode:
    """A Renode that stays between two firmwares; one that failed does not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._kept: Serving | None = None

    @contextlib.contextmanager
    def serving(self) -> Iterator[Serving]:
        """Yield a Renode without machines; raises as :func:`serving`.

        While it is in use, who else asks is given one of their own.
        """
        if not self._lock.acquire(blocking=False):
            with serving() as other:
                yield other
            return
        try:
            if self._kept is not None and not self._is_emptied(self._kept[1]):
                self._put_away()
            if self._kept is None:
                self._kept = self._stack.enter_context(serving())
            try:
                yield self._kept
            except BaseException:
                self._kept[0].process.kill()
                self._put_away()
                raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._put_away()

    def _is_emptied(self, server: KeywordServer) -> bool:
        try:
            server.keyword("ResetEmulation")
        except DeviceError:
            return False
        return True

    def _put_away(self) -> None:
        self._stack.close()
        self._kept = None


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
def serving() -> Iterator[tuple[Child, KeywordServer]]:
    """Run a Renode and its server, until the block ends.

    Somebody may take its port first; then it is given another.

    Raises:
        DeviceError: it is not there, too old, or does not start.
    """
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
