"""The toolchain: flags of cores, the linker script, footprints, and its errors' texts."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.board.target import Region, Target
from harness.errors import DoesNotFitError, ToolchainError, UsageError
from harness.toolchain import compiler
from harness.toolchain.flags import compile_flags, core_flags
from harness.toolchain.footprint import symbols
from harness.toolchain.gcc import build
from harness.toolchain.link import memory_script, overflow_error
from harness.toolchain.workspace import build_dir
from tests.tiny_model import INVOKE, host_target, qemu_target, tiny_sources

M4 = "mps2-an386"


@pytest.mark.parametrize(
    ("board", "expected"),
    [
        ("mps2-an386", "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard"),
        ("nucleo-f746zg", "-mcpu=cortex-m7 -mthumb -mfpu=fpv5-sp-d16 -mfloat-abi=hard"),
        ("nucleo-h743zi", "-mcpu=cortex-m7 -mthumb -mfpu=fpv5-d16 -mfloat-abi=hard"),
        ("mps3-an547", "-mcpu=cortex-m55 -mthumb -mfloat-abi=hard"),
    ],
)
def test_flags_of_cores(board: str, expected: str) -> None:
    assert " ".join(core_flags(qemu_target(board))) == expected


def test_an_unknown_optimization_names_near_ones() -> None:
    with pytest.raises(UsageError, match="unknown optimization 'cycle'") as caught:
        compile_flags(qemu_target(M4), "cycle")
    assert "cycles" in caught.value.hint


def test_the_linker_script_has_the_boards_memories() -> None:
    script = memory_script(qemu_target("nucleo-f746zg"), 2048)
    assert "FLASH (rx) : ORIGIN = 0x00000000, LENGTH = 1048576" in script
    assert "RAM (rwx)  : ORIGIN = 0x20000000, LENGTH = 327680" in script
    assert "_stack_bytes = 2048;" in script


def test_an_overflow_is_told_in_bytes_for_each_memory() -> None:
    complaint = (
        "ld: region `RAM' overflowed by 1000 bytes\nld: region `FLASH' overflowed by 1 byte\n"
    )
    error = overflow_error("vww", qemu_target("nucleo-f746zg"), complaint)
    assert error is not None
    assert error.message == (
        "vww: needs 1,048,577 B (1048.6 kB) of flash, 1 B more than the 1,048,576 B (1048.6 kB) "
        "of nucleo-f746zg and 328,680 B (328.7 kB) of SRAM, 1,000 B more than the 327,680 B "
        "(327.7 kB) of nucleo-f746zg"
    )
    assert "--schedule auto" in error.hint
    assert "--optimize size" in error.hint
    assert "a board with more SRAM" in error.hint
    assert overflow_error("vww", qemu_target(M4), "undefined reference to `foo'") is None


def test_a_missing_compiler_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolchainError, match="arm-none-eabi-gcc is not on PATH") as caught:
        compiler.find_compiler("arm-none-eabi-gcc")
    assert "install" in caught.value.hint


def test_a_long_complaint_is_cut_to_its_errors() -> None:
    noise = "".join(
        f"model.c:{n}: note: something\nmodel.c:{n}: error: bad {n}\n" for n in range(20)
    )
    lines = compiler.shorten(noise).splitlines()
    assert lines[0] == "model.c:0: error: bad 0"
    assert lines[-1] == "... and 8 more lines"
    assert len(lines) == 13


def test_digests_of_different_lists_differ() -> None:
    assert compiler.digest([b"ab", b"c"]) != compiler.digest([b"a", b"bc"])


@pytest.mark.host_c
def test_a_build_is_repeatable_and_its_id_covers_its_inputs(tmp_path: Path) -> None:
    target = host_target()
    cache = tmp_path / "cache"
    first = build(tiny_sources(), target, out_dir=tmp_path / "a", cache=cache)
    again = build(tiny_sources(), target, out_dir=tmp_path / "b", cache=cache)
    assert (again.build_id, again.elf_sha256) == (first.build_id, first.elf_sha256)
    smaller = build(tiny_sources(), target, out_dir=tmp_path / "c", cache=cache, optimize="size")
    assert smaller.build_id != first.build_id
    content = (tmp_path / "a" / "firmware").read_bytes()
    identity = b"bench-1\0" + bytes.fromhex(first.build_id) + bytes.fromhex(first.model_sha256)
    assert content.count(identity) == 1


@pytest.mark.host_c
def test_refused_code_is_shown(tmp_path: Path) -> None:
    sources = tiny_sources("void model_invoke(void)\n{\n    return 1;\n}")
    with pytest.raises(ToolchainError, match=r"compiling model.c failed:\n.*error: .*return"):
        build(sources, host_target(), out_dir=tmp_path, cache=tmp_path / "cache")


@pytest.mark.host_c
def test_an_object_is_compiled_once_for_all_models_that_share_it(tmp_path: Path) -> None:
    def objects() -> dict[Path, int]:
        return {path: path.stat().st_ino for path in (tmp_path / "cache").rglob("*.o")}

    def make(folder: str, invoke: str = INVOKE) -> None:
        sources = tiny_sources(invoke)
        build(sources, host_target(), out_dir=tmp_path / folder, cache=tmp_path / "cache")

    make("a")
    before = objects()
    make("b")
    assert objects() == before
    make("c", "void model_invoke(void)\n{\n    invert();\n    add();\n}")
    assert {path.name for path in objects().keys() - before.keys()} == {"model.c.o", "identity.c.o"}


@pytest.mark.host_c
def test_the_cache_drops_what_was_not_used_for_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    old, new = cache / "00" / "key" / "old.o", cache / "01" / "key" / "new.o"
    for age_s, path in ((1000, old), (100, new)):
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(600))
        os.utime(path, (time.time() - age_s,) * 2)
    monkeypatch.setattr(compiler, "CACHE_BYTES_MAX", 1000)
    build(tiny_sources(), host_target(), out_dir=tmp_path / "a", cache=cache)
    assert new.exists()
    assert not old.exists()


@pytest.mark.host_c
def test_builds_beside_each_other_share_a_cache(tmp_path: Path) -> None:
    """Folders come and go in the cache while another build looks through it."""
    cc = compiler.find_compiler("cc")
    loop = f"while :; do d=$(mktemp -d -p {tmp_path}); touch $d/unit.o; rm -r $d; done"
    neighbours = [subprocess.Popen(["sh", "-c", loop]) for _ in range(2)]
    try:
        for _ in range(500):
            compiler.compile_units(cc, [], cache=tmp_path)
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2-an386", "nucleo-f746zg", "mps3-an547"])
def test_the_footprint_is_what_the_linker_placed(board: str, tmp_path: Path) -> None:
    firmware = build(tiny_sources(), qemu_target(board), out_dir=tmp_path, stack_bytes=1024)
    footprint = firmware.footprint
    assert footprint.arena_bytes == 164
    assert footprint.weights_bytes == 4
    assert footprint.stack_reserved_bytes == 1024
    sizes = {s.name: s for s in symbols(firmware.elf)}
    assert sizes["model_arena"].size_bytes == 164
    assert sizes["model_arena"].address % 16 == 0
    assert sizes["model_invoke"].size_bytes > 0
    image = tmp_path / "image.bin"
    objcopy = ["arm-none-eabi-objcopy", "-O", "binary", str(firmware.elf), str(image)]
    subprocess.run(objcopy, check=True)
    assert footprint.flash_bytes == image.stat().st_size
    nm = subprocess.run(["arm-none-eabi-nm", firmware.elf], capture_output=True, check=True)
    (end,) = (
        w[0] for line in nm.stdout.splitlines() if (w := line.split())[2] == b"_staging_begin"
    )
    assert footprint.linked_sram_bytes == int(end, 16) - firmware.target.ram.origin


@pytest.mark.qemu
def test_a_model_that_does_not_fit_says_by_how_much(tmp_path: Path) -> None:
    target: Target = replace(qemu_target(M4), ram=Region(0x20000000, 3000))
    with pytest.raises(
        DoesNotFitError,
        match=r"tiny: needs [\d,]+ B of SRAM, [\d,]+ B more than the 3,000 B of mps2-an386",
    ):
        build(tiny_sources(), target, out_dir=tmp_path, stack_bytes=2048)


@pytest.mark.host_c
def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ToolchainError, match=r"cannot build in .*file") as caught:
        build(tiny_sources(), host_target(), out_dir=tmp_path / "file", cache=tmp_path)
    assert "BENCH_CACHE" in caught.value.hint


def test_a_folder_for_a_model_has_a_name_that_fits_everywhere() -> None:
    folder = build_dir(replace(tiny_sources(), model_name="a/b c" * 80), host_target(), "cycles")
    assert folder.name.startswith("a-b-ca-b-c")
    assert len(folder.name) < 100


@pytest.mark.host_c
def test_an_image_that_is_built_already_is_neither_compiled_nor_linked_again(
    tmp_path: Path,
) -> None:
    first = build(tiny_sources(), host_target(), out_dir=tmp_path, cache=tmp_path / "cache")
    linked = first.elf.stat().st_mtime_ns
    again = build(tiny_sources(), host_target(), out_dir=tmp_path, cache=tmp_path / "cache")
    assert again == first
    assert first.elf.stat().st_mtime_ns == linked
    first.elf.write_bytes(first.elf.read_bytes() + b"damage")
    mended = build(tiny_sources(), host_target(), out_dir=tmp_path, cache=tmp_path / "cache")
    assert mended == first
    other = replace(tiny_sources(), model_sha256="ab" * 32)
    assert build(other, host_target(), out_dir=tmp_path, cache=tmp_path / "c") != first
