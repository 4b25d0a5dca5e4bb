"""Console: the bytes to and from a board, whatever carries them."""

from __future__ import annotations

from typing import Protocol


class Console(Protocol):
    """A line to a board. Both calls are bounded; a line that is gone raises DeviceError."""

    def read(self, timeout_s: float, /) -> bytes:
        """Return what has arrived, waiting at most ``timeout_s`` for the first byte."""

    def write(self, data: bytes, /) -> None:
        """Send all of ``data``."""
