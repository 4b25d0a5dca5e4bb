"""`bench lab`: who is what, who uses it, and what is wrong."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.board.schema import Board
from harness.devices import flash
from harness.devices.fake import NOTHING_KNOWN, Facts, FakeBoard
from harness.devices.probes import ConnectedProbe, connected_probes, known_to_pyocd
from harness.errors import DeviceError, NoAnswerError
from harness.experiment import lab_report
from harness.lab.lock import locked
from harness.lab.open import open_file
from harness.lab.schema import Place
from tests.command import Bench
from tests.desk import board

LAB = """
schema_version: 1
name: desk
places:
  left:
    board: mps2-an386
    serial: {{port: {port}}}
    chip_id: "0a0a0a0a0a0a0a0a0a0a0a0a"
  right:
    board: nucleo-f746zg
    probe: {{uid: "066BFF34"}}
"""
STATE = replace(NOTHING_KNOWN, cpuid=0x410FC241, chip_id="0a" * 12)


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    monkeypatch.setattr(lab_report, "connected_probes", list)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(monkeypatch, capsys)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text(LAB.format(port=tmp_path / "usb"))
    return path


def test_a_board_is_known_by_what_its_firmware_says(
    lab: Path, tmp_path: Path, bench: Bench
) -> None:
    with board(tmp_path, FakeBoard(facts=Facts(build_id="1f" * 8, state=STATE))):
        left, right = bench("lab", "--lab", lab, "--json").json["places"]
    assert left["build_id"] == "1f" * 8
    assert (left["core"], left["chip_id"]) == ("cortex-m4", "0a" * 12)
    assert left["faults"] == []
    assert right["faults"] == [
        "probe 066BFF34 is not connected",
        "no serial port has USB serial number 066BFF34 (there are: none. Is the board plugged in?)",
    ]


def test_another_chip_or_core_than_the_lab_says_is_a_fault(lab: Path, tmp_path: Path) -> None:
    other = replace(STATE, cpuid=0x411FC271, chip_id="0b" * 12)
    with board(tmp_path, FakeBoard(facts=Facts(state=other))):
        left, _ = lab_report.stand(open_file(lab))
    assert left.faults == (
        f"its chip is {'0b' * 12}, the lab file says {'0a' * 12}",
        "its core is a cortex-m7, a mps2-an386 has a cortex-m4",
    )


def test_a_board_in_use_is_named_with_its_user_and_left_alone(
    lab: Path, tmp_path: Path, bench: Bench
) -> None:
    place = open_file(lab).places["left"]
    fake = FakeBoard(facts=Facts(state=STATE))
    with board(tmp_path, fake), locked("left", place):
        told = bench("lab", "--lab", lab)
    assert told.code == 3, "the other place has faults"
    assert "(pid" in told.out
    assert fake._requests == 0


def test_the_table_tells_what_is_wrong(
    lab: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = SimpleNamespace(device="/dev/ttyACM9", serial_number="066BFF34")
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [port])
    probe = ConnectedProbe("066BFF34", "STM32 STLink")
    monkeypatch.setattr(lab_report, "connected_probes", lambda: [probe])
    told = bench("lab", "--lab", lab)
    assert told.code == 3
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    assert "right: nucleo-f746zg" in lines
    assert "probe 066BFF34 (STM32 STLink)" in lines
    assert "wrong there is no serial port /dev/ttyACM9 (is the board plugged in?)" in lines


class Resetter:
    """A flasher that notes what it resets."""

    name = "noting"

    def __init__(self) -> None:
        self.reset_boards: list[str] = []

    def program(self, *_: object) -> None:
        """Never called."""

    def reset(self, board: Board, _place: Place) -> None:
        self.reset_boards.append(board.name)


@pytest.mark.parametrize("named", ["nucleo-f746zg", "right"])
def test_a_board_is_reset_by_its_name_or_its_place(
    named: str, lab: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flasher = Resetter()
    monkeypatch.setattr(flash, "find_flasher", lambda _: flasher)
    told = bench("lab", "reset", named, "--lab", lab)
    assert (told.code, told.out) == (0, "right: the nucleo-f746zg was reset\n")
    assert flasher.reset_boards == ["nucleo-f746zg"]


def test_a_board_in_use_is_not_reset(
    lab: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flasher = Resetter()
    monkeypatch.setattr(flash, "find_flasher", lambda _: flasher)
    with locked("right", open_file(lab).places["right"]):
        told = bench("lab", "reset", "right", "--lab", lab)
    assert told.code == 3
    assert "right: " in told.err
    assert "has this board" in told.err
    assert flasher.reset_boards == []


def test_stuck_or_strange_listing_of_probes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(*_: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("pyocd", 20.0)

    monkeypatch.setattr(subprocess, "run", stuck)
    with pytest.raises(NoAnswerError, match="pyOCD did not list its probes within 20 s"):
        connected_probes()

    def said(stdout: str, stderr: str = "") -> None:
        done = SimpleNamespace(stdout=stdout, stderr=stderr)
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)

    said("", "Traceback\nImportError: libusb")
    with pytest.raises(DeviceError, match=r"does not list its probes: ImportError: libusb"):
        connected_probes()
    said('{"error": "no backend"}')
    with pytest.raises(DeviceError, match=r"does not list its probes: no backend"):
        connected_probes()
    said('{"probes": [{"unique_id": "066B", "info": "STLink", "vendor_name": "ST"}]}')
    assert connected_probes() == [ConnectedProbe("066B", "STLink")]


def test_pyocd_starts_once_for_all_its_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyocd")
    starts: list[object] = []
    run = subprocess.run

    def noting(*arguments: Any, **options: Any) -> Any:
        starts.append(arguments)
        return run(*arguments, **options)

    monkeypatch.setattr(subprocess, "run", noting)
    known = known_to_pyocd()
    assert known.source("STM32H743xx") == known.source("nrf52840") == "builtin"
    assert known.source("a-chip") is None
    assert len(starts) == 1
