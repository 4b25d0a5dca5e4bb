"""No bytes make the YAML reader do anything but return facts or raise FactsError."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.board.schema import Board
from harness.data import data_dir
from harness.errors import FactsError
from harness.facts import read_facts

BOARD = (data_dir("boards") / "nucleo-f746zg.yaml").read_bytes()


def try_read(data: bytes) -> None:
    try:
        board = read_facts(data, Board, where="fuzz.yaml")
    except FactsError:
        return
    assert board.memory("flash") is not board.memory("ram")


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    try_read(data)


@given(st.text(alphabet="abc:-[]{}&*!|>'\"#?,\n\t 01%@`~", max_size=80))
def test_any_yaml_like_text(text: str) -> None:
    try_read(text.encode())


@given(
    st.integers(0, len(BOARD) - 1),
    st.integers(0, 40),
    st.binary(max_size=6),
)
def test_a_board_with_some_bytes_replaced(start: int, length: int, insert: bytes) -> None:
    try_read(BOARD[:start] + insert + BOARD[start + length :])
