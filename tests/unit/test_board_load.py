"""Boards: every YAML of the project is sound, and a user's faulty one is told all at once."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness.board.load import board_names, load_board
from harness.board.schema import Core, DeviceKind, json_schema
from harness.board.target import Region, target_for
from harness.data import data_dir
from harness.errors import FactsError, UsageError

# What one QEMU machine offers at (flash_origin, ram_origin): `info mtree` of QEMU 7.2.
MACHINE_REGIONS = {
    "microbit": (Region(0x0, 256 << 10), Region(0x2000_0000, 16 << 10)),
    "mps2-an385": (Region(0x0, 4 << 20), Region(0x2000_0000, 4 << 20)),
    "mps2-an386": (Region(0x0, 4 << 20), Region(0x2000_0000, 4 << 20)),
    "mps2-an500": (Region(0x0, 4 << 20), Region(0x2000_0000, 4 << 20)),
    "mps3-an547": (Region(0x6000_0000, 2 << 30), Region(0x2100_0000, 4 << 20)),
}
# The cores whose code a machine executes: an M3 knows every instruction of an M0+.
MACHINE_CORES = {
    "microbit": (Core.CORTEX_M0,),
    "mps2-an385": (Core.CORTEX_M3, Core.CORTEX_M0PLUS),
    "mps2-an386": (Core.CORTEX_M4,),
    "mps2-an500": (Core.CORTEX_M7,),
    "mps3-an547": (Core.CORTEX_M55,),
}


def test_all_promised_boards_exist() -> None:
    assert board_names() == [
        "microbit",
        "mps2-an385",
        "mps2-an386",
        "mps2-an500",
        "mps3-an547",
        "nrf52840-dk",
        "nucleo-f446re",
        "nucleo-f746zg",
        "nucleo-h743zi",
        "nucleo-l4r5zi",
        "raspberry-pi-pico",
    ]


@pytest.mark.parametrize("name", board_names())
def test_board_has_its_file_name_and_fits_its_machine(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.emulation is not None
    flash, ram = MACHINE_REGIONS[board.emulation.machine]
    target = target_for(board, DeviceKind.QEMU)
    assert target.core in MACHINE_CORES[board.emulation.machine]
    assert target.flash.origin == flash.origin
    assert target.flash.size_bytes == board.memory("flash").size_bytes <= flash.size_bytes
    assert target.ram.origin == ram.origin
    assert target.ram.size_bytes == board.memory("ram").size_bytes <= ram.size_bytes
    assert board.emulation.stand_in == (board.emulation.machine != board.name)


def test_facts_of_the_main_board() -> None:
    board = load_board("nucleo-f746zg")
    assert board.core is Core.CORTEX_M7
    assert board.clock_hz == 216_000_000
    assert board.memory("ram").size_bytes == 320 * 1024
    assert board.memory("flash").origin == 0x0800_0000


def test_schema_file_is_current() -> None:
    stored = (data_dir("boards") / "schema.json").read_text(encoding="utf-8")
    assert stored == json_schema(), (
        'rewrite it: python -c "from harness.board.schema import json_schema; '
        "print(json_schema(), end='')\" > boards/schema.json"
    )


def test_unknown_board_proposes_near_names() -> None:
    with pytest.raises(UsageError, match="there is no board 'nucleo-f746'") as error:
        load_board("nucleo-f746")
    assert "nucleo-f746zg" in error.value.hint


@pytest.fixture
def board_yaml() -> str:
    return (data_dir("boards") / "nucleo-f446re.yaml").read_text(encoding="utf-8")


def test_own_board_by_path(board_yaml: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(board_yaml.replace("name: nucleo-f446re", "name: mine"), encoding="utf-8")
    assert load_board(str(path)).name == "mine"


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match=r"none\.yaml: No such file"):
        load_board(str(tmp_path / "none.yaml"))


def test_all_faults_of_a_board_come_at_once_with_lines(board_yaml: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    text = board_yaml.replace("core: cortex-m4", "core: cortex-m9")
    text = text.replace("clock_hz: 180_000_000", "clock_mhz: 180")
    text = text.replace("size_bytes: 0x2_0000", "size_bytes: large")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FactsError) as error:
        load_board(str(path))
    lines = text.splitlines()
    faults = dict(
        fault.removeprefix(f"{path}:").split(": ", 1) for fault in str(error.value).splitlines()[1:]
    )
    assert "clock_hz: is missing" in str(error.value)
    assert faults[str(lines.index("core: cortex-m9") + 1)].startswith("core: input should be")
    assert faults[str(lines.index("clock_mhz: 180") + 1)].startswith("clock_mhz: is not a field")
    size_line = lines.index("    size_bytes: large") + 1
    assert faults[str(size_line)] == (
        'memories[1].size_bytes: input should be a valid integer, found "large"'
    )


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("link: ram", "link: flash", "exactly one memory must have link: flash"),
        ("    link: ram\n", "", r"exactly one memory must have link: ram \(have it: none\)"),
        ("name: sram", "name: flash", "two memories are named flash"),
        ("origin: 0x2000_0000", "origin: 0x0801_0000", "flash and sram overlap"),
        ("origin: 0x2000_0000", "origin: 0xffff_0000", "sram ends beyond 32 bits of address"),
    ],
)
def test_memories_that_cannot_be_linked_are_refused(
    board_yaml: str, tmp_path: Path, before: str, after: str, fault: str
) -> None:
    assert before in board_yaml
    path = tmp_path / "bad.yaml"
    path.write_text(board_yaml.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(FactsError, match=rf"bad.yaml:\d+: memories: .*{fault}"):
        load_board(str(path))


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("fpu: single", "fpu: double", "fpu: a cortex-m4 has none or single"),
        ("core: cortex-m4", "core: cortex-m0plus", "fpu: a cortex-m0plus has none"),
        ("port: mps2", "port: ../../elsewhere", "emulation.port: string should match"),
        ("machine: mps2-an386", "machine: mps2-an386,x=y", "emulation.machine: string should"),
    ],
)
def test_what_no_such_core_or_machine_can_have_is_refused(
    board_yaml: str, tmp_path: Path, before: str, after: str, fault: str
) -> None:
    assert before in board_yaml
    path = tmp_path / "bad.yaml"
    path.write_text(board_yaml.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(FactsError, match=re.escape(fault)):
        load_board(str(path))


@pytest.mark.qemu
@pytest.mark.parametrize("machine", sorted(MACHINE_REGIONS))
def test_machine_regions_are_what_qemu_maps(machine: str) -> None:
    tree = subprocess.run(
        [
            "qemu-system-arm",
            "-M",
            machine,
            "-display",
            "none",
            "-serial",
            "null",
            "-S",
            "-monitor",
            "stdio",
        ],
        input="info mtree -f\nquit\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    for region in MACHINE_REGIONS[machine]:
        last = region.origin + region.size_bytes - 1
        assert f"{region.origin:016x}-{last:016x}" in tree
