"""Messages: every request's answer is read, and what has not its length is refused."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import pytest

from harness.errors import CorruptStreamError
from harness.telemetry.board_state import BoardState, Flag, Reset
from harness.telemetry.fault import Fault
from harness.telemetry.messages import (
    Adopt,
    AskBoard,
    AskHello,
    Hello,
    Load,
    Output,
    Paint,
    Painting,
    Place,
    Profile,
    Progress,
    Region,
    Request,
    Run,
    Samples,
    Serve,
    Want,
)
from harness.telemetry.refusal import Refusal

HELLO = Hello.LAYOUT.pack(
    1, 2, 1, 25_000_000, b"\x12" * 8, b"\x34" * 32, 1024, 64, 100, 10, 7, 5000, 99, 60
)


def test_hello() -> None:
    assert Hello.LAYOUT.size == 80
    hello = AskHello().parse(HELLO)
    assert (hello.build_id, hello.model_sha256) == ("12" * 8, "34" * 32)
    assert (hello.tick_hz, hello.step_count, hello.arena_bytes) == (25_000_000, 7, 5000)
    assert hello.fetched_bytes == 60
    assert not hello.is_staged  # 99 B cannot keep inputs of 100 B


@pytest.mark.parametrize(
    ("at", "byte", "message"),
    [(0, 2, "protocol version 2"), (2, 9, "unknown clock kind 9"), (49, 0, "of no size")],
)
def test_a_hello_that_cannot_be(at: int, byte: int, message: str) -> None:
    payload = bytearray(HELLO)
    payload[at] = byte
    with pytest.raises(CorruptStreamError, match=message):
        Hello.parse(bytes(payload))


@pytest.mark.parametrize(
    ("request_", "sent", "answer", "meaning"),
    [
        (Load(5, b"ab"), b"\5\0\0\0ab", b"\7\0\0\0", 7),
        (Run(1, 2), b"\1\0\0\0\2\0\0\0", struct.pack("<IIQQ", 3, 2, 50, 60), Samples((50, 60), 3)),
        (Profile(4), b"\4\0\0\0", struct.pack("<IIQ", 3, 1, 1 << 40), Samples((1 << 40,), 3)),
        (Paint(0xA5), b"\xa5", struct.pack("<5I", 1, 2, 3, 4, 5), Painting(1, 2, 3, 4, 5)),
        (Place(9), b"\x09\0\0\0", struct.pack("<II", 0x20000009, 5), Region(0x20000009, 5)),
        (Adopt(0xFF), b"\xff\0\0\0", b"\7\0\0\0", 7),
        (Serve(Fraction(5, 32)), struct.pack("<II", 32, 5), b"", None),
        (Output(8, 4), b"\x08\0\0\0\4\0\0\0", b"xyz", b"xyz"),
    ],
    ids=["LOAD", "RUN", "PROFILE", "PAINT", "PLACE", "ADOPT", "SERVE", "OUTPUT"],
)
def test_requests(request_: Request[Any], sent: bytes, answer: bytes, meaning: object) -> None:
    assert request_.payload() == sent
    assert request_.parse(answer) == meaning
    for wrong in {answer + b"??", b""} - {answer}:
        with pytest.raises(CorruptStreamError):
            request_.parse(wrong)


STATE = BoardState.LAYOUT.pack(0x411FC271, 216_000_000, 215_000_000, 0b111111, 7, 2, b"\1" * 12)


def test_the_state_of_a_board() -> None:
    state = AskBoard().parse(STATE)
    assert (state.core, state.wait_states, state.reset) == ("cortex-m7", 7, Reset.PIN)
    assert state.chip_id == "01" * 12
    assert Flag.OVERDRIVE in state.flags
    assert not state.is_clock_wrong
    silent = AskBoard().parse(bytes(BoardState.LAYOUT.size))
    assert (silent.core, silent.chip_id, silent.flags) == ("", "", Flag(0))
    assert not silent.is_clock_wrong


def test_a_state_that_cannot_be() -> None:
    with pytest.raises(CorruptStreamError, match="BOARD: 27 B where 28 B belong"):
        AskBoard().parse(STATE[:-1])
    with pytest.raises(CorruptStreamError, match="unknown reset reason 9"):
        AskBoard().parse(STATE[:15] + b"\x09" + STATE[16:])


def test_a_clock_that_is_not_what_it_was_set_to() -> None:
    slow = BoardState.LAYOUT.pack(0, 216_000_000, 108_000_000, 0, 0, 0, bytes(12))
    assert AskBoard().parse(slow).is_clock_wrong


def test_samples_whose_count_lies_do_not_allocate() -> None:
    with pytest.raises(CorruptStreamError, match="RUN: 0 B"):
        Run(0, 1).parse(struct.pack("<II", 0, 0xFFFFFFFF))


def test_events() -> None:
    assert Progress.parse(struct.pack("<IIQ", 1, 2, 3)) == Progress(1, 2, 3)
    with pytest.raises(CorruptStreamError, match="PROGRESS: 3 B where 16 B belong"):
        Progress.parse(b"123")
    assert Want.parse(struct.pack("<III", 288, 96, 9)) == Want(offset=288, size=96, address=9)
    with pytest.raises(CorruptStreamError, match="WANT: 3 B where 12 B belong"):
        Want.parse(b"123")
    with pytest.raises(CorruptStreamError, match="FAULT: 3 B where 36 B belong"):
        Fault.parse(b"123")


def test_refusals_are_sentences() -> None:
    assert Refusal(4, 3, 12).text() == "has only 12 B of its inputs"
    assert Refusal(99, 3, 1).text() == "answered with unknown error 99 (detail 1)"


def test_a_board_that_did_not_come_up_says_why() -> None:
    fault = Fault(0, 2, 0, 0, 0, 0, 0, 0, 0)
    assert fault.text() == "the board did not come up: its PLL does not lock"
    assert "supply" in fault.hint()
    assert "reason 77" in Fault(0, 77, 0, 0, 0, 0, 0, 0, 0).text()


def test_faults_say_what_is_known() -> None:
    unknown = Fault(3, 0, 0x40000000, 0, 0, 0, 0, 0x20000100, 0x20000000)
    assert unknown.text() == ("HardFault (HFSR 0x40000000), sp 0x20000100, stack from 0x20000000")
    assert "addr2line" in unknown.hint()
    below = Fault(4, 0x82, 0, 0x1FFFFFFC, 0, 0, 0, 0x20000010, 0x20000000)
    assert below.is_stack_overflow
    assert below.address == 0x1FFFFFFC
