"""The language of a probe and its desk: batches of transfers, over a stream.

A message is its length (u32, little endian) and as many bytes; the first says what it is::

    L                    list the boards        -> their names, a line each
    O name               take the board's probe -> nothing
    T operations         do them in order       -> status u8, done u32, words u32...

    operation: u8 kind, u8 register, u32 count, count words if it writes

After a transfer that failed the rest of its batch is not done. An answer begins with ``+``, or with
``-`` and the reason why the desk does not do what was asked.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

PROBE_TYPE = "bench-sim"
"""Begins the unique ids of probes at a desk."""

LIST, OPEN, TRANSFER = b"L", b"O", b"T"
DONE, REFUSED = b"+", b"-"
LARGEST_BYTES = 1 << 20
MOST_READ = 1 << 16
"""Words that one operation may read."""

_OPERATION = struct.Struct("<BBI")
_LENGTH = struct.Struct("<I")
_RESULT = struct.Struct("<BI")


class Kind(IntEnum):
    """What an operation does."""

    READ_DP = 0
    WRITE_DP = 1
    READ_AP = 2
    WRITE_AP = 3
    RESET_LINE = 4
    """Drives nRESET low (register 1) or lets it go (register 0)."""


class Status(IntEnum):
    """How a batch ended."""

    OK = 0
    FAULT = 1


class WireError(Exception):
    """A message that is none, or an end of the stream."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a batch. ``count`` words are read, or those of ``words`` written."""

    kind: Kind
    register: int
    count: int = 0
    words: tuple[int, ...] = field(default=())


def encode_batch(operations: Sequence[Operation]) -> bytes:
    """Return the message that asks for a batch."""
    parts = [TRANSFER]
    for operation in operations:
        count = len(operation.words) or operation.count
        parts.append(_OPERATION.pack(operation.kind, operation.register, count))
        parts.append(struct.pack(f"<{len(operation.words)}I", *operation.words))
    return b"".join(parts)


def decode_batch(body: bytes) -> list[Operation]:
    """Return the operations after a TRANSFER byte.

    Raises:
        WireError: these bytes are no batch.
    """
    operations: list[Operation] = []
    offset = 0
    while offset < len(body):
        if offset + _OPERATION.size > len(body):
            raise WireError("an operation is cut off")
        code, register, count = _OPERATION.unpack_from(body, offset)
        offset += _OPERATION.size
        if code not in set(Kind):
            raise WireError(f"there is no operation {code}")
        kind, words = Kind(code), ()
        if kind in (Kind.WRITE_DP, Kind.WRITE_AP):
            if offset + 4 * count > len(body):
                raise WireError(f"{count} words were announced, and fewer came")
            words = struct.unpack_from(f"<{count}I", body, offset)
            offset += 4 * count
        elif count > MOST_READ:
            raise WireError(f"a read of {count} words")
        operations.append(Operation(kind, register, count, words))
    return operations


def encode_result(status: Status, done: int, words: Sequence[int]) -> bytes:
    """Return the answer to a batch, of which ``done`` operations were done."""
    return _RESULT.pack(status, done) + struct.pack(f"<{len(words)}I", *words)


def decode_result(body: bytes) -> tuple[Status, int, list[int]]:
    """Return status, operations done and words read.

    Raises:
        WireError: these bytes are no result.
    """
    if len(body) < _RESULT.size or (len(body) - _RESULT.size) % 4:
        raise WireError("an answer is cut off")
    status, done = _RESULT.unpack_from(body)
    words = struct.unpack_from(f"<{(len(body) - _RESULT.size) // 4}I", body, _RESULT.size)
    return Status(status), done, list(words)


def send(line: socket.socket, body: bytes) -> None:
    """Send a message; raises OSError."""
    line.sendall(_LENGTH.pack(len(body)) + body)


def receive(line: socket.socket) -> bytes:
    """Return the next message; raises OSError.

    Raises:
        WireError: the stream ended, or what comes is no message.
    """
    (size,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    if not 0 < size <= LARGEST_BYTES:
        raise WireError(f"a message of {size} B")
    return _exactly(line, size)


def _exactly(line: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = line.recv(size - len(data))
        if not part:
            raise WireError("the other end closed the line")
        data += part
    return bytes(data)
