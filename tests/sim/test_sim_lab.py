"""The simulated desk, through unmodified pyOCD and pyserial: runs, and every fault by its name."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from harness.board.load import load_board
from harness.board.schema import DeviceKind
from harness.board.target import target_for
from harness.devices.flash import NoFlasher
from harness.devices.hardware import HardwareDevice
from harness.devices.pyocd_flash import PyOcdFlasher
from harness.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceNotFoundError,
    FirmwareFaultError,
    NoAnswerError,
)
from harness.lab.open import OpenLab
from harness.lab.schema import Place, Probe
from harness.sim_lab import wire
from harness.sim_lab.desk import open_desk
from harness.telemetry.messages import Run
from harness.telemetry.session import Session
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import build
from tests.command import Bench
from tests.desk import lab_file
from tests.flash_image import make_image
from tests.tiny_model import INPUT, tiny_sources

pytest.importorskip("pyocd")
pytestmark = pytest.mark.qemu

BOARD = "nucleo-f746zg"
FLASH_BYTES = 512 * 1024


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(monkeypatch, capsys)


@pytest.fixture(scope="module")
def desk() -> Iterator[OpenLab]:
    with open_desk() as lab:
        yield lab


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """An image of 64 KB whose code sleeps."""
    return make_image(tmp_path_factory.mktemp("image") / "firmware.elf", 0, 64 * 1024)[0]


def _program(lab: OpenLab, image: Firmware, flasher: PyOcdFlasher | None = None) -> None:
    (flasher or PyOcdFlasher()).program(image, load_board(BOARD), lab.places[BOARD])


def _with_probe(place: Place, **changes: Any) -> Place:
    assert place.probe is not None
    return place.model_copy(update={"probe": place.probe.model_copy(update=changes)})


@pytest.mark.parametrize("board", [BOARD, "mps2-an386", "nrf52840-dk", "mps3-an547", "microbit"])
def test_a_model_runs_bit_exact_and_counts_as_on_qemu(
    bench: Bench, tmp_path: Path, board: str
) -> None:
    def run(*device: str) -> dict[str, Any]:
        result = bench(
            *("run", "--board", board, "--model", "kws", "--json", "--store", tmp_path), *device
        )
        assert result.code == 0, result.err
        return cast("dict[str, Any]", result.json)

    found = run("--device", "hardware", "--lab", "sim")
    assert found["correctness"]["bit_exact"] is True
    device, latency = found["device"], found["latency"]
    assert (device["kind"], device["stand_in"]) == ("hardware", True)
    assert any("nothing here was measured on hardware" in said for said in found["warnings"])
    assert "simulated desk" in device["detail"]
    assert (latency["cycles"], latency["latency_s"]) == (None, None)
    assert latency["instructions"] == run("--device", "qemu")["latency"]["instructions"]


@pytest.mark.models
def test_visual_wake_words_end_to_end(bench: Bench, tmp_path: Path, models_dir: Path) -> None:
    result = bench(
        *("run", "--board", BOARD, "--model", "vww", "--device", "hardware", "--lab", "sim"),
        *("--json", "--store", tmp_path),
    )
    assert result.code == 0, result.err
    assert result.json["correctness"]["bit_exact"] is True


def test_flash_of_512_kb_takes_less_than_5_s(desk: OpenLab, tmp_path: Path) -> None:
    image, _ = make_image(tmp_path / "firmware.elf", 0, FLASH_BYTES)
    begin = time.monotonic()
    _program(desk, image)
    assert time.monotonic() - begin < 5


def test_a_board_is_programmed_again_and_reset(desk: OpenLab, image: Firmware) -> None:
    """What was there is replaced, and a reset needs no image."""
    _program(desk, image)
    _program(desk, image)
    PyOcdFlasher().reset(load_board(BOARD), desk.places[BOARD])


def test_a_running_core_is_programmed_too(desk: OpenLab, image: Firmware) -> None:
    """Where holding the reset line is of no use, pyOCD attaches, and leaves the core running."""
    _program(desk, image)
    place = _with_probe(desk.places[BOARD], connect="attach")
    PyOcdFlasher().program(image, load_board(BOARD), place)


def test_bench_lab_reset_starts_a_board_from_the_beginning(
    desk: OpenLab, bench: Bench, tmp_path: Path
) -> None:
    """Through the command line and pyOCD; the board says BOOT, and what it knew is gone."""
    board, place = load_board(BOARD), desk.places[BOARD]
    firmware = build(tiny_sources(), target_for(board, DeviceKind.QEMU), out_dir=tmp_path)
    lab = lab_file(tmp_path, left=place)
    with HardwareDevice(desk, board, PyOcdFlasher()).open(firmware) as console:
        session = Session(console)
        session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
        session.load([INPUT])
        told = bench("lab", "reset", BOARD, "--lab", lab)
        assert told.code == 3
        assert "has this board" in told.err
    told = bench("lab", "reset", BOARD, "--lab", lab)
    assert (told.code, told.out) == (0, f"left: the {BOARD} was reset\n"), told.err
    with HardwareDevice(desk, board, NoFlasher()).open(firmware) as console:
        session = Session(console)
        session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
        with pytest.raises(FirmwareFaultError, match="has only 0 B of its inputs"):
            session._link.ask(Run(0, 1))


def test_a_reset_of_a_fresh_simulated_board(bench: Bench) -> None:
    told = bench("lab", "reset", "nrf52840-dk", "--lab", "sim")
    assert (told.code, told.out) == (0, "nrf52840-dk: the nrf52840-dk was reset\n"), told.err
    assert bench("lab", "reset", BOARD, "--lab", "sim:no-probe").code == 3


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("no-probe", "DeviceNotFoundError", "is not connected; no other is either"),
        ("disconnect", "DeviceError", "was unplugged while programming"),
        ("stuck-word", "DeviceError", "0x00000140 holds 0xf00fa55a, 0x"),
        ("wrong-id", "DeviceError", "this chip is no STM32F746ZGT6: DBGMCU_IDCODE"),
        ("locked", "DeviceError", "the STM32F746ZGT6 is locked: its access port is disabled"),
        ("read-protected", "DeviceError", "is locked: its flash cannot be read"),
        ("reset-loop", "FirmwareFaultError", "the board reset itself"),
    ],
)
def test_each_fault_has_a_name_a_hint_and_a_record(
    bench: Bench, tmp_path: Path, fault: str, kind: str, message: str
) -> None:
    result = bench(
        *("run", "--board", BOARD, "--model", "kws", "--device", "hardware"),
        *("--lab", f"sim:{fault}", "--store", tmp_path, "--json"),
    )
    assert result.code == 3
    record = result.json
    assert record["status"] == "failed"
    assert record["error"]["type"] == kind
    assert message in record["error"]["message"]
    assert record["error"]["hint"]


@pytest.mark.parametrize(
    ("fault", "flasher", "message"),
    [
        ("stuck-probe", PyOcdFlasher(silence_s=3), "did not answer for 3 s while connecting"),
        ("slow", PyOcdFlasher(longest_s=4), "was still connecting after 4 s"),
    ],
)
def test_a_probe_that_hangs_is_given_up(
    image: Firmware, fault: str, flasher: PyOcdFlasher, message: str
) -> None:
    with open_desk(fault) as lab, pytest.raises(NoAnswerError, match=message):
        _program(lab, image, flasher)


def test_a_probe_that_is_not_named_is_not_touched(
    desk: OpenLab, image: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = desk.places[BOARD]
    assert place.probe is not None
    assert place.probe.uid is not None
    address, _, _ = place.probe.uid.removeprefix(f"{wire.PROBE_TYPE}:").rpartition("/")
    monkeypatch.setenv("BENCH_SIM_DESK", address)
    board = load_board(BOARD)
    with pytest.raises(DeviceNotFoundError, match="debug probes are connected and none is named"):
        PyOcdFlasher().program(image, board, _with_probe(place, uid=None))
    with pytest.raises(DeviceNotFoundError, match="066BFF34 is not connected; connected, and left"):
        PyOcdFlasher().program(image, board, _with_probe(place, uid="066BFF34"))
    part = place.probe.uid[:-4]
    with pytest.raises(DeviceNotFoundError, match="is not connected"):
        PyOcdFlasher().program(image, board, _with_probe(place, uid=part))


def test_without_any_probe_that_is_said(image: Firmware) -> None:
    place = Place.model_construct(board=BOARD, probe=Probe())
    with pytest.raises(DeviceNotFoundError, match="no debug probe is connected"):
        PyOcdFlasher().program(image, load_board(BOARD), place)


def test_a_probe_in_use_is_said_to_be(desk: OpenLab, image: Firmware) -> None:
    from harness.sim_lab.probe import SimulatedProbe

    place = desk.places[BOARD]
    assert place.probe is not None
    assert place.probe.uid is not None
    probe = SimulatedProbe.get_probe_with_id(place.probe.uid)
    assert probe is not None
    probe.open()
    with pytest.raises(DeviceBusyError, match="is in use"):
        PyOcdFlasher().program(image, load_board(BOARD), place)
    probe.close()


def test_an_unknown_target_needs_a_pack(desk: OpenLab, image: Firmware, tmp_path: Path) -> None:
    board = load_board(BOARD)
    place = _with_probe(desk.places[BOARD], target=None, pack=None)
    with pytest.raises(DeviceNotFoundError, match="does not know the target stm32f746zg") as caught:
        PyOcdFlasher().program(image, board, place)
    assert "`pyocd pack install stm32f746zg" in caught.value.hint
    place = _with_probe(desk.places[BOARD], pack=tmp_path / "no.pack")
    with pytest.raises(DeviceNotFoundError, match=r"no\.pack: there is no such CMSIS-Pack"):
        PyOcdFlasher().program(image, board, place)


def test_an_image_beside_the_flash_is_refused(desk: OpenLab, tmp_path: Path) -> None:
    board = load_board("nucleo-f446re")
    image, _ = make_image(tmp_path / "firmware.elf", 0, 600 * 1024)
    with pytest.raises(DeviceError, match="has no flash for"):
        PyOcdFlasher().program(image, board, desk.places[board.name])


def test_nothing_is_left_of_a_desk() -> None:
    with open_desk() as lab:
        ports = [place.serial.port for place in lab.places.values()]
        assert all(port and Path(port).exists() for port in ports)
        probe = lab.places[BOARD].probe
        assert probe is not None
        assert probe.uid is not None
        folder = Path(probe.uid.removeprefix(f"{wire.PROBE_TYPE}:")).parents[1]
        assert folder.is_dir()
    assert not folder.exists()


def test_a_desk_does_not_outlive_who_opened_it(image: Firmware) -> None:
    """Also when that was killed, with an emulator running."""
    script = f"""
import sys
from types import SimpleNamespace
from harness.board.load import load_board
from harness.devices.pyocd_flash import PyOcdFlasher
from harness.sim_lab.desk import open_desk
with open_desk() as lab:
    place = lab.places["{BOARD}"]
    PyOcdFlasher().program(SimpleNamespace(elf="{image.elf}"), load_board("{BOARD}"), place)
    print("programmed", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as opener:
        assert opener.stdout is not None
        assert opener.stdout.readline() == b"programmed\n"
        started = _descendants(opener.pid)
        assert any("qemu-system-arm" in _command(pid) for pid in started)
        opener.kill()
    deadline = time.monotonic() + 10
    while (alive := [pid for pid in started if _command(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive == []


def test_a_socket_with_too_long_a_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(DeviceError, match="too long for the name of a socket"), open_desk():
        pass


def _descendants(pid: int) -> list[int]:
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children += [int(child) for child in (task / "children").read_text().split()]
    return children + [far for child in children for far in _descendants(child)]


def _command(pid: int) -> str:
    """Return what a process runs; nothing if it is gone or only waits to be buried."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
