"""A console over a serial port, by pyserial, that outlives a re-plug.

A port is found by its USB serial number, since its name changes when it is plugged in again. Every
fault of a port (pyserial raises its own SerialException in most places, a plain OSError in others)
means that the line is gone; it is then looked for again for a bounded time. What a line loses or
damages is left to the session: it asks again. A BREAK reads as a zero, which ends the frame that it
cuts; none is ever sent, since an ST-LINK resets its board for one.
"""

from __future__ import annotations

import contextlib
import errno
import termios
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.errors import DeviceBusyError, DeviceError, DeviceNotFoundError, NoAnswerError
from harness.lab.schema import Place

if TYPE_CHECKING:
    from serial import Serial

_SLICE_S = 0.02
_WRITE_TIMEOUT_S = 5.0
_LOOK_AGAIN_S = 0.05
BACK_S = 4.0
"""How long a port that went away may take to come back."""


def find_port(place: Place) -> str:
    """Return the name that the console of a place has now.

    Raises:
        DeviceNotFoundError: no port has its USB serial number, or more than one has.
    """
    if place.serial.port is not None:
        return place.serial.port
    _need_pyserial()
    from serial.tools.list_ports import comports

    wanted = place.usb_serial or ""
    ports = [port for port in comports() if port.serial_number]
    found = [port.device for port in ports if _is_same(port.serial_number or "", wanted)]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise DeviceNotFoundError(
            f"USB serial number {wanted} has several serial ports: {', '.join(sorted(found))}",
            hint="give `port:` in place of `usb_serial:`, by its name under /dev/serial/by-id",
        )
    there = ", ".join(f"{port.serial_number} ({port.device})" for port in ports) or "none"
    raise DeviceNotFoundError(
        f"no serial port has USB serial number {wanted}",
        hint=f"there are: {there}. Is the board plugged in?",
    )


class SerialConsole:
    """The line to one board; ``find`` says which port it is now.

    Raises:
        DeviceNotFoundError: the port is not there.
        DeviceBusyError: somebody else has it.
    """

    memory = None

    def __init__(
        self,
        find: Callable[[], str],
        baud: int,
        *,
        back_s: float = BACK_S,
        write_timeout_s: float = _WRITE_TIMEOUT_S,
    ) -> None:
        self._find = find
        self._baud = baud
        self._back_s = back_s
        self._write_timeout_s = write_timeout_s
        self._port = self._open()

    @property
    def name(self) -> str:
        """The name that the port has now."""
        return str(self._port.name)

    def read(self, timeout_s: float) -> bytes:
        """Return what has arrived, waiting at most ``timeout_s`` for the first byte."""
        end_s = time.monotonic() + timeout_s
        try:
            while True:
                if data := self._port.read(1):
                    return data + self._rest()
                if time.monotonic() >= end_s:
                    return b""
        except OSError:
            self._reconnect()
            return b""

    def write(self, data: bytes) -> None:
        """Send all of ``data``; what a line that went away did not take is lost."""
        from serial import SerialTimeoutException

        try:
            self._port.write(data)
        except SerialTimeoutException:
            raise NoAnswerError(
                f"{self.name} took no byte for {self._write_timeout_s:g} s",
                hint="is something holding back its flow?",
            ) from None
        except OSError:
            self._reconnect()

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def _rest(self) -> bytes:
        try:
            return bytes(self._port.read(self._port.in_waiting))
        except OSError:
            return b""  # the next read meets it again

    def _open(self) -> Serial:
        _need_pyserial()
        from serial import serial_for_url

        name = self._find()
        # A port on the network has no such options; its socket bounds what a write may take.
        is_local = "://" not in name
        try:
            port = serial_for_url(
                name,
                self._baud,
                timeout=_SLICE_S,
                write_timeout=self._write_timeout_s if is_local else None,
                exclusive=is_local or None,
            )
        except (OSError, ValueError) as error:
            raise _cannot_open(name, error) from None
        if is_local:
            _take_breaks_for_zeros(port)
        return port

    def _reconnect(self) -> None:
        """Open the port again once it is back.

        Raises:
            DeviceError: it did not come back in time.
        """
        name = self.name
        self._port.close()
        end_s = time.monotonic() + self._back_s
        while True:
            try:
                self._port = self._open()
                return
            except (DeviceBusyError, DeviceNotFoundError):
                if time.monotonic() >= end_s:
                    raise DeviceError(
                        f"{name} went away and was not back within {self._back_s:g} s",
                        hint="look at the USB cable; a board without power has no port either",
                    ) from None
            time.sleep(_LOOK_AGAIN_S)


def _take_breaks_for_zeros(port: Serial) -> None:
    """Let a BREAK read as a zero; whoever used the port before may have left BRKINT set.

    BRKINT throws away what was received, and ends who has the port as his terminal. pyserial clears
    the other flags that matter, IGNBRK and PARMRK (termios(3), "input modes").
    """
    with contextlib.suppress(termios.error):  # gone already: the first read will tell
        modes = termios.tcgetattr(port.fileno())
        modes[0] &= ~termios.BRKINT
        termios.tcsetattr(port.fileno(), termios.TCSANOW, modes)


def _cannot_open(name: str, error: OSError | ValueError) -> DeviceError:
    match getattr(error, "errno", None):
        case errno.ENOENT:
            return DeviceNotFoundError(
                f"there is no serial port {name}", hint="is the board plugged in?"
            )
        case errno.EACCES | errno.EPERM:
            return DeviceNotFoundError(
                f"{name} may not be opened by you",
                hint="on Linux: sudo usermod -aG dialout $USER, then log in again",
            )
        case errno.EBUSY | errno.EAGAIN:
            return DeviceBusyError(
                f"{name} is in use by another program", hint=f"`fuser {name}` says by which"
            )
        case _:
            return DeviceNotFoundError(f"{name} cannot be opened: {error}")


def _is_same(one: str, other: str) -> bool:
    """Whether two serial numbers are one; J-Links pad theirs with zeros."""
    return one.lstrip("0").casefold() == other.lstrip("0").casefold()


def _need_pyserial() -> None:
    try:
        import serial  # noqa: F401
    except ImportError:
        raise DeviceNotFoundError(
            "pyserial is not installed", hint="pip install 'bench-tinyml[hardware]'"
        ) from None
