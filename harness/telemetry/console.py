"""Console: the bytes to and from a board, whatever carries them."""

from __future__ import annotations

from typing import Protocol


class Memory(Protocol):
    """The board's memory, as its debug port reaches it while the firmware waits for a request."""

    def write(self, address: int, data: bytes, /) -> None:
        """Write ``data`` from ``address`` on; raises DeviceError."""


class Console(Protocol):
    """A line to a board. Both calls are bounded; a line that is gone raises DeviceError."""

    @property
    def memory(self) -> Memory | None:
        """The board's memory, or None where there is only the line."""

    def read(self, timeout_s: float, /) -> bytes:
        """Return what has arrived, waiting at most ``timeout_s`` for the first byte."""

    def write(self, data: bytes, /) -> None:
        """Send all of ``data``."""
