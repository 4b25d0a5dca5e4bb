"""Firmware: a linked image, and what it takes in flash and SRAM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.board.target import Target

Builder = Literal["direct", "platformio"]
"""Who compiled an image: we ourselves, or PlatformIO for us. The image is the same to the byte."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the linker placed where, in bytes.

    ``code_bytes`` is instructions and constants of the program, ``weights_bytes`` the model's
    constants (sections ``.rodata.weights*``), ``data_bytes`` the initial values of variables, which
    lie in flash too. In SRAM: ``static_bytes`` (.data and .bss without the arena),
    ``arena_bytes`` (the model's arena, scratch included) and ``stack_reserved_bytes``.
    """

    code_bytes: int
    weights_bytes: int
    data_bytes: int
    static_bytes: int
    arena_bytes: int
    stack_reserved_bytes: int

    @property
    def flash_bytes(self) -> int:
        """All that the image takes in flash."""
        return self.code_bytes + self.weights_bytes + self.data_bytes

    @property
    def linked_sram_bytes(self) -> int:
        """All that the linker reserved in SRAM, staging for uploads not included."""
        return self.static_bytes + self.arena_bytes + self.stack_reserved_bytes


@dataclass(frozen=True, slots=True)
class Firmware:
    """One built image. ``build_id`` is 16 hex digits over everything that went into it.

    ``kernels`` is 12 hex digits over the text of all kernels, used or not: their version.
    """

    elf: Path
    elf_sha256: str
    build_id: str
    model_sha256: str
    target: Target
    compiler: str
    version: str
    flags: tuple[str, ...]
    kernels: str
    footprint: Footprint
    builder: Builder = "direct"
