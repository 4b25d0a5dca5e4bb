"""What of an image goes into flash: the bytes of its ELF's loaded segments, by address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.errors import DeviceError


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that lie together."""

    address: int
    data: bytes


def read_pieces(elf: Path) -> list[Piece]:
    """Return what must be programmed, in order of address.

    Raises:
        DeviceError: the file is no ELF, or has nothing to program.
    """
    try:
        with elf.open("rb") as file:
            segments = list(ELFFile(file).iter_segments("PT_LOAD"))
            pieces = [Piece(int(s["p_paddr"]), s.data()) for s in segments if s["p_filesz"]]
    except OSError as error:
        raise DeviceError(f"{elf}: {error.strerror}") from None
    except ELFError as error:
        raise DeviceError(f"{elf} is no ELF file: {error}") from None
    if not pieces:
        raise DeviceError(f"{elf} has nothing to program")
    return sorted(pieces, key=lambda piece: piece.address)


def first_difference(wanted: Piece, found: bytes) -> str | None:
    """Return where flash differs first from what was programmed, as text; None if nowhere."""
    if wanted.data == found:
        return None
    count = sum(a != b for a, b in zip(wanted.data, found, strict=True))
    offset = next(i for i, (a, b) in enumerate(zip(wanted.data, found, strict=True)) if a != b)
    offset &= ~3
    word, other = wanted.data[offset : offset + 4], found[offset : offset + 4]
    return (
        f"0x{wanted.address + offset:08x} holds {_hexadecimal(other)}, "
        f"{_hexadecimal(word)} was programmed ({count:,} B of {len(found):,} differ)"
    )


def _hexadecimal(data: bytes) -> str:
    return f"0x{int.from_bytes(data, 'little'):0{2 * len(data)}x}"
