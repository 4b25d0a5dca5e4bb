"""A board on a desk: locked, programmed, proved to be the right one, and let go of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.board.load import load_board
from harness.board.schema import Board
from harness.devices.bad_line import Faults
from harness.devices.clock import Unit
from harness.devices.fake import NOTHING_KNOWN, Facts, FakeBoard
from harness.devices.hardware import HardwareDevice
from harness.devices.serial_line import BACK_S
from harness.errors import DeviceError, DeviceNotFoundError
from harness.lab.lock import holder
from harness.lab.open import OpenLab
from harness.lab.schema import Place, Serial
from harness.telemetry.capture import Capture
from harness.telemetry.messages import ClockKind, Hello
from harness.telemetry.session import Session
from harness.toolchain.firmware import Firmware, Footprint
from tests.desk import board
from tests.tiny_model import host_target

CHIP = "0a" * 12
FIRMWARE = Firmware(
    elf=Path("none"),
    elf_sha256="",
    build_id="00" * 8,
    model_sha256="00" * 32,
    target=host_target(),
    footprint=Footprint(0, 0, 0, 0, 0, 0),
    compiler="",
    version="",
    flags=(),
    kernels="",
)


class Programmer:
    """A flasher that programs nothing, and notes who had the place meanwhile."""

    name = "pretended"

    def __init__(self) -> None:
        self.held = False

    def program(self, _firmware: Firmware, _board: Board, place: Place) -> None:
        self.held = holder(place) is not None

    def reset(self, _board: Board, _place: Place) -> None:
        """Never called."""


@pytest.fixture(autouse=True)
def _locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


def device(
    tmp_path: Path, flasher: Programmer, chip_id: str | None = None, back_s: float = BACK_S
) -> HardwareDevice:
    place = Place(board="nucleo-f746zg", serial=Serial(port=str(tmp_path / "usb")), chip_id=chip_id)
    lab = OpenLab(name="desk", places={"left": place}, detail="lab 'desk'")
    return HardwareDevice(lab, load_board("nucleo-f746zg"), flasher, back_s=back_s)


def fake() -> FakeBoard:
    return FakeBoard(facts=Facts(state=replace(NOTHING_KNOWN, chip_id=CHIP)))


@pytest.mark.parametrize("chip_id", [None, CHIP])
def test_a_board_is_held_while_it_is_programmed_and_asked(
    chip_id: str | None, tmp_path: Path
) -> None:
    flasher = Programmer()
    opened = device(tmp_path, flasher, chip_id)
    assert opened.detail == "lab 'desk', place left, flashed by pretended"
    with board(tmp_path, fake()), opened.open(FIRMWARE) as console:
        assert flasher.held
        session = Session(console)
        session.hello(build_id="00" * 8, model_sha256="00" * 32)
        session.load([bytes(3000)])
        assert len(session.run(warmup=0, repeat=2).ticks) == 2
    assert holder(Place(board="nucleo-f746zg", serial=Serial(port=str(tmp_path / "usb")))) is None


def test_a_chip_that_is_not_the_one_in_the_lab_file_is_refused(tmp_path: Path) -> None:
    opened = device(tmp_path, Programmer(), chip_id="0b" * 12)
    with (
        board(tmp_path, fake()),
        pytest.raises(DeviceNotFoundError, match=f"left: the chip on this line is {CHIP}, the lab"),
        opened.open(FIRMWARE),
    ):
        pytest.fail("another board was taken")


def test_a_port_that_goes_for_good_ends_the_run_with_its_capture(
    tmp_path: Path,
) -> None:
    faults = Faults(unplug_after=200, away_s=60.0)
    opened = device(tmp_path, Programmer(), back_s=0.3)
    with board(tmp_path, fake(), faults), opened.open(FIRMWARE) as console:
        session = Session(console)
        session.hello(build_id="00" * 8, model_sha256="00" * 32)
        with pytest.raises(DeviceError, match="usb went away and was not back") as caught:
            session.load([bytes(3000)])
    assert Capture.decode(caught.value.capture).traffic


@pytest.mark.parametrize(
    ("kind", "unit"),
    [(ClockKind.CORE_CYCLES, Unit.CYCLES), (ClockKind.TIMER, Unit.SECONDS)],
)
def test_what_a_board_counts_is_cycles_or_time(kind: ClockKind, unit: Unit, tmp_path: Path) -> None:
    layout = Hello.LAYOUT.pack(1, kind, 1, 16_000_000, bytes(8), bytes(32), 1, 1, 1, 1, 1, 1, 1, 0)
    assert device(tmp_path, Programmer()).clock(Hello.parse(layout)).unit is unit
