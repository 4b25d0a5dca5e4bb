"""Images to flash, made without a compiler."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from harness.toolchain.firmware import Firmware

_EXCEPTIONS = 15
_STACK_TOP = 0x2000_1000
_SLEEP = bytes.fromhex("30bffde7")
"""WFI, and a branch back to it."""


def make_image(path: Path, origin: int, size: int, *, seed: int = 0) -> tuple[Firmware, bytes]:
    """Write an ELF of one segment: vectors, code that sleeps, noise. Return it and the segment."""
    entry = origin + 4 * (1 + _EXCEPTIONS) | 1
    content = _words(_STACK_TOP, *[entry] * _EXCEPTIONS) + _SLEEP
    content += random.Random(seed).randbytes(size - len(content))
    header = bytes.fromhex("7f454c46 01010100") + bytes(8)
    header += _halves(2, 40) + _words(1, entry, 52, 0, 0x0500_0000) + _halves(52, 32, 1, 40, 0, 0)
    segment = _words(1, len(header) + 32, origin, origin, size, size, 5, 4)
    path.write_bytes(header + segment + content)
    return cast("Firmware", SimpleNamespace(elf=path)), content


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def _halves(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "little") for value in values)
