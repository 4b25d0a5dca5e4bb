"""The socket between a probe and its desk: messages round, and what is none harms nobody."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sim_lab import wire
from harness.sim_lab.server import Desk

U32 = st.integers(0, 0xFFFF_FFFF)
READS = st.builds(
    wire.Operation,
    st.sampled_from([wire.Kind.READ_DP, wire.Kind.READ_AP]),
    st.sampled_from([0, 4, 8, 12]),
    st.integers(0, wire.MOST_READ),
)
WRITES = st.lists(U32, min_size=1, max_size=20).flatmap(
    lambda words: st.builds(
        wire.Operation,
        st.sampled_from([wire.Kind.WRITE_DP, wire.Kind.WRITE_AP]),
        st.sampled_from([0, 4, 8, 12]),
        st.just(len(words)),
        st.just(tuple(words)),
    )
)


@given(st.lists(READS | WRITES, max_size=10))
def test_batches_come_round(batch: list[wire.Operation]) -> None:
    message = wire.encode_batch(batch)
    assert message[:1] == wire.TRANSFER
    assert wire.decode_batch(message[1:]) == batch


@given(st.sampled_from(wire.Status), U32, st.lists(U32, max_size=20))
def test_results_come_round(status: wire.Status, done: int, words: list[int]) -> None:
    assert wire.decode_result(wire.encode_result(status, done, words)) == (status, done, words)


@given(st.binary(max_size=60))
def test_bytes_are_a_batch_or_are_refused(body: bytes) -> None:
    try:
        batch = wire.decode_batch(body)
    except wire.WireError:
        return
    assert wire.encode_batch(batch)[1:] == body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x00\x00", "cut off"),
        (struct.pack("<BBI", 9, 0, 0), "no operation 9"),
        (struct.pack("<BBI", wire.Kind.WRITE_AP, 0, 0xFFFF_FFFF), "fewer came"),
        (struct.pack("<BBI", wire.Kind.READ_AP, 0, 0xFFFF_FFFF), "a read of 4294967295 words"),
    ],
)
def test_a_hostile_batch_is_refused_by_name(body: bytes, reason: str) -> None:
    with pytest.raises(wire.WireError, match=reason):
        wire.decode_batch(body)


def test_a_result_that_is_cut_off_is_refused() -> None:
    with pytest.raises(wire.WireError, match="cut off"):
        wire.decode_result(b"\0\0\0")


@pytest.fixture(scope="module")
def desk() -> Desk:
    """A desk without boards: nothing of it needs an emulator."""
    return Desk({}, None)


def _talk(desk: Desk, sent: bytes) -> bytes:
    """Return what a desk answers to bytes, until it lets go."""
    ours, theirs = socket.socketpair()
    served = threading.Thread(target=desk.serve, args=(theirs,))
    served.start()
    with ours:
        ours.settimeout(10)
        try:
            ours.sendall(sent)
            ours.shutdown(socket.SHUT_WR)
            answer = b""
            while data := ours.recv(4096):
                answer += data
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
    served.join(10)
    assert not served.is_alive()
    return answer


@given(data=st.binary(max_size=80))
def test_no_bytes_end_the_desk(desk: Desk, data: bytes) -> None:
    _talk(desk, data)
    assert _talk(desk, b"\x01\0\0\0" + wire.LIST) == b"\x01\0\0\0" + wire.DONE


def test_transfers_before_a_probe_is_taken_are_let_go(desk: Desk) -> None:
    assert _talk(desk, b"\x01\0\0\0" + wire.TRANSFER) == b""


def test_a_board_that_is_not_there_is_refused(desk: Desk) -> None:
    answer = _talk(desk, b"\x04\0\0\0" + wire.OPEN + b"abc")
    assert answer[4:] == wire.REFUSED + b"no board abc is on the desk"
