"""A debug port that speaks GDB's remote protocol: memory is written while the core is halted.

An emulated serial line takes a byte for each turn of the emulator's main loop, some 10 to 30 kB
in a second; this takes kilobytes at a time. The core is halted between two requests only, so
nothing that is measured notices. Source: GDB manual, "Remote Protocol" (packets M and c, and the
interrupt byte).
"""

from __future__ import annotations

import socket

from harness.errors import DeviceError

_INTERRUPT = b"\x03"
_CHUNK_BYTES = 1900
"""Hexadecimal doubles it, and QEMU takes packets of 4096 characters."""

_TIMEOUT_S = 30.0


class GdbMemory:
    """The memory of a core behind a GDB stub, which is the other end of ``stub``."""

    def __init__(self, stub: socket.socket) -> None:
        self._stub = stub
        self._stub.settimeout(_TIMEOUT_S)
        self._pending = bytearray()

    def resume(self) -> None:
        """Let the core run."""
        self._send(b"c")

    def write(self, address: int, data: bytes) -> None:
        """Halt the core, write ``data`` from ``address`` on, and let it run again."""
        self._transmit(_INTERRUPT)
        stop = self._receive()
        if stop[:1] not in (b"T", b"S"):
            raise DeviceError(f"debug port: asked to halt, answered {stop!r}")
        for offset in range(0, len(data), _CHUNK_BYTES):
            chunk = data[offset : offset + _CHUNK_BYTES]
            self._send(b"M%x,%x:%s" % (address + offset, len(chunk), chunk.hex().encode()))
            if (answer := self._receive()) != b"OK":
                raise DeviceError(
                    f"debug port: cannot write {len(chunk)} B at 0x{address + offset:08x}: "
                    f"{answer.decode(errors='replace')}"
                )
        self.resume()

    def _send(self, packet: bytes) -> None:
        self._transmit(b"$%s#%02x" % (packet, sum(packet) % 256))

    def _receive(self) -> bytes:
        """Return the next packet, and acknowledge it."""
        while (end := self._pending.find(b"#")) < 0 or len(self._pending) < end + 3:
            try:
                data = self._stub.recv(1 << 16)
            except TimeoutError:
                raise DeviceError(f"debug port: no answer within {_TIMEOUT_S:g} s") from None
            except OSError as error:
                raise DeviceError(f"debug port: {error.strerror}") from None
            if not data:
                raise DeviceError("debug port: closed by the other end")
            self._pending += data
        packet = bytes(self._pending[self._pending.index(b"$") + 1 : end])
        del self._pending[: end + 3]
        self._transmit(b"+")
        return packet

    def _transmit(self, data: bytes) -> None:
        try:
            self._stub.sendall(data)
        except OSError as error:
            raise DeviceError(f"debug port: {error.strerror}") from None
