"""Whether anything was said on stdout, so that a failure is not a second JSON object."""

from __future__ import annotations

import io
from typing import TextIO


class Said(io.TextIOBase):
    """A stream that passes on what is written to it, and knows whether anything was."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream, self.is_used = stream, False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Write text."""
        self.is_used = True
        return self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream behind."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the number of the file behind."""
        return self._stream.fileno()
