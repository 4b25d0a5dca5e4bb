"""An image as a file tells it: which build it is, of which model, and what it takes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.board.target import Target
from harness.errors import ToolchainError
from harness.toolchain.firmware import Firmware
from harness.toolchain.footprint import firmware_footprint

_SECTION, _MAGIC = ".bench_identity", b"bench-1\0"


def read_image(elf: Path, target: Target) -> Firmware:
    """Return an image that was built before; of its compiler and flags the file says nothing.

    Raises:
        ToolchainError: the file cannot be read, is no firmware of ours, or was linked for another
            flash than the target's.
    """
    try:
        with elf.open("rb") as file:
            image = ELFFile(file)
            section = image.get_section_by_name(_SECTION)
            identity = section.data() if section is not None else b""
            loads = [s for s in image.iter_segments("PT_LOAD") if s["p_filesz"]]
            begin = min((int(s["p_paddr"]) for s in loads), default=0)
            end = max((int(s["p_paddr"] + s["p_filesz"]) for s in loads), default=0)
        content = elf.read_bytes()
    except OSError as error:
        raise ToolchainError(f"{elf}: {error.strerror}") from None
    except ELFError as error:
        raise ToolchainError(f"{elf}: not a sound ELF file: {error}") from None
    if not identity.startswith(_MAGIC):
        raise ToolchainError(
            f"{elf}: not a firmware of bench, since it has no {_SECTION}",
            hint="`bench compile` makes one",
        )
    flash = target.flash
    if not flash.origin <= begin <= end <= flash.origin + flash.size_bytes:
        raise ToolchainError(
            f"{elf}: lies from 0x{begin:08x} to 0x{end:08x}, the flash of {target.board} from "
            f"0x{flash.origin:08x} to 0x{flash.origin + flash.size_bytes:08x}",
            hint="build it for this board: `bench compile --board NAME --device hardware`",
        )
    build_id, model = identity[8:16], identity[16:48]
    return Firmware(
        elf=elf,
        elf_sha256=hashlib.sha256(content).hexdigest(),
        build_id=build_id.hex(),
        model_sha256=model.hex(),
        target=target,
        compiler="",
        version="",
        flags=(),
        kernels="",
        footprint=firmware_footprint(elf),
    )
