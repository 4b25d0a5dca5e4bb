"""Messages: what the payloads of frames mean (PROTOCOL.md, "Requests" and "Events").

A request knows its type, its payload, and how its answer is read. Layouts are little endian and
their lengths are checked; what does not have its length raises :class:`CorruptStreamError`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any, ClassVar, Protocol, TypeVar

from harness.errors import CorruptStreamError
from harness.telemetry.board_state import BoardState

PROTOCOL_VERSION = 1
ANSWER = 0x80
ROW = 0xC5
"""The host's answer to WANT."""
CRC_BYTES = 4


class EventType(IntEnum):
    """What the board says unasked."""

    BOOT = 0x41
    PROGRESS = 0x42
    FAULT = 0x43
    DAMAGED = 0x44
    WANT = 0x45


class ClockKind(IntEnum):
    """What one tick of the board's clock is."""

    CORE_CYCLES = 1
    TIMER = 2
    HOST = 3


AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class Request(Protocol[AnswerT_co]):
    """What the host asks; ``parse`` reads the answer's payload."""

    TYPE: ClassVar[int]

    def payload(self) -> bytes:
        """Return the request's payload."""

    def parse(self, payload: bytes) -> AnswerT_co:
        """Return the answer that a payload holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What the board says of itself. Sizes are bytes; digests are hexadecimal.

    ``fetched_bytes`` are those of the input that it asks for row by row, 0 if there is none.
    """

    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<HBBI8s32s8I")

    protocol_version: int
    clock_kind: ClockKind
    clock_counts: bool
    tick_hz: int
    build_id: str
    model_sha256: str
    chunk_bytes: int
    samples_max: int
    input_bytes: int
    output_bytes: int
    step_count: int
    arena_bytes: int
    staging_bytes: int
    fetched_bytes: int

    @property
    def is_staged(self) -> bool:
        """Whether the board keeps inputs from one inference to the next."""
        return self.staging_bytes >= self.input_bytes

    @classmethod
    def parse(cls, payload: bytes) -> Hello:
        """Return the hello that a payload holds."""
        (version,) = struct.unpack_from("<H", payload.ljust(2, b"\0"))
        if version != PROTOCOL_VERSION:
            raise CorruptStreamError(
                f"the board speaks protocol version {version}, this is {PROTOCOL_VERSION}",
                hint="build and flash the firmware with this version of bench",
            )
        fields = _unpack(cls.LAYOUT, payload, "HELLO")
        _, kind, counts, tick_hz, build_id, sha256, *sizes = fields
        if kind not in set(ClockKind):
            raise CorruptStreamError(f"HELLO: unknown clock kind {kind}")
        chunk, samples, inputs, outputs, steps, arena, staging, fetched = sizes
        if not chunk or not samples:
            raise CorruptStreamError("HELLO: a chunk or a run of no size")
        return cls(
            protocol_version=version,
            clock_kind=ClockKind(kind),
            clock_counts=bool(counts),
            tick_hz=tick_hz,
            build_id=build_id.hex(),
            model_sha256=sha256.hex(),
            chunk_bytes=chunk,
            samples_max=samples,
            input_bytes=inputs,
            output_bytes=outputs,
            step_count=steps,
            arena_bytes=arena,
            staging_bytes=staging,
            fetched_bytes=fetched,
        )


@dataclass(frozen=True, slots=True)
class Samples:
    """Clock ticks of windows, and of a window with nothing in it."""

    ticks: tuple[int, ...]
    overhead_ticks: int


@dataclass(frozen=True, slots=True)
class Painting:
    """What one painted inference left behind, in bytes (PROTOCOL.md, PAINT)."""

    arena_high_water: int
    arena_pattern: int
    arena_inverse: int
    stack_high_water: int
    stack_entry: int


@dataclass(frozen=True, slots=True)
class AskHello:
    """Who are you? The board also forgets the last request, so that numbers start afresh."""

    TYPE: ClassVar[int] = 0x01

    def payload(self) -> bytes:
        """Return nothing."""
        return b""

    def parse(self, payload: bytes) -> Hello:
        """Return the hello."""
        return Hello.parse(payload)


@dataclass(frozen=True, slots=True)
class Load:
    """Bytes of the inputs from ``offset`` on; the answer is how many the board holds."""

    TYPE: ClassVar[int] = 0x02

    offset: int
    data: bytes

    def payload(self) -> bytes:
        """Return offset and bytes."""
        return struct.pack("<I", self.offset) + self.data

    def parse(self, payload: bytes) -> int:
        """Return the bytes held."""
        (held,) = _unpack(struct.Struct("<I"), payload, "LOAD")
        return int(held)


@dataclass(frozen=True, slots=True)
class Run:
    """``warmup`` inferences, then ``repeat`` measured ones."""

    TYPE: ClassVar[int] = 0x03

    warmup: int
    repeat: int

    def payload(self) -> bytes:
        """Return both counts."""
        return struct.pack("<II", self.warmup, self.repeat)

    def parse(self, payload: bytes) -> Samples:
        """Return the samples of the measured ones."""
        return _parse_samples(payload, "RUN")


