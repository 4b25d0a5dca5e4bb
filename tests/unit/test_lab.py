"""lab.yaml: what a desk has; every fault of a file is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data import data_dir
from harness.errors import DeviceNotFoundError, FactsError
from harness.facts import read_facts
from harness.lab.open import OpenLab, find_place, open_file
from harness.lab.schema import Lab, json_schema

GOOD = """
schema_version: 1
name: desk
places:
  left:
    board: nucleo-f746zg
    probe:
      uid: "066BFF343633464257205426"
      pack: Keil.STM32F7xx_DFP.pack
  right:
    board: mps2-an386
    serial: {port: /dev/ttyUSB0, baud: 115200}
"""


def lab(text: str) -> Lab:
    return read_facts(text.encode(), Lab, where="lab.yaml")


def opened(tmp_path: Path, text: str = GOOD) -> OpenLab:
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    return open_file(path)


def test_a_probe_names_its_serial_port_too() -> None:
    places = lab(GOOD).places
    assert places["left"].usb_serial == "066BFF343633464257205426"
    assert places["right"].usb_serial is None


def test_all_faults_of_a_file_are_told_at_once() -> None:
    wrong = GOOD.replace("nucleo-f746zg", "nucleo-f764zg").replace("baud: 115200", "baud: 1")
    with pytest.raises(FactsError) as error:
        lab(wrong + "plaices: 1\n")
    told = error.value.message
    assert "lab.yaml:6: places.left.board: there is no board of this name" in told
    assert "did you mean nucleo-f746zg" in told
    assert "lab.yaml:12: places.right.serial.baud: input should be greater" in told
    assert "lab.yaml:13: plaices: is not a field that is known here; did you mean places?" in told


def test_an_id_of_digits_alone_needs_quotes_and_says_so() -> None:
    with pytest.raises(FactsError, match=r"probe\.uid: .*string, found 683123456"):
        lab(GOOD.replace('"066BFF343633464257205426"', "683123456"))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('uid: "066BFF343633464257205426"', "uid: null", "serial needs usb_serial or port"),
        ("port: /dev/ttyUSB0,", "port: a, usb_serial: bbbb,", "both name the port; give one"),
        ("port: /dev/ttyUSB0,", 'usb_serial: "066BFF343633464257205426",',
         "left and right have the same serial port, 066BFF"),
        ("  left:", "  le ft:", "places"),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_told_is_refused(old: str, new: str, fault: str) -> None:
    with pytest.raises(FactsError, match=fault):
        lab(GOOD.replace(old, new))


def test_the_schema_for_editors_is_that_of_the_reader() -> None:
    stored = (data_dir("boards").parent / "docs/lab.schema.json").read_text(encoding="utf-8")
    assert stored == json_schema(), (
        'rewrite it: python -c "from harness.lab.schema import json_schema; '
        "print(json_schema(), end='')\" > docs/lab.schema.json"
    )


def test_a_pack_lies_beside_the_lab_file(tmp_path: Path) -> None:
    probe = opened(tmp_path).places["left"].probe
    assert probe is not None
    assert probe.pack == tmp_path / "Keil.STM32F7xx_DFP.pack"


def test_a_board_of_ones_own_lies_beside_the_lab_file_too(tmp_path: Path) -> None:
    text = (data_dir("boards") / "nucleo-f746zg.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.replace("name: nucleo-f746zg", "name: mine"))
    desk = opened(tmp_path, GOOD.replace("board: nucleo-f746zg", "board: mine.yaml"))
    assert find_place(desk, "mine")[0] == "left"


def test_a_place_is_found_by_its_board_or_by_its_name(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    assert find_place(desk, "mps2-an386")[0] == "right"
    assert find_place(desk, "mps2-an386", "right")[0] == "right"
    with pytest.raises(DeviceNotFoundError, match="desk: no place has a nucleo-h743zi"):
        find_place(desk, "nucleo-h743zi")
    with pytest.raises(DeviceNotFoundError, match="place left has a nucleo-f746zg, not a mps2"):
        find_place(desk, "mps2-an386", "left")
