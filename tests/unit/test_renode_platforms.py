"""The Renode platforms under boards/: what they say is what the board's facts say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.board.load import board_names, load_board
from harness.board.schema import Board
from harness.devices.renode import board_script

PORTED = [name for name in board_names() if load_board(name).port]


def platform(board: Board) -> str:
    return board_script(board.name).with_suffix(".repl").read_text()


def number(text: str, peripheral: str, field: str) -> int | None:
    found = re.search(rf"^{peripheral}:.*?\n(?:    .*\n|\n)*?    {field}: (\w+)", text, re.M)
    return int(found[1], 0) if found else None


@pytest.mark.parametrize("name", PORTED)
def test_one_instruction_is_one_count(name: str) -> None:
    board, text = load_board(name), platform(load_board(name))
    mips = number(text, "cpu", "PerformanceInMips")
    assert mips is not None
    assert number(text, "dwt", "frequency") == mips * 1_000_000 == board.clock_hz


@pytest.mark.parametrize("name", PORTED)
def test_memories_have_the_boards_sizes(name: str) -> None:
    board, text = load_board(name), platform(load_board(name))
    is_stock_right = name in ("nrf52840-dk", "nucleo-h743zi")
    for peripheral, memory in (("flash", board.memory("flash")), ("sram", board.memory("ram"))):
        size = number(text, peripheral, "size")
        assert is_stock_right if size is None else size == memory.size_bytes


@pytest.mark.parametrize("name", PORTED)
def test_nothing_is_fetched_from_the_network(name: str) -> None:
    text = platform(load_board(name))
    assert "\nsysbus:\n    init:\n" in text, "it replaces the stock one, which fetches"
    assert "http" not in text


@pytest.mark.parametrize("name", PORTED)
def test_the_script_opens_the_boards_console(name: str) -> None:
    board, path = load_board(name), board_script(name)
    assert board.console is not None
    uart = board.console.uart.lower().replace("uarte", "uart")
    text = path.read_text()
    assert f"connector Connect sysbus.{uart} console" in text
    assert f"$ORIGIN/{path.stem}.repl" in text
    assert 'CreateServerSocketTerminal $port "console" false' in text


def test_platforms_stand_beside_boards() -> None:
    folders = {
        path.name for path in Path(board_script(PORTED[0])).parents[1].iterdir() if path.is_dir()
    }
    assert folders == set(PORTED)