@dataclass(frozen=True, slots=True)
class Profile:
    """One inference step by step; the answer has the steps from ``first_step`` on."""

    TYPE: ClassVar[int] = 0x04

    first_step: int

    def payload(self) -> bytes:
        """Return the first step."""
        return struct.pack("<I", self.first_step)

    def parse(self, payload: bytes) -> Samples:
        """Return the samples of steps, as many as one answer holds."""
        return _parse_samples(payload, "PROFILE")


@dataclass(frozen=True, slots=True)
class Paint:
    """One inference in SRAM that was filled with ``pattern`` before."""

    TYPE: ClassVar[int] = 0x05

    pattern: int

    def payload(self) -> bytes:
        """Return the pattern."""
        return bytes((self.pattern,))

    def parse(self, payload: bytes) -> Painting:
        """Return what was left."""
        return Painting(*_unpack(struct.Struct("<5I"), payload, "PAINT"))


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes of the outputs of the last inference, at most to the end of one output."""

    TYPE: ClassVar[int] = 0x06

    offset: int
    size: int

    def payload(self) -> bytes:
        """Return the range."""
        return struct.pack("<II", self.offset, self.size)

    def parse(self, payload: bytes) -> bytes:
        """Return the bytes."""
        if not 0 < len(payload) <= self.size:
            raise CorruptStreamError(f"OUTPUT: asked for {self.size} B, got {len(payload)} B")
        return payload


@dataclass(frozen=True, slots=True)
class Region:
    """A run of addresses on the board."""

    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where do the inputs' bytes from ``offset`` on belong?"""

    TYPE: ClassVar[int] = 0x07

    offset: int

    def payload(self) -> bytes:
        """Return the offset."""
        return struct.pack("<I", self.offset)

    def parse(self, payload: bytes) -> Region:
        """Return where, and how many lie there in one piece."""
        region = Region(*_unpack(struct.Struct("<II"), payload, "PLACE"))
        if not region.size:
            raise CorruptStreamError("PLACE: a region of no size")
        return region


@dataclass(frozen=True, slots=True)
class Adopt:
    """The inputs are in place, and ``crc`` is theirs; the answer is how many bytes are held."""

    TYPE: ClassVar[int] = 0x08

    crc: int

    def payload(self) -> bytes:
        """Return the CRC."""
        return struct.pack("<I", self.crc)

    def parse(self, payload: bytes) -> int:
        """Return the bytes held."""
        (held,) = _unpack(struct.Struct("<I"), payload, "ADOPT")
        return int(held)


@dataclass(frozen=True, slots=True)
class Serve:
    """Rows are there for the asking; ``grain`` is the part of a grain that a tick is."""

    TYPE: ClassVar[int] = 0x09

    grain: Fraction

    def payload(self) -> bytes:
        """Return how many ticks are how many grains."""
        return struct.pack("<II", self.grain.denominator, self.grain.numerator)

    def parse(self, payload: bytes) -> None:
        """Return nothing."""
        _unpack(struct.Struct("<"), payload, "SERVE")


@dataclass(frozen=True, slots=True)
class AskBoard:
    """What are you made of, and how are you set?"""

    TYPE: ClassVar[int] = 0x0A

    def payload(self) -> bytes:
        """Return nothing."""
        return b""

    def parse(self, payload: bytes) -> BoardState:
        """Return the board's state."""
        return BoardState.parse(payload)


@dataclass(frozen=True, slots=True)
class Want:
    """Bytes of the fetched input that the board waits for, and where it will put them.

    ``address`` is 0 where only the line may bring them.
    """

    offset: int
    size: int
    address: int

    @classmethod
    def parse(cls, payload: bytes) -> Want:
        """Return the range that a payload holds."""
        return cls(*_unpack(struct.Struct("<III"), payload, "WANT"))


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` inferences; ``ticks`` of the last one."""

    done: int
    total: int
    ticks: int

    @classmethod
    def parse(cls, payload: bytes) -> Progress:
        """Return the progress that a payload holds."""
        return cls(*_unpack(struct.Struct("<IIQ"), payload, "PROGRESS"))


def _parse_samples(payload: bytes, what: str) -> Samples:
    overhead, count = _unpack(struct.Struct("<II"), payload[:8], what)
    ticks = _unpack(struct.Struct(f"<{min(count, len(payload))}Q"), payload[8:], what)
    return Samples(ticks=ticks, overhead_ticks=overhead)


def _unpack(layout: struct.Struct, payload: bytes, what: str) -> tuple[Any, ...]:
    if len(payload) != layout.size:
        raise CorruptStreamError(f"{what}: {len(payload)} B where {layout.size} B belong")
    return layout.unpack(payload)
