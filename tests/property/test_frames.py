"""Frames survive the line, and nothing that the CRC does not cover ever comes out."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from harness.telemetry.frames import FRAME_BYTES_MAX, Decoder, Frame, encode

frames = st.builds(
    Frame,
    type=st.integers(0, 255),
    sequence=st.integers(0, 255),
    payload=st.binary(max_size=2000) | st.integers(0, 1100).map(bytes),
)


@given(st.lists(frames, max_size=5), st.data())
def test_frames_come_out_as_they_went_in_whatever_the_pieces(
    sent: list[Frame], data: st.DataObject
) -> None:
    line = b"".join(encode(frame) for frame in sent)
    decoder = Decoder()
    received: list[Frame] = []
    while line:
        size = data.draw(st.integers(1, len(line)))
        received += decoder.feed(line[:size])
        line = line[size:]
    assert received == sent
    assert decoder.damaged == 0


@given(frames, st.binary(max_size=300))
def test_garbage_before_a_frame_costs_at_most_itself(frame: Frame, garbage: bytes) -> None:
    received = Decoder().feed(garbage + encode(frame))
    assert received[-1:] == [frame]


@given(frames, st.data())
def test_a_damaged_frame_does_not_come_out(frame: Frame, data: st.DataObject) -> None:
    line = bytearray(encode(frame))
    at = data.draw(st.integers(1, len(line) - 2))
    line[at] ^= data.draw(st.integers(1, 255))
    decoder = Decoder()
    assert frame not in decoder.feed(bytes(line))


@given(st.binary(max_size=5000))
def test_what_comes_out_of_noise_is_covered_by_a_crc(noise: bytes) -> None:
    for frame in Decoder().feed(noise):
        assert encode(frame)[1:-1] in noise


def test_the_encoding_is_the_specified_one() -> None:
    body = bytes((0x42, 0x07, 0x00, 0x11))
    crc = zlib.crc32(body).to_bytes(4, "little")
    assert 0 not in crc
    stuffed = bytes((3, 0x42, 0x07, 1 + 1 + len(crc), 0x11)) + crc
    assert encode(Frame(0x42, 7, b"\x00\x11")) == b"\0" + stuffed + b"\0"


def test_a_line_without_delimiters_is_not_kept() -> None:
    decoder = Decoder()
    for _ in range(10):
        decoder.feed(b"\x55" * FRAME_BYTES_MAX)
    assert len(decoder._pending) <= FRAME_BYTES_MAX
    assert decoder.damaged == 1
    good = Frame(1, 2, b"x")
    assert decoder.feed(encode(good)) == [good]
