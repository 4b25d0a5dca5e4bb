"""Footprint: what an image takes in flash and SRAM, read from the ELF itself.

The sections of a firmware are those of ``firmware/cortex_m/sections.ld``; a native build has the
host's own, so there only the model's share is told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness.errors import ToolchainError
from harness.toolchain.firmware import Footprint


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or object of an image: its address (Thumb bit cleared) and its size in bytes."""

    name: str
    address: int
    size_bytes: int


def firmware_footprint(elf: Path) -> Footprint:
    """Return the footprint of a firmware linked with ``sections.ld``.

    What alignment leaves unused between sections counts as code in flash and as static in SRAM, so
    that the parts add up to what is taken.
    """
    with elf.open("rb") as file:
        image = _open(file, elf)
        sections = {s.name: s for s in image.iter_sections()}
        loads = [s for s in image.iter_segments("PT_LOAD") if s["p_filesz"]]
    sizes = {name: int(section["sh_size"]) for name, section in sections.items()}
    flash_begin = min(int(s["p_paddr"]) for s in loads)
    flash_end = max(int(s["p_paddr"] + s["p_filesz"]) for s in loads)
    sram_begin = int(sections[".stack"]["sh_addr"])
    sram_end = int(sections[".bss"]["sh_addr"]) + sizes[".bss"]
    weights, data = sizes.get(".weights", 0), sizes.get(".data", 0)
    arena, stack = sizes[".arena"], sizes[".stack"]
    return Footprint(
        code_bytes=flash_end - flash_begin - weights - data,
        weights_bytes=weights,
        data_bytes=data,
        static_bytes=sram_end - sram_begin - arena - stack,
        arena_bytes=arena,
        stack_reserved_bytes=stack,
    )


def host_footprint(elf: Path, *, weights_bytes: int) -> Footprint:
    """Return what can be said of a native build: the model's own bytes and the code around them.

    Its staging area and stack belong to the computer and are not counted.
    """
    arena = next((s.size_bytes for s in symbols(elf) if s.name == "model_arena"), 0)
    with elf.open("rb") as file:
        sizes = {s.name: int(s["sh_size"]) for s in _open(file, elf).iter_sections()}
    code = sizes.get(".text", 0) + sizes.get(".rodata", 0)
    return Footprint(
        code_bytes=max(code - weights_bytes, 0),
        weights_bytes=weights_bytes,
        data_bytes=sizes.get(".data", 0),
        static_bytes=sizes.get(".data", 0),
        arena_bytes=arena,
        stack_reserved_bytes=0,
    )


def symbols(elf: Path) -> list[Symbol]:
    """Return the functions and objects of an image, by address."""
    found: list[Symbol] = []
    with elf.open("rb") as file:
        for section in _open(file, elf).iter_sections():
            if not isinstance(section, SymbolTableSection):
                continue
            found += (
                Symbol(s.name, int(s["st_value"]) & ~int(kind == "STT_FUNC"), int(s["st_size"]))
                for s in section.iter_symbols()
                if (kind := s["st_info"]["type"]) in ("STT_FUNC", "STT_OBJECT")
            )
    return sorted(found, key=lambda s: (s.address, s.name))


def source_symbols(elf: Path, source: str) -> list[Symbol]:
    """Return the static functions and constants that one C file has in an image.

    They stand behind the file's name in the table of symbols (System V ABI, chapter 4, "Symbol
    Table").
    """
    found: list[Symbol] = []
    with elf.open("rb") as file:
        image = _open(file, elf)
        for section in image.iter_sections():
            if not isinstance(section, SymbolTableSection):
                continue
            current = ""
            for s in section.iter_symbols():
                kind = s["st_info"]["type"]
                if kind == "STT_FILE":
                    current = s.name
                elif s["st_info"]["bind"] != "STB_LOCAL":
                    break
                elif current == source and kind in ("STT_FUNC", "STT_OBJECT"):
                    address = int(s["st_value"]) & ~int(kind == "STT_FUNC")
                    if image.get_section(s["st_shndx"])["sh_type"] != "SHT_NOBITS":
                        found.append(Symbol(s.name, address, int(s["st_size"])))
    return found


def _open(file: IO[bytes], elf: Path) -> ELFFile:
    try:
        return ELFFile(file)
    except ELFError as error:
        raise ToolchainError(f"{elf}: not a sound ELF file: {error}") from None
