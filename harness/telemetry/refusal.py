"""The ERROR answer: a request that the board cannot do, and why (PROTOCOL.md, "ERROR")."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from harness.errors import CorruptStreamError

ERROR = 0xC0
"""The type of the answer."""


class ErrorCode(IntEnum):
    """Why the board refused a request."""

    UNKNOWN_REQUEST = 1
    BAD_LENGTH = 2
    BAD_RANGE = 3
    INPUTS_MISSING = 4
    LOAD_EACH_TIME = 5
    CLOCK_STOPPED = 6
    OTHER_BYTES = 7


_REFUSALS = {
    ErrorCode.UNKNOWN_REQUEST: "does not know request {detail}",
    ErrorCode.BAD_LENGTH: "got a payload of {detail} B, which is not the request's length",
    ErrorCode.BAD_RANGE: "was asked for more than it allows, which is {detail}",
    ErrorCode.INPUTS_MISSING: "has only {detail} B of its inputs",
    ErrorCode.LOAD_EACH_TIME: "needs its inputs again before each inference: only {detail} B of "
    "RAM are left to keep them",
    ErrorCode.CLOCK_STOPPED: "has a clock that stands still",
    ErrorCode.OTHER_BYTES: "has other bytes in memory than the debug port wrote: "
    "their CRC is 0x{detail:08x}",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the board cannot do."""

    LAYOUT: ClassVar[struct.Struct] = struct.Struct("<HHI")

    code: int
    request: int
    detail: int

    @classmethod
    def parse(cls, payload: bytes) -> Refusal:
        """Return the refusal that a payload holds."""
        if len(payload) != cls.LAYOUT.size:
            raise CorruptStreamError(f"ERROR: {len(payload)} B where {cls.LAYOUT.size} B belong")
        return cls(*cls.LAYOUT.unpack(payload))

    def text(self) -> str:
        """Return what the board has to say, as the rest of a sentence."""
        if self.code in set(ErrorCode):
            return _REFUSALS[ErrorCode(self.code)].format(detail=self.detail)
        return f"answered with unknown error {self.code} (detail {self.detail})"
