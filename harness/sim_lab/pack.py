"""The CMSIS-Pack of the simulated chips: what pyOCD must know to program them.

Real chips that pyOCD does not know come by a pack too, as a Nucleo's STM32F746 does. The flash
algorithm is compiled from the folder ``flash_algorithm`` for ARMv6-M, which every core here
executes, and runs on the emulated core.

Source: CMSIS-Pack documentation, "PDSC format": devices; "Flash Programming".
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from harness.board.schema import Board, Core
from harness.data import cache_dir
from harness.errors import ToolchainError
from harness.toolchain.compiler import find_compiler, run

_VENDOR, _NAME, _VERSION = "bench", "SimulatedDesk", "1.0.0"
_CORES = {
    Core.CORTEX_M0: "Cortex-M0",
    Core.CORTEX_M0PLUS: "Cortex-M0+",
    Core.CORTEX_M3: "Cortex-M3",
    Core.CORTEX_M4: "Cortex-M4",
    Core.CORTEX_M7: "Cortex-M7",
    Core.CORTEX_M33: "Cortex-M33",
    Core.CORTEX_M55: "Cortex-M55",
}
_FLAGS = (
    *("-mcpu=cortex-m0", "-mthumb", "-std=c11", "-O2", "-ffreestanding", "-fno-common"),
    *("-Wall", "-Wextra", "-Werror", "-nostdlib", "-nostartfiles", "-Wl,--build-id=none"),
    "-Wl,--entry=Init",
)


def target_name(board: str) -> str:
    """Return what pyOCD calls the simulated chip of a board."""
    return f"sim_{board.replace('-', '_')}"


def sim_pack(boards: Sequence[Board]) -> Path:
    """Return a pack of the chips of boards, each of which has an emulation; kept in the cache.

    Raises:
        ToolchainError: there is no compiler, or nothing can be written.
    """
    compiler = find_compiler("arm-none-eabi-gcc")
    folder = Path(__file__).parent / "flash_algorithm"
    description = _description(boards)
    digest = hashlib.sha256(compiler.version.encode() + description)
    for source in sorted(folder.iterdir()):
        digest.update(source.read_bytes())
    pack = cache_dir("packs") / f"{_VENDOR}.{_NAME}.{digest.hexdigest()[:16]}.pack"
    if pack.is_file():
        return pack
    try:
        pack.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=pack.parent) as work:
            draft = Path(work) / "draft.pack"
            with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(f"{_VENDOR}.{_NAME}.pdsc", description)
                for name, origin, size in sorted({_algorithm(board) for board in boards}):
                    elf = Path(work) / "algorithm.elf"
                    command = [
                        *(compiler.path, *_FLAGS),
                        f"-DFLASH_ORIGIN=0x{origin:08x}u",
                        f"-DFLASH_SIZE_BYTES=0x{size:08x}u",
                        *("-T", str(folder / "flash_algorithm.ld")),
                        *("-o", str(elf), str(folder / "flash_algorithm.c")),
                    ]
                    run(command, what="the flash algorithm of the simulated desk")
                    archive.write(elf, name)
            draft.replace(pack)
    except OSError as error:
        raise ToolchainError(
            f"cannot write {pack}: {error.strerror}", hint="name a writable folder in BENCH_CACHE"
        ) from None
    return pack


def _algorithm(board: Board) -> tuple[str, int, int]:
    """Return the name of a board's flash algorithm in the pack, and the flash that it is for."""
    assert board.emulation is not None
    origin, size = board.emulation.flash_origin, board.memory("flash").size_bytes
    return f"Flash/{origin:08x}_{size:08x}.FLM", origin, size


def _description(boards: Sequence[Board]) -> bytes:
    """Return the pack's description, a PDSC file."""
    package = ElementTree.Element("package", schemaVersion="1.7.7")
    for tag, text in (
        ("vendor", _VENDOR),
        ("name", _NAME),
        ("description", "Chips of the simulated desk"),
        ("url", ""),
    ):
        ElementTree.SubElement(package, tag).text = text
    releases = ElementTree.SubElement(package, "releases")
    ElementTree.SubElement(releases, "release", version=_VERSION)
    devices = ElementTree.SubElement(package, "devices")
    family = ElementTree.SubElement(devices, "family", Dfamily="Simulated", Dvendor="bench:0")
    for board in boards:
        _describe(family, board)
    text = ElementTree.tostring(package, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _describe(family: ElementTree.Element, board: Board) -> None:
    assert board.emulation is not None
    device = ElementTree.SubElement(family, "device", Dname=target_name(board.name))
    name, origin, size = _algorithm(board)
    flash = {"start": f"0x{origin:08x}", "size": f"0x{size:08x}", "default": "1"}
    ram = {
        "start": f"0x{board.emulation.ram_origin:08x}",
        "size": f"0x{board.memory('ram').size_bytes:08x}",
    }
    for tag, attributes in (
        ("processor", {"Dcore": _CORES[board.core], "Dendian": "Little-endian"}),
        ("debug", {"__dp": "0", "__ap": "0"}),
        ("memory", {"id": "IROM1", "startup": "1"} | flash),
        ("memory", {"id": "IRAM1", "default": "1"} | ram),
        ("algorithm", {"name": name} | flash),
    ):
        ElementTree.SubElement(device, tag, attributes)
