"""PROTOCOL.md, the firmware's header and the host's code say the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

from harness.data import data_dir
from harness.telemetry import messages
from harness.telemetry.board_state import BoardState, BringUp, Flag, Reset
from harness.telemetry.messages import EventType
from harness.telemetry.refusal import ERROR, ErrorCode

ROOT = Path(__file__).parents[2]
REQUESTS = (
    "AskHello", "Load", "Run", "Profile", "Paint", "Output", "Place", "Adopt", "Serve", "AskBoard"
)  # fmt: skip


def host() -> dict[str, int]:
    types = {name.upper(): getattr(messages, name).TYPE for name in REQUESTS}
    types["HELLO"], types["BOARD"] = types.pop("ASKHELLO"), types.pop("ASKBOARD")
    types |= {"ANSWER": messages.ANSWER, "ERROR": ERROR, "ROW": messages.ROW}
    return types | {event.name: event.value for event in EventType}


def test_the_firmware_has_the_hosts_numbers() -> None:
    header = (data_dir("firmware") / "include" / "tlm.h").read_text()
    types = {name: int(value, 16) for name, value in re.findall(r"TLM_(\w+) = (0x\w+),", header)}
    assert types == host()
    decimal = {name: int(value) for name, value in re.findall(r"TLM_(\w+) = (\d),", header)}
    assert decimal.pop("PROTOCOL_VERSION") == messages.PROTOCOL_VERSION
    assert decimal.pop("OK") == 0
    assert decimal == {code.name: code.value for code in ErrorCode}


def test_the_firmware_has_the_hosts_words_for_its_state() -> None:
    header = (data_dir("firmware") / "include" / "board.h").read_text()
    faults = {name: int(value) for name, value in re.findall(r"BOARD_(\w+) = (\d),", header)}
    assert faults.pop("UP") == 0
    assert faults == {fault.name: fault.value for fault in BringUp}
    flags = {name: 1 << int(bit) for name, bit in re.findall(r"BOARD_(\w+) = 1u << (\d),", header)}
    assert flags == {str(flag.name): flag.value for flag in Flag}
    resets = {name: int(value) for name, value in re.findall(r"RESET_(\w+) = (\d),", header)}
    assert resets == {reset.name: reset.value for reset in Reset}


def test_the_specification_has_them_too() -> None:
    text = (ROOT / "PROTOCOL.md").read_text()
    told: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith("### "):
            told |= {n: int(v, 16) for n, v in re.findall(r"([A-Z]+) `(0x\w+)`", line)}
        elif match := re.match(r"\| `(0x\w+)` \| ([A-Z]+) \|", line):
            told[match[2]] = int(match[1], 16)
        elif match := re.match(r"- ([A-Z]+) \(`(0x\w+)`", line):
            told[match[1]] = int(match[2], 16)
    assert told == {name: value for name, value in host().items() if name != "ANSWER"}
    table = text.partition("### ERROR")[2].partition("## Events")[0]
    errors = re.findall(r"^\| (\d) \|", table, re.MULTILINE)
    assert [int(code) for code in errors] == [code.value for code in ErrorCode]


def test_every_structure_has_the_size_that_the_specification_says() -> None:
    text = (ROOT / "PROTOCOL.md").read_text()
    assert f"Answer, {messages.Hello.LAYOUT.size} bytes" in text
    assert f"Answer, {BoardState.LAYOUT.size} bytes" in text
