"""A board that exists only here: it speaks PROTOCOL.md, and misbehaves when told to.

It keeps the session and its error paths honest where no emulator runs, and runs in virtual time:
a wait of a minute takes none. Its "inference" adds one to every input byte.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from random import Random

from harness.telemetry.board_state import BoardState, Flag, Reset
from harness.telemetry.console import Memory
from harness.telemetry.frames import Decoder, Frame, encode
from harness.telemetry.messages import (
    ANSWER,
    PROTOCOL_VERSION,
    ROW,
    Adopt,
    AskBoard,
    AskHello,
    ClockKind,
    EventType,
    Hello,
    Load,
    Output,
    Paint,
    Place,
    Profile,
    Run,
    Serve,
    Want,
)
from harness.telemetry.refusal import ERROR, ErrorCode

TICKS = 1000
OVERHEAD_TICKS = 10
INFERENCE_S = 0.01


NOTHING_KNOWN = BoardState(
    cpuid=0,
    core_hz=0,
    measured_hz=0,
    flags=Flag(0),
    wait_states=0,
    reset=Reset.UNKNOWN,
    chip_id="",
)
"""What a board tells that tells nothing."""

_RAM_ORIGIN = 0x20000000
_PIECE_BYTES = 2000
_RING_ROWS = 3


@dataclass(slots=True, kw_only=True)
class Trouble:
    """What goes wrong.

    ``mute_after`` is the number of requests it hears before it falls silent, ``reset_after`` the
    number of inferences before it starts again from boot. ``flip`` and ``drop`` are chances per
    byte, both ways. ``babble`` is sent instead of all answers, for ever.
    """

    mute_after: int | None = None
    reset_after: int | None = None
    flip: float = 0.0
    drop: float = 0.0
    babble: bytes = b""


@dataclass(slots=True, kw_only=True)
class Facts:
    """What the board is."""

    build_id: str = "00" * 8
    model_sha256: str = "00" * 32
    input_bytes: int = 3000
    step_count: int = 100
    staging_bytes: int = 4096
    chunk_bytes: int = 1024
    samples_max: int = 64
    clock_counts: bool = True
    row_count: int = 0
    row_bytes: int = 0
    state: BoardState = NOTHING_KNOWN


_Answer = bytes | tuple[ErrorCode, int] | None
"""A payload, a refusal, or None when the board started again instead."""

_Work = Generator[Want, bytes, _Answer]
"""What a request sets going: it asks for bytes on the way, and ends with the answer."""


@dataclass(frozen=True, slots=True)
class _FakeMemory:
    ram: bytearray

    def write(self, address: int, data: bytes) -> None:
        """Write into the board's RAM, which grows as needed."""
        offset = address - _RAM_ORIGIN
        self.ram[offset : offset + len(data)] = data


