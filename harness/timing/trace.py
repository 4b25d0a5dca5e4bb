"""Which stretches of an image are executed how often in one inference, by Unicorn.

The image of a board is loaded where the board would have it, and ``model_invoke`` is called with
inputs in place: no start-up code, no peripheral, no protocol. Unicorn tells of each block that is
entered, a stretch of code that is left only at its end, so that what a block takes needs to be
found once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from harness.errors import BenchError
from harness.timing.disassembly import INSTALL
from harness.toolchain.footprint import symbols

_PAGE_BYTES = 0x1000
_RETURN = 0x1FFF_F000
"""Where model_invoke returns to: the end of where code may lie, with nothing there."""

_THUMB = 1
_BUFFER_BYTES = 8
"""Of ``model_buffer_t``: an address and a size."""

Block = tuple[int, int]
"""Address and size in bytes."""


@dataclass(frozen=True, slots=True)
class Trace:
    """How often one block came after another, the code of blocks, and what the outputs hold.

    The first block comes after ``START``.
    """

    steps: dict[tuple[Block, Block], int]
    code: dict[Block, bytes]
    outputs: tuple[bytes, ...]


START: Block = (_RETURN, 0)


def trace(elf: Path, inputs: Sequence[bytes]) -> Trace:
    """Run one inference of a Cortex-M4 image.

    Raises:
        BenchError: Unicorn is not installed, the model fetches its input row by row, or the image
            does what only a board can answer.
    """
    unicorn = _unicorn()
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(unicorn.arm_const.UC_CPU_ARM_CORTEX_M4)
    _load(machine, elf)
    address = {symbol.name: symbol.address for symbol in symbols(elf)}
    places = _buffers(machine, address, "input")
    if [size for _, size in places] != [len(data) for data in inputs]:
        raise BenchError(
            f"{elf}: takes inputs of {', '.join(str(size) for _, size in places)} B, "
            f"not of {', '.join(str(len(data)) for data in inputs)} B",
            hint="what fetches its input row by row cannot be estimated",
        )
    for (begin, _), data in zip(places, inputs, strict=True):
        machine.mem_write(begin, data)
    steps: Counter[tuple[Block, Block]] = Counter()
    before = START

    def entered(_: object, begin: int, size: int, __: object) -> None:
        nonlocal before
        block = (begin, size)
        steps[before, block] += 1
        before = block

    machine.hook_add(unicorn.UC_HOOK_BLOCK, entered)
    machine.reg_write(unicorn.arm_const.UC_ARM_REG_SP, _stack_end(elf))
    machine.reg_write(unicorn.arm_const.UC_ARM_REG_LR, _RETURN | _THUMB)
    try:
        machine.emu_start(address["model_invoke"] | _THUMB, _RETURN)
    except unicorn.UcError as error:
        at = machine.reg_read(unicorn.arm_const.UC_ARM_REG_PC)
        raise BenchError(f"{elf}: Unicorn cannot execute what is at {at:#x}: {error}") from None
    code = {block: bytes(machine.mem_read(*block)) for _, block in steps}
    outputs = (bytes(machine.mem_read(*where)) for where in _buffers(machine, address, "output"))
    return Trace(dict(steps), code, tuple(outputs))


def _unicorn() -> Any:
    try:
        import unicorn
        import unicorn.arm_const
    except ImportError:
        raise BenchError("Unicorn is not installed", hint=INSTALL) from None
    return unicorn


def _load(machine: Any, elf: Path) -> None:
    """Put each segment where it is executed or used, variables with their initial values."""
    with elf.open("rb") as file:
        segments = [(int(s["p_vaddr"]), int(s["p_memsz"]), bytes(s.data()))
                    for s in ELFFile(file).iter_segments("PT_LOAD") if s["p_memsz"]]  # fmt: skip
    pages = {
        page
        for begin, size, _ in segments
        for page in range(begin // _PAGE_BYTES, -(-(begin + size) // _PAGE_BYTES))
    }
    for page in pages | {_RETURN // _PAGE_BYTES}:
        machine.mem_map(page * _PAGE_BYTES, _PAGE_BYTES)
    for begin, _, data in segments:
        machine.mem_write(begin, data)


def _stack_end(elf: Path) -> int:
    with elf.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".stack")
        assert section is not None, "sections.ld has it"
        return int(section["sh_addr"] + section["sh_size"])


def _buffers(machine: Any, address: dict[str, int], which: str) -> list[tuple[int, int]]:
    count = _word(machine, address[f"model_{which}_count"])
    first = address[f"model_{which}s"]
    found = [first + _BUFFER_BYTES * i for i in range(count)]
    return [(_word(machine, at), _word(machine, at + 4)) for at in found]


def _word(machine: Any, address: int) -> int:
    return int.from_bytes(machine.mem_read(address, 4), "little")
