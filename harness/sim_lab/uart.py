"""The board's serial port: a pseudo-terminal, joined to the UART of the emulated core.

Like a real line it never waits: what nobody reads is lost once the terminal's buffer is full, and
what arrives while the emulator is not there is lost too.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import tty
from collections.abc import Iterator

_READ_BYTES = 4096


class SerialPort:
    """A raw pseudo-terminal. Both of its ends stay open here, so that it outlives who uses it."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.name = os.ttyname(self._theirs)
        """The path that a serial library opens."""

    def close(self) -> None:
        """Take the port away."""
        os.close(self._ours)
        os.close(self._theirs)

    @contextlib.contextmanager
    def joined(self, uart: socket.socket) -> Iterator[None]:
        """Carry bytes between the port and a UART while the context lasts."""
        ends, theirs = socket.socketpair()
        pump = threading.Thread(target=self._carry, args=(uart, theirs), daemon=True)
        pump.start()
        try:
            yield
        finally:
            ends.close()
            pump.join()
            theirs.close()

    def _carry(self, uart: socket.socket, end: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            for source in (uart.fileno(), self._ours, end.fileno()):
                selector.register(source, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if end.fileno() in ready:
                    return
                if uart.fileno() in ready:
                    data = uart.recv(_READ_BYTES)
                    if not data:
                        return
                    with contextlib.suppress(BlockingIOError):
                        os.write(self._ours, data)
                if self._ours in ready:
                    with contextlib.suppress(ConnectionError):
                        uart.sendall(os.read(self._ours, _READ_BYTES))
