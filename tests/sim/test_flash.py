"""``bench flash``: an image that was built before goes into a board, if it is for that board."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.board.load import load_board
from harness.board.schema import DeviceKind
from harness.board.target import target_for
from harness.errors import ToolchainError
from harness.toolchain.gcc import build
from harness.toolchain.image_file import read_image
from tests.command import Bench
from tests.tiny_model import qemu_target, tiny_sources

pytestmark = pytest.mark.qemu


def test_an_image_is_programmed_and_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = build(tiny_sources(), qemu_target("nucleo-f746zg"), out_dir=tmp_path)
    bench = Bench(monkeypatch, capsys)
    done = bench("flash", image.elf, "--board", "nucleo-f746zg", "--lab", "sim")
    assert done.code == 0, done.err
    assert done.out == f"nucleo-f746zg: programmed with image {image.build_id}, and started\n"


def test_an_image_for_another_flash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    board = load_board("nucleo-f746zg")
    image = build(tiny_sources(), target_for(board, DeviceKind.HARDWARE), out_dir=tmp_path)
    bench = Bench(monkeypatch, capsys)
    done = bench("flash", image.elf, "--board", "nucleo-f746zg", "--lab", "sim")
    assert done.code == 1
    assert "lies from 0x08000000 to" in done.err
    assert "the flash of nucleo-f746zg from 0x00000000 to 0x00100000" in done.err


def test_what_a_file_tells_is_what_was_built(tmp_path: Path) -> None:
    target = qemu_target("nucleo-f446re")
    built = build(tiny_sources(), target, out_dir=tmp_path)
    read = read_image(built.elf, target)
    assert (read.build_id, read.model_sha256) == (built.build_id, built.model_sha256)
    assert (read.elf_sha256, read.footprint) == (built.elf_sha256, built.footprint)


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    target = qemu_target("nucleo-f446re")
    other = tmp_path / "x.elf"
    with pytest.raises(ToolchainError, match="No such file"):
        read_image(other, target)
    other.write_bytes(b"no ELF")
    with pytest.raises(ToolchainError, match="not a sound ELF file"):
        read_image(other, target)
    with pytest.raises(ToolchainError, match=r"not a firmware of bench, since it has no"):
        read_image(Path("/bin/true").resolve(), target)
