"""An input that is handed out row by row while the board runs, over a line that loses things."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from harness.devices.fake import TICKS, Facts, FakeBoard, Trouble
from harness.devices.replay import ReplayConsole
from harness.errors import CorruptStreamError, FirmwareFaultError, NoAnswerError
from harness.telemetry.capture import Capture, Direction
from harness.telemetry.frames import Decoder, Frame, encode
from harness.telemetry.messages import ROW, AskHello, EventType, Run
from harness.telemetry.session import Session

FACTS = Facts(input_bytes=0, row_count=20, row_bytes=150)
IMAGE = bytes(i % 251 for i in range(3000))
OUTPUT = bytes((byte + 1) % 256 for byte in IMAGE)
GRAIN = Fraction(5, 32)


def served(fake: FakeBoard, image: bytes = IMAGE) -> Session:
    session = Session(fake, now=fake.now)
    session.hello(build_id=fake.facts.build_id, model_sha256=fake.facts.model_sha256)
    session.serve(image, grain=GRAIN)
    return session


def frames(capture: Capture, direction: Direction) -> list[Frame]:
    decoder = Decoder()
    data = (t.data for t in capture.traffic if t.direction is direction)
    return [frame for part in data for frame in decoder.feed(part)]


class Spoiler(FakeBoard):
    """A board whose line changes some frames: ``spoil`` gets each that goes a way, and a count."""

    def spoil(self, way: Direction, change: Callable[[Frame, int], list[Frame]]) -> None:
        self._way, self._change, self._count = way, change, 0

    def _changed(self, data: bytes, way: Direction) -> bytes:
        if getattr(self, "_way", None) is not way:
            return data
        result = b""
        for frame in Decoder().feed(data):
            kept = self._change(frame, self._count)
            self._count += frame.type in (ROW, EventType.WANT)
            result += b"".join(map(encode, kept))
        return result

    def write(self, data: bytes) -> None:
        super().write(self._changed(data, Direction.TO_BOARD))

    def read(self, timeout_s: float) -> bytes:
        return self._changed(super().read(timeout_s), Direction.FROM_BOARD)


@pytest.mark.parametrize("has_debug_port", [False, True], ids=["line", "port"])
def test_run_paint_and_profile_get_their_rows(has_debug_port: bool) -> None:
    fake = FakeBoard(facts=FACTS, has_debug_port=has_debug_port)
    session = served(fake)
    assert session.run(warmup=1, repeat=3).ticks == (TICKS,) * 3
    assert session.outputs([3000]) == [OUTPUT]
    session.sram()
    assert len(session.profile().ticks) == 100
    assert fake.inferences == 4 + 2 + 2  # one answer holds 64 of the 100 steps
    rows = [f for f in frames(session.capture, Direction.TO_BOARD) if f.type == ROW]
    assert len(rows) == 8 * 20
    assert {len(f.payload) for f in rows} == {4 if has_debug_port else 154}


@pytest.mark.parametrize("trouble", [Trouble(flip=1e-3), Trouble(drop=1e-3)], ids=["flip", "drop"])
@pytest.mark.parametrize("seed", range(10))
def test_lost_and_damaged_rows_cost_time_and_nothing_else(trouble: Trouble, seed: int) -> None:
    fake = FakeBoard(facts=FACTS, trouble=trouble, seed=seed)
    session = served(fake)
    assert session.run(warmup=0, repeat=5).ticks == (TICKS,) * 5
    assert fake.inferences == 5
    assert session.outputs([3000]) == [OUTPUT]


def lose(frame: Frame, count: int) -> list[Frame]:
    return [] if frame.type in (ROW, EventType.WANT) and count == 3 else [frame]


def double(frame: Frame, _count: int) -> list[Frame]:
    return [frame, frame] if frame.type in (ROW, EventType.WANT) else [frame]


class _Reorder:
    """Lets the row before come again in place of the third one."""

    def __init__(self) -> None:
        self.before: list[Frame] = []

    def __call__(self, frame: Frame, count: int) -> list[Frame]:
        said, self.before = self.before, [frame]
        return said if frame.type == ROW and count == 3 else [frame]


def shorten(frame: Frame, count: int) -> list[Frame]:
    return [replace(frame, payload=frame.payload[:-1])] if count == 3 else [frame]


@pytest.mark.parametrize(
    ("way", "change"),
    [
        (Direction.FROM_BOARD, lose),
        (Direction.TO_BOARD, lose),
        (Direction.FROM_BOARD, double),
        (Direction.TO_BOARD, double),
        (Direction.TO_BOARD, _Reorder()),
        (Direction.TO_BOARD, shorten),
    ],
    ids=["lost want", "lost row", "want twice", "row twice", "row before", "short row"],
)
def test_a_row_is_taken_once_and_in_its_place(
    way: Direction, change: Callable[[Frame, int], list[Frame]]
) -> None:
    fake = Spoiler(facts=FACTS)
    session = served(fake)
    fake.spoil(way, change)
    session.run(warmup=0, repeat=2)
    assert session.outputs([3000]) == [OUTPUT]
    assert fake.inferences == 2
    assert fake.time_s < 3.0


def test_a_session_with_rows_replays() -> None:
    fake = Spoiler(facts=FACTS)
    session = served(fake)
    fake.spoil(Direction.TO_BOARD, lose)
    ticks = session.run(warmup=0, repeat=2).ticks
    console = ReplayConsole(session.capture)
    again = Session(console, now=fake.now)
    again.hello(build_id=FACTS.build_id, model_sha256=FACTS.model_sha256)
    again.serve(IMAGE, grain=GRAIN)
    assert again.run(warmup=0, repeat=2).ticks == ticks


def test_a_new_host_is_heard_by_a_board_that_waits_for_a_row() -> None:
    fake = FakeBoard(facts=FACTS)
    served(fake)
    fake.write(encode(Frame(Run.TYPE, 9, Run(0, 5).payload())))  # and then this host goes away
    session = served(fake)  # which hears what the one before wanted
    session.run(warmup=0, repeat=1)
    assert fake.inferences == 1
    assert frames(session.capture, Direction.TO_BOARD)[0].type == AskHello.TYPE


def test_a_board_that_wants_the_same_row_for_ever_is_given_up() -> None:
    fake = Spoiler(facts=FACTS)
    session = served(fake)
    fake.spoil(Direction.TO_BOARD, lambda frame, _: [] if frame.type == ROW else [frame])
    with pytest.raises((NoAnswerError, CorruptStreamError)) as caught:
        session.run(warmup=0, repeat=1)
    assert fake.time_s < 70.0
    assert caught.value.capture


def test_nothing_runs_before_somebody_serves() -> None:
    fake = FakeBoard(facts=FACTS)
    session = Session(fake, now=fake.now)
    session.hello(build_id=FACTS.build_id, model_sha256=FACTS.model_sha256)
    with pytest.raises(FirmwareFaultError, match="RUN: the board has only 0 B of its inputs"):
        session.run(warmup=0, repeat=1)


def test_an_input_of_another_size_is_not_served() -> None:
    with pytest.raises(CorruptStreamError, match="fetches 3000 B of an input, the model has 2 B"):
        served(FakeBoard(facts=FACTS), b"ab")


def test_bytes_that_are_not_of_the_input_are_not_handed_out() -> None:
    def beyond(frame: Frame, _count: int) -> list[Frame]:
        is_want = frame.type == EventType.WANT
        return [replace(frame, payload=struct.pack("<III", 2999, 2, 0))] if is_want else [frame]

    fake = Spoiler(facts=FACTS)
    session = served(fake)
    fake.spoil(Direction.FROM_BOARD, beyond)
    with pytest.raises(CorruptStreamError, match="WANT: 2 B from 2999 on, of an input of 3000 B"):
        session.run(warmup=0, repeat=1)
