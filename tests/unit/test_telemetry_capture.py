"""Captures: written, read back, refused when they are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import CorruptStreamError
from harness.telemetry.capture import Capture, Direction, Traffic, with_source

traffic = st.builds(
    Traffic,
    time_s=st.integers(0, 10**9).map(lambda microseconds: microseconds / 1e6),
    direction=st.sampled_from(Direction),
    data=st.binary(min_size=1, max_size=50),
)


@given(st.lists(traffic, max_size=20).map(tuple).map(Capture))
def test_a_capture_reads_back_as_it_was_written(capture: Capture) -> None:
    assert Capture.decode(capture.encode()) == capture


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a capture: the first line is not 'bench-capture 1'"),
        (b"\xff\xfe\x00", "not a capture"),
        (
            b"bench-capture 1\n0.1 < 00\n0.2 ? 00\n",
            "line 3: expected 'SECONDS <|> HEX', found '0.2 ",
        ),
        (b"bench-capture 1\n0.1 < 0\n", "line 2"),
        (b"bench-capture 1\nnow\n", "line 2"),
    ],
)
def test_what_is_no_capture_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(CorruptStreamError) as caught:
        Capture.decode(content)
    assert message in caught.value.message


def test_a_capture_says_what_it_is_of() -> None:
    content = Capture((Traffic(0.5, Direction.FROM_BOARD, b"x"),)).encode()
    said = with_source(content, "hardware")
    assert said.startswith(b"bench-capture 1 hardware\n0.500000 < 78\n")
    assert Capture.decode(said).source == "hardware"
    assert Capture.decode(content).source == ""
    assert with_source(b"", "hardware") == b"", "nothing went over the wire"
