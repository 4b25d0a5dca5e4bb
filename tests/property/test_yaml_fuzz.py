"""No bytes make the YAML reader do anything but return facts or raise FactsError."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.board.schema import Board
from harness.data import data_dir
from harness.errors import FactsError
from harness.facts import read_facts
from harness.lab.schema import Lab

LAB = b"""schema_version: 1
name: desk
places:
  left:
    board: nucleo-f746zg
    probe: {uid: "066BFF343633464257205426", pack: a.pack}
    chip_id: "0a0a0a0a0a0a0a0a0a0a0a0a"
  right:
    board: mps2-an386
    serial: {port: /dev/ttyUSB0, baud: 115200}
"""
BOARD = (data_dir("boards") / "nucleo-f746zg.yaml").read_bytes()


def try_read(data: bytes) -> None:
    try:
        board = read_facts(data, Board, where="fuzz.yaml")
    except FactsError:
        return
    assert board.memory("flash") is not board.memory("ram")


def try_lab(data: bytes) -> None:
    try:
        lab = read_facts(data, Lab, where="fuzz.yaml")
    except FactsError:
        return
    assert all(p.usb_serial or p.serial.port for p in lab.places.values()), "each can be found"


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    try_read(data)
    try_lab(data)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "board": st.just("mps2-an386") | values,
        "probe": st.fixed_dictionaries({}, optional={"uid": values, "pack": values}) | values,
        "serial": st.fixed_dictionaries({}, optional={"port": values, "baud": values}) | values,
        "chip_id": values,
    },
)


@given(st.dictionaries(st.text(max_size=5), fields | values, max_size=3), values)
def test_a_lab_of_any_values(places: dict[str, object], name: object) -> None:
    lab = {"schema_version": 1, "name": name, "places": places}
    try_lab(yaml.safe_dump(lab, allow_unicode=True).encode(errors="surrogatepass"))


@given(st.integers(0, len(LAB) - 1), st.integers(0, 40), st.binary(max_size=6))
def test_a_lab_with_some_bytes_replaced(start: int, length: int, insert: bytes) -> None:
    try_lab(LAB[:start] + insert + LAB[start + length :])


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
