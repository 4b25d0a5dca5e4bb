"""What of an ELF is programmed, and where flash first differs from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.devices.flash_image import Piece, first_difference, read_pieces
from harness.errors import DeviceError


def test_equal_flash_has_no_difference() -> None:
    assert first_difference(Piece(0, b"12345678"), b"12345678") is None


def test_a_difference_is_told_by_its_word() -> None:
    wanted = Piece(0x0800_0000, bytes(range(16)))
    found = bytes(range(9)) + b"\xff" + bytes(range(10, 16))
    assert first_difference(wanted, found) == (
        "0x08000008 holds 0x0b0aff08, 0x0b0a0908 was programmed (1 B of 16 differ)"
    )


def test_the_last_bytes_may_be_less_than_a_word() -> None:
    told = first_difference(Piece(0, b"\1\2\3\4\5\6"), b"\1\2\3\4\5\xff")
    assert told == "0x00000004 holds 0xff05, 0x0605 was programmed (1 B of 6 differ)"


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"no elf at all", "is no ELF file")]
)
def test_a_file_that_cannot_be_programmed_is_named(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "firmware.elf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeviceError, match=reason):
        read_pieces(path)
