"""A session against a board that misbehaves: a bounded wait, the right error, the capture kept."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest

from harness.devices.fake import OVERHEAD_TICKS, TICKS, Facts, FakeBoard, Trouble
from harness.errors import (
    CorruptStreamError,
    FirmwareFaultError,
    NoAnswerError,
    WrongFirmwareError,
)
from harness.telemetry.capture import Capture, Direction
from harness.telemetry.fault import Fault
from harness.telemetry.frames import Decoder, Frame, encode
from harness.telemetry.link import Patience
from harness.telemetry.messages import Adopt, AskHello, EventType, Load, Progress, Run
from harness.telemetry.session import Session

BUILD, MODEL = "01" * 8, "02" * 32
FACTS = Facts(build_id=BUILD, model_sha256=MODEL)
INPUT = bytes(i % 256 for i in range(3000))
OUTPUT = bytes((i + 1) % 256 for i in range(3000))


def board(trouble: Trouble | None = None, facts: Facts | None = None) -> FakeBoard:
    return FakeBoard(facts=facts or FACTS, trouble=trouble or Trouble())


class Parrot:
    """A console that says one frame, whatever it hears."""

    memory = None

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def read(self, _timeout_s: float) -> bytes:
        return encode(self._frame)

    def write(self, data: bytes) -> None:
        pass


def greeted(fake: FakeBoard) -> Session:
    session = Session(fake, now=fake.now)
    session.hello(build_id=BUILD, model_sha256=MODEL)
    return session


def requests(capture: Capture) -> list[Frame]:
    decoder = Decoder()
    sent = (t.data for t in capture.traffic if t.direction is Direction.TO_BOARD)
    return [frame for data in sent for frame in decoder.feed(data)]


def test_a_run_on_a_sound_line() -> None:
    session = greeted(board())
    session.load([INPUT[:1000], INPUT[1000:]])
    heard: list[Progress] = []
    samples = session.run(warmup=2, repeat=3, on_progress=heard.append)
    assert samples.ticks == (TICKS,) * 3
    assert samples.overhead_ticks == OVERHEAD_TICKS
    assert [p.done for p in heard] == [0, 1, 2, 3, 4, 5]
    assert session.outputs([1000, 2000]) == [OUTPUT[:1000], OUTPUT[1000:]]
    assert session.profile().ticks == tuple(TICKS + step for step in range(100))


def test_more_samples_than_one_answer_holds_come_in_several() -> None:
    fake = board(facts=replace(FACTS, samples_max=4))
    session = greeted(fake)
    session.load([INPUT])
    heard: list[Progress] = []
    assert len(session.run(warmup=1, repeat=10, on_progress=heard.append).ticks) == 10
    assert fake.inferences == 11
    assert heard[-1] == Progress(done=11, total=11, ticks=TICKS)


def test_inputs_go_up_again_before_each_inference_where_the_board_cannot_keep_them() -> None:
    fake = board(facts=replace(FACTS, staging_bytes=100))
    session = greeted(fake)
    session.load([INPUT])
    assert len(session.run(warmup=1, repeat=3).ticks) == 3
    assert session.sram().arena_touched == 5900
    uploads = [
        r for r in requests(session.capture) if r.type == Load.TYPE and r.payload[:4] == b"\0" * 4
    ]
    assert len(uploads) == 1 + 4 + 2
    assert session.outputs([3000]) == [OUTPUT]


@pytest.mark.parametrize("staging_bytes", [4096, 100])
def test_inputs_go_through_the_debug_port_where_there_is_one(staging_bytes: int) -> None:
    fake = FakeBoard(facts=replace(FACTS, staging_bytes=staging_bytes), has_debug_port=True)
    session = greeted(fake)
    session.load([INPUT])
    session.run(warmup=1, repeat=2)
    assert session.outputs([3000]) == [OUTPUT]
    types = [request.type for request in requests(session.capture)]
    assert Load.TYPE not in types
    assert types.count(Adopt.TYPE) == (1 if staging_bytes == 4096 else 4)


def test_a_debug_port_that_writes_something_else_is_found_out() -> None:
    fake = FakeBoard(facts=FACTS, has_debug_port=True)
    fake._ram[:] = b"\1" * 3000
    session = greeted(fake)
    with pytest.raises(FirmwareFaultError, match="ADOPT: the board has other bytes in memory"):
        session._link.ask(Adopt(zlib.crc32(INPUT)))


def test_painting_tells_bytes_that_only_look_untouched() -> None:
    session = greeted(board())
    session.load([b"\xa4" * 3000])  # the fake's outputs are then all 0xA5, which is the pattern
    use = session.sram()
    assert (use.arena_touched, use.arena_high_water) == (5900, 5900)
    assert (use.stack_high_water, use.stack_entry) == (300, 200)


@pytest.mark.parametrize("trouble", [Trouble(flip=1e-3), Trouble(drop=1e-3)], ids=["flip", "drop"])
@pytest.mark.parametrize("seed", range(10))
def test_lost_and_damaged_bytes_cost_time_and_nothing_else(trouble: Trouble, seed: int) -> None:
    fake = FakeBoard(facts=replace(FACTS, chunk_bytes=256), trouble=trouble, seed=seed)
    session = greeted(fake)
    session.load([INPUT])
    assert session.run(warmup=1, repeat=20).ticks == (TICKS,) * 20
    assert fake.inferences == 21  # a request that came twice was done once
    assert session.outputs([3000]) == [OUTPUT]
    assert fake.time_s < 30.0


def load_sizes(session: Session) -> list[int]:
    return [len(r.payload) - 4 for r in requests(session.capture) if r.type == Load.TYPE]


@pytest.mark.parametrize("seed", range(5))
def test_long_chunks_are_given_up_on_a_line_that_damages_them(seed: int) -> None:
    """At a flip in 400 bytes one frame of 2,048 bytes in two hundred comes through."""
    fake = FakeBoard(facts=replace(FACTS, chunk_bytes=4096), seed=seed)
    session = greeted(fake)
    session.load([INPUT])
    fake.trouble.flip = 2.5e-3
    session.load([INPUT])
    session.run(warmup=0, repeat=1)
    assert session.outputs([3000]) == [OUTPUT]
    first = load_sizes(session).index(3000 - 256 - 512 - 1024)
    assert min(load_sizes(session)[first + 1 :]) < 500
    assert fake.time_s < 20.0


def test_a_sound_line_gets_the_longest_chunks() -> None:
    session = greeted(board(facts=replace(FACTS, chunk_bytes=800)))
    session.load([INPUT])
    session.load([INPUT])
    assert load_sizes(session) == [256, 512, 800, 800, 632, 800, 800, 800, 600]


@pytest.mark.parametrize("bytes_per_s", [100_000, 1_500])
def test_a_slow_line_is_waited_for(bytes_per_s: int) -> None:
    """What is sent again while the first is still under way makes the line slower yet."""

    class Slow(FakeBoard):
        free_s = 0.0

        def write(self, data: bytes) -> None:
            self.free_s = max(self.free_s, self.time_s) + len(data) / bytes_per_s
            super().write(data)

        def read(self, timeout_s: float) -> bytes:
            if self.time_s < self.free_s:
                self.time_s = min(self.free_s, self.time_s + timeout_s)
                return b""
            return super().read(timeout_s)

    fake = Slow(facts=replace(FACTS, chunk_bytes=4096))
    session = greeted(fake)
    session.load([INPUT])
    assert session.trouble == ""
    assert fake.time_s < 1.1 * 3000 / bytes_per_s + 0.1


def test_a_board_that_never_says_hello() -> None:
    fake = board(Trouble(mute_after=0))
    fake.read(0)  # its boot message went by unread
    with pytest.raises(NoAnswerError, match="HELLO: the board said nothing for 10 s") as caught:
        greeted(fake)
    assert 10.0 <= fake.time_s < 11.0
    assert len(requests(Capture.decode(caught.value.capture))) == 20


def test_a_board_that_stops_halfway() -> None:
    fake = board(Trouble(mute_after=3))
    session = greeted(fake)
    with pytest.raises(NoAnswerError, match="LOAD: the board said nothing for 60 s"):
        session.load([INPUT])
    assert fake.time_s < 62.0


def test_a_board_that_resets_itself() -> None:
    session = greeted(board(Trouble(reset_after=3)))
    session.load([INPUT])
    with pytest.raises(FirmwareFaultError, match="reset itself during RUN") as caught:
        session.run(warmup=0, repeat=10)
    assert caught.value.capture.startswith(b"bench-capture 1\n")


@pytest.mark.parametrize("babble", [b"Hello World!\r\n", bytes(range(256)) * 64, b"\0" * 4096])
def test_a_flooding_board(babble: bytes) -> None:
    fake = board(Trouble(babble=babble, mute_after=0))
    session = Session(fake, patience=Patience(useless_bytes_max=1 << 16), now=fake.now)
    with pytest.raises(CorruptStreamError, match="no answer in"):
        session.hello(build_id=BUILD, model_sha256=MODEL)
    assert fake.time_s < 11.0


def test_a_firmware_of_another_build_or_model_is_refused() -> None:
    fake = board()
    session = Session(fake, now=fake.now)
    with pytest.raises(WrongFirmwareError, match="runs build 0101010101010101") as caught:
        session.hello(build_id="ff" * 8, model_sha256=MODEL)
    assert caught.value.exit_code == 3
    with pytest.raises(WrongFirmwareError, match="runs model 0202020202020202"):
        session.hello(build_id=BUILD, model_sha256="ff" * 32)


def test_a_board_of_another_protocol_version_is_refused() -> None:
    older = Parrot(Frame(0x81, 1, b"\x63\x00"))
    with pytest.raises(CorruptStreamError, match="protocol version 99, this is 1"):
        Session(older).hello(build_id=BUILD, model_sha256=MODEL)


def test_a_clock_that_stands_still_is_told() -> None:
    session = greeted(board(facts=replace(FACTS, clock_counts=False)))
    session.load([INPUT])
    with pytest.raises(FirmwareFaultError, match="RUN: the board has a clock that stands still"):
        session.run(warmup=0, repeat=1)


def test_inputs_of_another_size_are_not_sent() -> None:
    session = greeted(board())
    with pytest.raises(CorruptStreamError, match="takes 3000 B of inputs, the model has 1 B"):
        session.load([b"x"])


def test_a_fault_is_named() -> None:
    fault = Fault.LAYOUT.pack(5, 0x8200, 0, 0, 0x1FFFFFF0, 0x10010, 0x10020, 0x20000000, 0x20000000)
    with pytest.raises(FirmwareFaultError) as caught:
        Session(Parrot(Frame(EventType.FAULT, 0, fault))).hello(build_id=BUILD, model_sha256=MODEL)
    assert caught.value.message == (
        "the firmware stopped: BusFault (PRECISERR), address 0x1ffffff0, "
        "at pc 0x00010010, called from 0x00010020, sp 0x20000000, stack from 0x20000000"
    )
    assert caught.value.hint == "the stack overflowed its reserve: build with more stack"


def test_a_long_inference_is_waited_for_and_not_pestered() -> None:
    """While the board infers it hears nothing; what was asked again meanwhile would pile up."""

    class Slow(FakeBoard):
        def read(self, timeout_s: float) -> bytes:
            if self.time_s < 40.0 and self._last and self._last[0].type == Run.TYPE:
                self.time_s += timeout_s
                return b""
            return super().read(timeout_s)

    fake = Slow(facts=FACTS)
    session = greeted(fake)
    session.load([INPUT])
    session.run(warmup=0, repeat=1)
    assert fake.inferences == 1


def test_hello_forgets_an_earlier_session() -> None:
    """Numbers start afresh: the first request of a new host is not taken for a repeated one."""
    fake = board()
    for _ in range(2):
        session = greeted(fake)
        session.load([INPUT])
        session.run(warmup=0, repeat=1)
    assert fake.inferences == 2
    assert requests(session.capture)[0].type == AskHello.TYPE
