"""The console over a serial port: found by its USB serial number, and what happens when it goes."""

from __future__ import annotations

import errno
import os
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.devices.bad_line import BadLine, Faults
from harness.devices.serial_line import SerialConsole, find_port
from harness.errors import DeviceBusyError, DeviceError, DeviceNotFoundError, NoAnswerError
from harness.lab.schema import Place, Probe, Serial
from harness.telemetry.frames import Decoder, Frame, encode

BAUD = 921_600


class Board:
    """Pipes in place of a board: the test says what it says."""

    def __init__(self) -> None:
        self.read_fd, self._say_fd = os.pipe()
        self._hear_fd, self.write_fd = os.pipe()

    def say(self, data: bytes) -> None:
        os.write(self._say_fd, data)

    def hear(self, size: int) -> bytes:
        return os.read(self._hear_fd, size)


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board()
    yield board
    for fd in (board.read_fd, board._say_fd, board._hear_fd, board.write_fd):
        os.close(fd)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "usb-board-if00"


def line(link: Path, board: Board, faults: Faults | None = None) -> BadLine:
    made = BadLine(link, faults or Faults())
    made.attach(board.read_fd, board.write_fd)
    return made


def console(link: Path, back_s: float = 1.0) -> SerialConsole:
    return SerialConsole(lambda: str(link), BAUD, back_s=back_s)


def read(console: SerialConsole, size: int) -> bytes:
    end_s, data = time.monotonic() + 5.0, b""
    while len(data) < size and time.monotonic() < end_s:
        data += console.read(0.5)
    return data


def test_bytes_go_both_ways_in_whatever_pieces(link: Path, board: Board) -> None:
    said = bytes(range(256)) * 4
    with line(link, board, Faults(chunk=0.05)).running():
        port = console(link)
        board.say(said)
        assert read(port, len(said)) == said
        port.write(b"\0\x03\x11\x13\xff")
        assert board.hear(5) == b"\0\x03\x11\x13\xff", "no byte means anything to the port"
        port.close()


def test_a_break_reads_as_a_zero_whatever_the_port_was_set_to() -> None:
    """A pseudo-terminal carries no BREAK, so this looks at what its settings make of one."""
    master, slave = os.openpty()
    modes = termios.tcgetattr(slave)
    modes[0] |= termios.BRKINT | termios.IGNBRK | termios.PARMRK
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    port = SerialConsole(lambda: os.ttyname(slave), BAUD)
    set_now = termios.tcgetattr(slave)[0]
    assert set_now & (termios.BRKINT | termios.IGNBRK | termios.PARMRK) == 0
    port.close()
    os.close(master)
    os.close(slave)


def test_a_break_costs_the_frame_that_it_cuts(link: Path, board: Board) -> None:
    said = [Frame(0x81, number, bytes(range(100))) for number in range(50)]
    with line(link, board, Faults(cut=2e-3)).running():
        port, decoder, heard = console(link), Decoder(), list[Frame]()
        for frame in said:
            board.say(encode(frame))
        while data := port.read(0.3):
            heard += decoder.feed(data)
        assert decoder.damaged > 0
        assert [frame for frame in said if frame in heard] == heard
        assert len(said) - 2 * decoder.damaged <= len(heard) < len(said)
        port.close()


def test_a_break_that_somebody_sends_on_a_pseudo_terminal_is_none(link: Path, board: Board) -> None:
    """Which is why the line above says zeros; a driver of a real port would do more."""
    with line(link, board).running():
        port = console(link)
        port.write(b"before")
        termios.tcsendbreak(port._port.fileno(), 0)
        port.write(b"after")
        time.sleep(0.1)
        assert board.hear(100) == b"beforeafter"
        assert port.read(0.1) == b""
        port.close()


def test_an_empty_line_is_waited_for_so_long_and_no_longer(link: Path, board: Board) -> None:
    with line(link, board).running():
        port = console(link)
        began = time.monotonic()
        assert port.read(0.2) == b""
        assert 0.2 <= time.monotonic() - began < 1.0
        port.close()


def test_nobody_else_opens_a_port_in_use(link: Path, board: Board) -> None:
    with line(link, board).running():
        port = console(link)
        with pytest.raises(DeviceBusyError, match="usb-board-if00 is in use by another program"):
            console(link)
        port.close()


