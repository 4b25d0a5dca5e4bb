"""Which device a case runs on, and in which order boards of a sweep do."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from harness.board.schema import DeviceKind
from harness.errors import DeviceNotFoundError, FactsError, UsageError
from harness.experiment import case as case_module
from harness.experiment.boards_at_once import run_on_boards
from harness.experiment.case import Case, find, is_on_hardware
from harness.experiment.labs import open_lab
from tests.command import Bench

LAB = """
schema_version: 1
name: desk
places:
  left: {{board: nucleo-f746zg, serial: {{port: {port}}}}}
"""


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The port that the user's own lab names; it is there once it is touched."""
    port = tmp_path / "port"
    (tmp_path / "lab.yaml").write_text(LAB.format(port=port))
    monkeypatch.setenv("BENCH_LAB", str(tmp_path / "lab.yaml"))
    monkeypatch.setattr(case_module, "has_renode", lambda _: False)
    return port


def of(board: str = "nucleo-f746zg", device: str = "auto", lab: str | None = None) -> Case:
    return Case(board=board, model="kws", device=device, lab=lab)


def test_auto_is_the_board_if_the_lab_has_it_and_its_port_is_there(port: Path) -> None:
    assert find(of()).kind is DeviceKind.QEMU
    port.touch()
    found = find(of())
    assert found.kind is DeviceKind.HARDWARE
    assert found.target.port == "stm32f7", "the firmware is for the chip, not its emulation"
    assert find(of("nucleo-f446re")).kind is DeviceKind.QEMU, "another board"
    assert is_on_hardware(of())


def test_a_wrong_lab_file_is_told_rather_than_passed_over(port: Path, tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("places: 1\n")
    with pytest.raises(FactsError, match="schema_version: is missing"):
        find(of())


def test_a_simulated_board_has_the_firmware_of_its_emulation(port: Path) -> None:
    for device in ("auto", "hardware"):
        found = find(of(device=device, lab="sim"))
        assert (found.kind, found.target.kind) == (DeviceKind.HARDWARE, DeviceKind.QEMU)
        assert not is_on_hardware(found.case)


def test_a_lab_goes_with_hardware_alone(port: Path) -> None:
    with pytest.raises(UsageError, match="--lab is of --device hardware, not of qemu"):
        find(of(device="qemu", lab="sim"))


def test_a_fault_that_a_board_cannot_have_is_refused(port: Path) -> None:
    with pytest.raises(UsageError, match="mps2-an386 has no register that says which") as caught:
        find(of(board="mps2-an386", device="hardware", lab="sim:wrong-id"))
    assert "nucleo-f746zg" in caught.value.hint
    assert "mps2" not in caught.value.hint
    with pytest.raises(UsageError, match="has no fault 'wrong-di'"):
        find(of(device="hardware", lab="sim:wrong-di"))
    assert find(of(device="hardware", lab="sim:wrong-id")).is_simulated


def test_without_a_lab_file_the_hint_says_how_to_have_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_LAB", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeviceNotFoundError, match="there is no lab file") as caught, open_lab(None):
        pytest.fail("there is none")
    assert "--lab sim" in caught.value.hint


def test_a_place_is_named_with_its_device(
    port: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert of(device="hardware:left").place == "left"
    assert of(device="replay:x.capture").place is None
    bench = Bench(monkeypatch, capsys)
    told = bench("run", "--board", "nucleo-f746zg", "--model", "kws", "--no-store", "--device",
                 "hardware:lift")  # fmt: skip
    assert told.code == 3
    assert "desk: there is no place 'lift'" in told.err
    assert "did you mean left?" in told.err


def test_boards_run_side_by_side_and_each_one_thing_at_a_time() -> None:
    both = threading.Barrier(2, timeout=10)
    busy: dict[str, int] = {}

    def run(case: Case) -> str:
        busy[case.board] = busy.get(case.board, 0) + 1
        assert busy[case.board] == 1, "one board, one case"
        if case.repeat == 1:
            both.wait()  # passes only if the other board is at work meanwhile
        time.sleep(0.01)
        busy[case.board] -= 1
        return f"{case.board} {case.repeat}"

    todo = {
        number: Case(board=board, model="kws", device="hardware", repeat=repeat)
        for number, (board, repeat) in enumerate([("a", 1), ("a", 2), ("b", 1), ("a", 3)])
    }
    ran = list(run_on_boards(todo, run))
    assert sorted(ran) == [(0, "a 1"), (1, "a 2"), (2, "b 1"), (3, "a 3")]
    assert [number for number, _ in ran if number != 2] == [0, 1, 3], "in their order"
    assert list(run_on_boards({}, run)) == []


def test_one_board_under_two_names_has_one_user(tmp_path: Path) -> None:
    lab = tmp_path / "lab.yaml"
    lab.write_text(
        "schema_version: 1\nname: desk\nplaces:\n"
        "  left: {board: nucleo-f746zg, serial: {port: /dev/ttyACM0}}\n"
        "  right: {board: nrf52840-dk, serial: {port: /dev/ttyACM1}}\n"
    )
    users: list[str] = []

    def run(case: Case) -> str:
        users.append(case.board)
        assert users.count(case.board) == 1, "one board, one case"
        time.sleep(0.02)
        users.remove(case.board)
        return case.device

    named = [
        ("nucleo-f746zg", "hardware"),
        ("nucleo-f746zg", "hardware:left"),
        ("nrf52840-dk", "hardware:right"),
        ("nrf52840-dk", "hardware"),
    ]
    todo = {
        number: Case(board=board, model="kws", device=device, lab=str(lab))
        for number, (board, device) in enumerate(named)
    }
    assert sorted(run_on_boards(todo, run)) == [(n, device) for n, (_, device) in enumerate(named)]
    # What the lab does not have is the failure of that case, not of the sweep.
    lost = Case(board="nrf52840-dk", model="kws", device="hardware:lost", lab=str(lab))
    assert list(run_on_boards({7: lost}, run)) == [(7, "hardware:lost")]
