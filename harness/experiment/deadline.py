"""The bound on a whole run: however often a board shows progress, one day it must be done."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.errors import NoAnswerError
from harness.telemetry.console import Console, Memory


class DeadlineConsole:
    """A console that works for ``total_s`` seconds from now on."""

    def __init__(
        self, console: Console, total_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._total_s = total_s
        self._now = now
        self._end_s = now() + total_s

    @property
    def memory(self) -> Memory | None:
        """The board's memory, whose own waits are bounded."""
        return self._console.memory

    def read(self, timeout_s: float) -> bytes:
        """Return what has arrived; raises NoAnswerError when time is up."""
        return self._console.read(min(timeout_s, self._left_s()))

    def write(self, data: bytes) -> None:
        """Send all of ``data``; raises NoAnswerError when time is up."""
        self._left_s()
        self._console.write(data)

    def _left_s(self) -> float:
        left_s = self._end_s - self._now()
        if left_s <= 0:
            raise NoAnswerError(
                f"the run took more than the {self._total_s:g} s that it may take in all",
                hint="allow more with --timeout, or ask for fewer inferences with --repeat",
            )
        return left_s
