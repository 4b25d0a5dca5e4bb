"""A debug port that speaks GDB's remote protocol: memory is written while the core is halted.

An emulated serial line takes a byte for each turn of the emulator's main loop, some 10 to 30 kB
in a second; this takes kilobytes at a time. The core is halted between two requests only, so
nothing that is measured notices. Source: GDB manual, "Remote Protocol" (packets M and c, and the
interrupt byte).
"""

from __future__ import annotations

import select
import socket

from harness.errors import DeviceError

_INTERRUPT = b"\x03"
CHUNK_BYTES = 1900
"""Hexadecimal doubles it, and QEMU takes packets of 4096 characters."""

_TIMEOUT_S = 30.0


class GdbPort:
    """Packets to and from a GDB stub, which is the other end of ``stub``.

    What can go wrong on the way raises a DeviceError.
    """

    def __init__(self, stub: socket.socket) -> None:
        self._stub = stub
        self._stub.settimeout(_TIMEOUT_S)
        self._pending = bytearray()

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        self._transmit(b"$%s#%02x" % (packet, sum(packet) % 256))

    def interrupt(self) -> None:
        """Ask a running core to halt; its answer is a stop reply."""
        self._transmit(_INTERRUPT)

    def receive(self) -> bytes:
        """Return the next packet, and acknowledge it."""
        while (packet := self._take()) is None:
            self._fill()
        return packet

    def poll(self) -> bytes | None:
        """Return a packet that is here already, or None."""
        while (packet := self._take()) is None and select.select([self._stub], [], [], 0)[0]:
            self._fill()
        return packet

    def _take(self) -> bytes | None:
        end = self._pending.find(b"#")
        if end < 0 or len(self._pending) < end + 3:
            return None
        packet = bytes(self._pending[self._pending.index(b"$") + 1 : end])
        del self._pending[: end + 3]
        self._transmit(b"+")
        return packet

    def _fill(self) -> None:
        try:
            data = self._stub.recv(1 << 16)
        except TimeoutError:
            raise DeviceError(f"debug port: no answer within {_TIMEOUT_S:g} s") from None
        except OSError as error:
            raise DeviceError(f"debug port: {error.strerror}") from None
        if not data:
            raise DeviceError("debug port: closed by the other end")
        self._pending += data

    def _transmit(self, data: bytes) -> None:
        try:
            self._stub.sendall(data)
        except OSError as error:
            raise DeviceError(f"debug port: {error.strerror}") from None


class GdbMemory:
    """The memory of a core behind a GDB stub, which is the other end of ``stub``."""

    def __init__(self, stub: socket.socket) -> None:
        self._port = GdbPort(stub)

    def resume(self) -> None:
        """Let the core run."""
        self._port.send(b"c")

    def write(self, address: int, data: bytes) -> None:
        """Halt the core, write ``data`` from ``address`` on, and let it run again."""
        self._port.interrupt()
        stop = self._port.receive()
        if stop[:1] not in (b"T", b"S"):
            raise DeviceError(f"debug port: asked to halt, answered {stop!r}")
        for offset in range(0, len(data), CHUNK_BYTES):
            chunk = data[offset : offset + CHUNK_BYTES]
            self._port.send(b"M%x,%x:%s" % (address + offset, len(chunk), chunk.hex().encode()))
            if (answer := self._port.receive()) != b"OK":
                raise DeviceError(
                    f"debug port: cannot write {len(chunk)} B at 0x{address + offset:08x}: "
                    f"{answer.decode(errors='replace')}"
                )
        self.resume()