@dataclass(slots=True)
class FakeBoard:
    """A console with a board behind it; ``now`` is the virtual time, in seconds."""

    facts: Facts = field(default_factory=Facts)
    trouble: Trouble = field(default_factory=Trouble)
    seed: int = 0
    has_debug_port: bool = False
    time_s: float = 0.0
    inferences: int = 0
    _random: Random = field(init=False)
    _decoder: Decoder = field(init=False, default_factory=Decoder)
    _sent: bytearray = field(init=False, default_factory=bytearray)
    _inputs: bytes = field(init=False, default=b"")
    _ram: bytearray = field(init=False, default_factory=bytearray)
    _outputs: bytes = field(init=False, default=b"")
    _last: tuple[Frame, Frame] | None = field(init=False, default=None)
    _running: tuple[Frame, _Work] | None = field(init=False, default=None)
    _want: Frame | None = field(init=False, default=None)
    _wants: int = field(init=False, default=0)
    _is_served: bool = field(init=False, default=False)
    _requests: int = field(init=False, default=0)
    _events: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._boot()

    def now(self) -> float:
        """Return the virtual time."""
        return self.time_s

    @property
    def memory(self) -> Memory | None:
        """The board's memory, if it has a debug port."""
        return _FakeMemory(self._ram) if self.has_debug_port else None

    def read(self, timeout_s: float) -> bytes:
        """Return what the board has sent; an empty line lets time pass."""
        if self.trouble.babble:
            self._sent += self.trouble.babble
        if not self._sent:
            self.time_s += timeout_s
            return b""
        self.time_s += 0.001
        data, self._sent = bytes(self._sent), bytearray()
        return self._damage(data)

    def write(self, data: bytes) -> None:
        """Let the board hear ``data`` and act on it."""
        damaged = self._decoder.damaged
        for request in self._decoder.feed(self._damage(data)):
            self._hear(request)
        for _ in range(self._decoder.damaged - damaged):
            self._send_event(EventType.DAMAGED)

    def _hear(self, request: Frame) -> None:
        if self.trouble.mute_after is not None and self._requests >= self.trouble.mute_after:
            return
        if request.type == ROW:
            self._take(request)
        elif self._running is not None and self._running[0] == request:
            self._send_want()
        elif self._last is None or self._last[0] != request:
            self._requests += 1
            self._begin(request)
        else:
            self._send(self._last[1])

    def _begin(self, request: Frame) -> None:
        """Set a new request going; what ran before is given up."""
        self._running = None
        works: dict[int, Callable[[bytes], _Work]] = {
            Run.TYPE: self._run,
            Profile.TYPE: self._profile,
            Paint.TYPE: self._paint,
        }
        answers: dict[int, Callable[[bytes], _Answer]] = {
            AskHello.TYPE: lambda _: self._hello(),
            Load.TYPE: self._load,
            Output.TYPE: self._output,
            Place.TYPE: self._place,
            Adopt.TYPE: self._adopt,
            Serve.TYPE: self._serve,
            AskBoard.TYPE: lambda _: self._board(),
        }
        if request.type in works:
            self._go_on(request, works[request.type](request.payload))
        elif request.type in answers:
            self._answer(request, answers[request.type](request.payload))
        else:
            self._answer(request, (ErrorCode.UNKNOWN_REQUEST, request.type))

    def _go_on(self, request: Frame, work: _Work, row: bytes | None = None) -> None:
        """Work until bytes are wanted, or to the answer."""
        try:
            want = next(work) if row is None else work.send(row)
        except StopIteration as end:
            self._running = None
            self._answer(request, end.value)
            return
        self._running = request, work
        self._wants += 1
        payload = struct.pack("<III", want.offset, want.size, want.address)
        self._want = Frame(EventType.WANT, self._wants % 256, payload)
        self._send_want()

    def _send_want(self) -> None:
        assert self._want is not None
        self._send(self._want)

    def _take(self, row: Frame) -> None:
        """Go on with the bytes that were wanted; any others are passed over."""
        if self._running is None or self._want is None or row.sequence != self._want.sequence:
            return
        want = Want.parse(self._want.payload)
        place = want.address - _RAM_ORIGIN
        data = row.payload[4:] or bytes(self._ram[place : place + want.size])
        if zlib.crc32(data) == struct.unpack_from("<I", row.payload)[0]:
            self._go_on(*self._running, data)
        else:
            self._send_want()

    def _answer(self, request: Frame, answer: _Answer) -> None:
        match answer:
            case bytes(payload):
                frame = Frame(request.type | ANSWER, request.sequence, payload)
            case (code, detail):
                frame = _refusal(request, code, detail)
            case None:
                return
        self._last = (request, frame)
        self._send(frame)

    def _boot(self) -> None:
        self._inputs, self._last, self._events = b"", None, 0
        self._running, self._is_served = None, False
        self._send_event(EventType.BOOT, self._hello())

    def _hello(self) -> bytes:
        facts = self.facts
        return Hello.LAYOUT.pack(
            PROTOCOL_VERSION,
            ClockKind.TIMER,
            facts.clock_counts,
            25_000_000,
            bytes.fromhex(facts.build_id),
            bytes.fromhex(facts.model_sha256),
            facts.chunk_bytes,
            facts.samples_max,
            facts.input_bytes,
            facts.input_bytes + self._fetched_bytes,
            facts.step_count,
            2 * facts.input_bytes,
            facts.staging_bytes,
            self._fetched_bytes,
        )

    def _board(self) -> bytes:
        state = self.facts.state
        return state.LAYOUT.pack(
            state.cpuid,
            state.core_hz,
            state.measured_hz,
            state.flags,
            state.wait_states,
            state.reset,
            bytes.fromhex(state.chip_id).ljust(12, b"\0"),
        )

    @property
    def _is_staged(self) -> bool:
        return self.facts.staging_bytes >= self.facts.input_bytes

    @property
    def _fetched_bytes(self) -> int:
        return self.facts.row_count * self.facts.row_bytes

    def _serve(self, _payload: bytes) -> _Answer:
        self._is_served = True
        return b""

    def _load(self, payload: bytes) -> _Answer:
        (offset,) = struct.unpack_from("<I", payload)
        data = payload[4:]
        if offset > len(self._inputs) or offset + len(data) > self.facts.input_bytes:
            return ErrorCode.BAD_RANGE, len(self._inputs)
        self._inputs = self._inputs[:offset] + data + self._inputs[offset + len(data) :]
        return struct.pack("<I", len(self._inputs))

    def _why_not(self, inferences: int) -> tuple[ErrorCode, int] | None:
        if not self.facts.clock_counts:
            return ErrorCode.CLOCK_STOPPED, 0
        is_served = self._is_served or not self.facts.row_count
        if len(self._inputs) != self.facts.input_bytes or not is_served:
            return ErrorCode.INPUTS_MISSING, len(self._inputs)
        if not self._is_staged and inferences != 1:
            return ErrorCode.LOAD_EACH_TIME, self.facts.staging_bytes
        return None

    def _infer(self) -> Generator[Want, bytes, None]:
        fetched, size = b"", self.facts.row_bytes
        for row in range(self.facts.row_count):
            fetched += yield Want(row * size, size, _RAM_ORIGIN + row % _RING_ROWS * size)
        self.time_s += INFERENCE_S
        self.inferences += 1
        self._outputs = bytes((byte + 1) % 256 for byte in self._inputs + fetched)
        if not self._is_staged:
            self._inputs = b""

    def _run(self, payload: bytes) -> _Work:
        warmup, repeat = struct.unpack("<II", payload)
        total = warmup + repeat
        if (refusal := self._why_not(total)) is not None:
            return refusal
        self._send_progress(0, total)
        for done in range(1, total + 1):
            if self.inferences == self.trouble.reset_after:
                self._boot()
                return None
            yield from self._infer()
            self._send_progress(done, total)
        return _samples([TICKS] * repeat)

    def _profile(self, payload: bytes) -> _Work:
        if (refusal := self._why_not(1)) is not None:
            return refusal
        (first,) = struct.unpack("<I", payload)
        yield from self._infer()
        steps = range(first, min(self.facts.step_count, first + self.facts.samples_max))
        return _samples([TICKS + step for step in steps])

    def _paint(self, payload: bytes) -> _Work:
        if (refusal := self._why_not(1)) is not None:
            return refusal
        yield from self._infer()
        # The last 100 bytes of the arena stay untouched.
        arena = (self._outputs + self._outputs)[:-100] + payload * 100
        inverse = bytes((payload[0] ^ 0xFF,))
        return struct.pack(
            "<5I", len(arena) - 100, arena.count(payload), arena.count(inverse), 300, 200
        )

    def _output(self, payload: bytes) -> bytes:
        offset, size = struct.unpack("<II", payload)
        return self._outputs[offset : offset + min(size, self.facts.chunk_bytes)]

    def _place(self, payload: bytes) -> bytes:
        (offset,) = struct.unpack("<I", payload)
        size = min(_PIECE_BYTES, self.facts.input_bytes - offset)
        return struct.pack("<II", _RAM_ORIGIN + offset, size)

    def _adopt(self, payload: bytes) -> _Answer:
        there = bytes(self._ram[: self.facts.input_bytes])
        if zlib.crc32(there) != struct.unpack("<I", payload)[0]:
            return ErrorCode.OTHER_BYTES, zlib.crc32(there)
        self._inputs = there
        return struct.pack("<I", len(there))

    def _send_progress(self, done: int, total: int) -> None:
        self._send_event(EventType.PROGRESS, struct.pack("<IIQ", done, total, TICKS))

    def _send_event(self, kind: EventType, payload: bytes = b"") -> None:
        self._send(Frame(kind, self._events % 256, payload))
        self._events += 1

    def _send(self, frame: Frame) -> None:
        self._sent += encode(frame)

    def _damage(self, data: bytes) -> bytes:
        if not self.trouble.flip and not self.trouble.drop:
            return data
        kept = (byte for byte in data if self._random.random() >= self.trouble.drop)
        return bytes(
            byte ^ (1 << self._random.randrange(8))
            if self._random.random() < self.trouble.flip
            else byte
            for byte in kept
        )


def _refusal(request: Frame, code: ErrorCode, detail: int) -> Frame:
    return Frame(ERROR, request.sequence, struct.pack("<HHI", code, request.type, detail))


def _samples(ticks: list[int]) -> bytes:
    return struct.pack(f"<II{len(ticks)}Q", OVERHEAD_TICKS, len(ticks), *ticks)
