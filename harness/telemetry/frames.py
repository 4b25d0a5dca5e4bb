"""Frames: how a message survives a serial line (PROTOCOL.md, "Frames").

::

    00  COBS( type  sequence  payload...  CRC-32 )  00

Consistent Overhead Byte Stuffing (Cheshire & Baker, IEEE/ACM Transactions on Networking 7(2),
1999) leaves zeros to the delimiter alone, so a reader that lost its place finds it at the next
zero. What comes out of a :class:`Decoder` is covered by its CRC; all else is counted and dropped.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from cobs import cobs

DELIMITER = b"\0"
FRAME_BYTES_MAX = 1 << 16
"""Bytes without a delimiter after which a line is taken to carry no frames."""

_CRC_BYTES = 4
_HEADER_BYTES = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: its type and sequence number (a byte each), and its payload."""

    type: int
    sequence: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """Return a frame as it goes over the line, delimiters included."""
    body = bytes((frame.type, frame.sequence)) + frame.payload
    crc = zlib.crc32(body).to_bytes(_CRC_BYTES, "little")
    return b"".join((DELIMITER, cobs.encode(body + crc), DELIMITER))


def decode(chunk: bytes) -> Frame | None:
    """Return the frame that the bytes between two delimiters are, or None if they are none."""
    try:
        data: bytes = cobs.decode(chunk)
    except cobs.DecodeError:
        return None
    body, crc = data[:-_CRC_BYTES], data[-_CRC_BYTES:]
    if len(body) < _HEADER_BYTES or zlib.crc32(body) != int.from_bytes(crc, "little"):
        return None
    return Frame(type=body[0], sequence=body[1], payload=body[_HEADER_BYTES:])


class Decoder:
    """Takes bytes as they arrive, in pieces of any size, and gives whole frames.

    ``damaged`` counts the runs of bytes that were no frame.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._pending = bytearray()
        self._is_lost = False

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that ``data`` completes, in order."""
        frames: list[Frame] = []
        *chunks, rest = data.split(DELIMITER)
        for chunk in chunks:
            self._append(chunk)
            if self._pending and not self._is_lost:
                frame = decode(bytes(self._pending))
                if frame is None:
                    self.damaged += 1
                else:
                    frames.append(frame)
            self._pending.clear()
            self._is_lost = False
        self._append(rest)
        return frames

    def _append(self, chunk: bytes) -> None:
        if self._is_lost:
            return
        self._pending += chunk
        if len(self._pending) > FRAME_BYTES_MAX:
            self._pending.clear()
            self._is_lost = True
            self.damaged += 1