def test_a_port_that_is_not_there_or_not_ours_is_told_so(
    link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeviceNotFoundError, match=r"there is no serial port .*usb-board-if00"):
        console(link)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("serial.serial_for_url", refuse)
    with pytest.raises(DeviceNotFoundError, match="may not be opened by you") as caught:
        console(link)
    assert "dialout" in caught.value.hint
    monkeypatch.undo()
    with pytest.raises(DeviceNotFoundError, match="cannot be opened: invalid URL"):
        SerialConsole(lambda: "gopher://board", BAUD)


def test_a_port_that_comes_back_is_read_on(link: Path, board: Board) -> None:
    unplugged = line(link, board, Faults(unplug_after=4, away_s=0.3))
    with unplugged.running():
        port = console(link)
        first = link.readlink()
        board.say(b"lost")
        port.read(0.5)  # it goes away under this
        assert unplugged.unplugged_at is not None
        board.say(b"back")
        assert read(port, 4) == b"back"
        port.write(b"hello")
        assert board.hear(5) == b"hello"
        assert link.readlink() != first, "it came back under another name"
        port.close()


def test_a_port_that_stays_away_is_an_error_that_names_it(link: Path, board: Board) -> None:
    with line(link, board, Faults(unplug_after=1, away_s=60.0)).running():
        port = console(link, back_s=0.3)
        board.say(b"x")
        time.sleep(0.2)
        began = time.monotonic()
        with pytest.raises(DeviceError, match=r"usb-board-if00 went away and was not back within"):
            port.read(0.1)
        assert time.monotonic() - began < 3.0


def test_writing_to_a_port_that_stays_away_is_the_same_error(link: Path, board: Board) -> None:
    with line(link, board, Faults(unplug_after=1, away_s=60.0)).running():
        port = console(link, back_s=0.2)
        board.say(b"x")
        time.sleep(0.3)
        with pytest.raises(DeviceError, match="went away") as caught:
            port.write(b"x" * 10)
        assert "USB cable" in caught.value.hint


def test_a_line_that_takes_nothing_is_given_up() -> None:
    master, slave = os.openpty()  # nobody reads the master
    port = SerialConsole(lambda: os.ttyname(slave), BAUD, write_timeout_s=0.2)
    with pytest.raises(NoAnswerError, match=r"took no byte for 0\.2 s"):
        port.write(bytes(1 << 20))
    port.close()
    os.close(master)
    os.close(slave)


def test_a_flood_is_read_without_end_or_loss_of_time(link: Path, board: Board) -> None:
    flood = threading.Event()

    def shout() -> None:
        while not flood.is_set():
            board.say(b"\x55" * 512)
            time.sleep(0.001)

    shouting = threading.Thread(target=shout)
    with line(link, board).running():
        port = console(link)
        shouting.start()
        began = time.monotonic()
        assert read(port, 50_000)
        assert time.monotonic() - began < 5.0
        flood.set()
        shouting.join()
        port.close()


def usb(monkeypatch: pytest.MonkeyPatch, **ports: str | None) -> None:
    there = [SimpleNamespace(device=name, serial_number=serial) for name, serial in ports.items()]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: there)


def place(uid: str, serial: Serial | None = None) -> Place:
    return Place(board="nucleo-f746zg", probe=Probe(uid=uid), serial=serial or Serial())


def test_a_port_is_found_by_the_serial_number_of_its_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    usb(monkeypatch, ttyACM3="066BFF34", ttyACM4="0670FF35", ttyS0=None)
    assert find_port(place("066bff34")) == "ttyACM3"
    assert find_port(place("0670FF35")) == "ttyACM4"
    assert find_port(place("066BFF34", Serial(usb_serial="0670FF35"))) == "ttyACM4"


def test_a_j_link_pads_its_serial_number(monkeypatch: pytest.MonkeyPatch) -> None:
    usb(monkeypatch, ttyACM0="000683123456")
    assert find_port(place("683123456")) == "ttyACM0"


def test_a_port_that_is_not_there_is_told_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usb(monkeypatch, ttyACM3="066BFF34")
    with pytest.raises(
        DeviceNotFoundError, match="no serial port has USB serial number 0670FF35"
    ) as e:
        find_port(place("0670FF35"))
    assert "066BFF34 (ttyACM3)" in e.value.hint


def test_two_ports_of_one_probe_are_not_guessed_between(monkeypatch: pytest.MonkeyPatch) -> None:
    usb(monkeypatch, ttyACM3="066BFF34", ttyACM4="066BFF34")
    with pytest.raises(DeviceNotFoundError, match="several serial ports: ttyACM3, ttyACM4") as e:
        find_port(place("066BFF34"))
    assert "/dev/serial/by-id" in e.value.hint
