"""A real labgrid coordinator and exporter on this computer, and a simulated board behind them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.devices.labgrid_lab import open_labgrid
from harness.errors import DeviceBusyError, DeviceNotFoundError, NoAnswerError
from harness.lab.labgrid_address import Address
from harness.lab.schema import Place
from harness.sim_lab.desk import open_desk
from tests.command import Bench

pytestmark = pytest.mark.labgrid

BOARD, MODEL = "nucleo-f746zg", "hello-world"
RESOURCES = """
desk:
  RawSerialPort:
    port: {port}
    speed: 921600
shelf:
  NetworkSerialPort:
    host: 127.0.0.1
    port: 4000
    protocol: raw
attic:
  NetworkSerialPort:
    host: 127.0.0.1
    port: null
"""
FAR = """
cellar:
  NetworkSerialPort:
    host: 127.0.0.1
    port: 4000
"""
PLACES = {
    "left": "desk",
    "nucleo-l4r5zi": "shelf",
    "nrf52840-dk": "attic",
    "nucleo-h743zi": "cellar",
}


@dataclass(frozen=True)
class Desk:
    """Where the coordinator is, and the board that hangs there in the place named left."""

    address: Address
    board: Place
    folder: Path

    def client(self, *arguments: str, user: str = "somebody") -> str:
        """Run labgrid's own client."""
        return subprocess.run(
            [_tool("labgrid-client"), "-x", str(self.address), *arguments],
            env={**os.environ, "LG_USERNAME": user, "LG_HOSTNAME": "there"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout

    def holder(self, place: str) -> str:
        """Return who has a place."""
        lines = self.client("-p", place, "show").splitlines()
        return next(line.split()[1] for line in lines if line.strip().startswith("acquired:"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A coordinator with a few places; the one named left has a board of the simulated desk."""
    folder = tmp_path_factory.mktemp("labgrid")
    with contextlib.ExitStack() as stack:
        board = stack.enter_context(open_desk()).places[BOARD]
        (folder / "exports.yaml").write_text(RESOURCES.format(port=board.serial.port))
        coordinator = _running("labgrid-coordinator", "-l", "127.0.0.1:0", folder=folder)
        port = _listening(stack.enter_context(coordinator))
        address = Address("127.0.0.1", port, simulated=True)
        exporter = ("labgrid-exporter", "-n", "here", "--hostname", "127.0.0.1")
        stack.enter_context(_running(*exporter, "-c", str(address), "exports.yaml", folder=folder))
        (folder / "far.yaml").write_text(FAR)
        isolated = ("labgrid-exporter", "-n", "far", "--isolated")
        stack.enter_context(_running(*isolated, "-c", str(address), "far.yaml", folder=folder))
        desk = Desk(address, board, folder)
        for place, group in PLACES.items():
            desk.client("-p", place, "create")
            desk.client("-p", place, "add-match", f"*/{group}/NetworkSerialPort")
        desk.client("-p", "left", "set-tags", f"board={BOARD}")
        _until(lambda: len(desk.client("resources").split()) == 4)
        yield desk


@pytest.fixture
def probe_server(desk: Desk) -> Iterator[None]:
    """pyOCD's server of the board's probe, told to labgrid by tags of its place."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    probe = desk.board.probe
    assert probe is not None
    assert probe.uid is not None
    with _running("pyocd", "server", "-p", port, "-u", probe.uid, "-W", folder=desk.folder) as said:
        _until(lambda: "Serving" in said.read_text())
        tags = (f"pack={probe.pack}", f"target={probe.target}")
        desk.client("-p", "left", "set-tags", f"probe=remote:127.0.0.1:{port}", *tags)
        yield
        desk.client("-p", "left", "set-tags", "probe=", "pack=", "target=")


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's own
def test_a_board_is_programmed_and_run_from_afar_and_given_back(
    desk: Desk,
    probe_server: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lab = f"labgrid://{desk.address}?simulated=yes"
    case = ("--board", BOARD, "--model", MODEL, "--device", "hardware", "--lab", lab, "--no-store")
    bench = Bench(monkeypatch, capsys)
    first = bench("run", *case, "--json")
    assert first.code == 0, first.err
    assert first.json["correctness"]["bit_exact"] is True
    device = first.json["device"]
    assert (device["kind"], device["stand_in"]) == ("hardware", True)
    assert device["detail"].startswith(f"labgrid coordinator {desk.address}, simulated boards")
    again = bench("run", *case, "--flash", "none", "--json")
    assert again.code == 0, again.err
    assert again.json["latency"]["instructions"] == first.json["latency"]["instructions"]
    assert again.json["device"]["detail"].endswith("place left, flashed before")
    other = bench("run", *case, "--flash", "none", "--optimize", "size")
    assert other.code == 3
    assert "build" in other.err
    assert desk.holder("left") == "None"


def test_a_place_that_somebody_has_is_told_with_the_holder(desk: Desk) -> None:
    desk.client("-p", "left", "acquire", user="ada")
    try:
        with (
            pytest.raises(DeviceBusyError, match="left: there/ada has this place"),
            open_labgrid(desk.address, board=BOARD, needs_probe=False),
        ):
            pass
        assert desk.holder("left") == "there/ada"
    finally:
        desk.client("-p", "left", "release", user="ada")


def test_a_place_is_given_back_after_a_failure(desk: Desk) -> None:
    with (
        contextlib.suppress(NoAnswerError),
        open_labgrid(desk.address, board=BOARD, needs_probe=False) as lab,
    ):
        assert desk.holder("left") != "None"
        assert (lab.places["left"].serial.port or "").startswith("rfc2217://127.0.0.1:")
        raise NoAnswerError("something goes wrong")
    assert desk.holder("left") == "None"


def test_a_place_that_its_user_acquired_stays_the_users(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LG_USERNAME", "ada")
    monkeypatch.setenv("LG_HOSTNAME", "there")
    desk.client("-p", "left", "acquire", user="ada")
    with open_labgrid(desk.address, board=BOARD, needs_probe=False) as lab:
        assert lab.places["left"].board == BOARD
    assert desk.holder("left") == "there/ada"
    desk.client("-p", "left", "release", user="ada")


def test_places_are_listed_with_who_has_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.client("-p", "nucleo-l4r5zi", "acquire", user="ada")
    shown = Bench(monkeypatch, capsys)("lab", "--lab", f"labgrid://{desk.address}", "--json")
    desk.client("-p", "nucleo-l4r5zi", "release", user="ada")
    assert shown.code == 0, shown.err
    assert [(p["name"], p["board"], p["user"]) for p in shown.json["places"]] == [
        ("left", BOARD, ""),
        ("nrf52840-dk", "nrf52840-dk", ""),
        ("nucleo-h743zi", "nucleo-h743zi", ""),
        ("nucleo-l4r5zi", "nucleo-l4r5zi", "there/ada"),
    ]
    assert shown.json["places"][0]["port"] == "here/desk/NetworkSerialPort/RawSerialPort"


def test_a_raw_port_is_opened_as_one(desk: Desk) -> None:
    with open_labgrid(desk.address, board="nucleo-l4r5zi", needs_probe=False) as lab:
        assert lab.places["nucleo-l4r5zi"].serial.port == "socket://127.0.0.1:4000"


def test_a_port_that_nobody_serves_is_waited_for_and_named(desk: Desk) -> None:
    begin = time.monotonic()
    with (
        pytest.raises(NoAnswerError, match="nrf52840-dk: its exporter serves no serial port"),
        open_labgrid(desk.address, board="nrf52840-dk", needs_probe=False, answer_s=1.0),
    ):
        pass
    assert time.monotonic() - begin < 10
    assert desk.holder("nrf52840-dk") == "None"


def test_a_port_that_takes_ssh_is_refused(desk: Desk) -> None:
    with (
        pytest.raises(DeviceNotFoundError, match="nucleo-h743zi: its exporter is isolated"),
        open_labgrid(desk.address, board="nucleo-h743zi", needs_probe=False),
    ):
        pass
    assert desk.holder("nucleo-h743zi") == "None"


def test_a_board_without_a_probe_is_not_programmed(desk: Desk) -> None:
    with (
        pytest.raises(DeviceNotFoundError, match="but no probe to program it") as error,
        open_labgrid(desk.address, board=BOARD),
    ):
        pass
    assert "--flash none" in error.value.hint
    assert desk.holder("left") == "None"


def test_a_coordinator_that_is_not_there_is_told_in_time() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", nobody.getsockname()[1], simulated=False)
        with (
            pytest.raises(NoAnswerError, match=f"no coordinator answers at {address}"),
            open_labgrid(address, board=BOARD, answer_s=1.0),
        ):
            pass


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


@contextlib.contextmanager
def _running(name: str, *arguments: str, folder: Path) -> Iterator[Path]:
    """Run a server; yields the file that has what it says."""
    said = folder / f"{name}.log"
    with said.open("w") as log:
        child = subprocess.Popen(
            [_tool(name), *arguments], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield said
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _listening(said: Path) -> int:
    mark = "listening on 127.0.0.1:"
    _until(lambda: mark in said.read_text())
    return int(said.read_text().split(mark)[1].split()[0])


def _until(is_so: Callable[[], bool], within_s: float = 30.0) -> None:
    ends = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.1)
