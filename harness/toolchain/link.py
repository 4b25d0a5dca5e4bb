"""The linker script's head, and what the linker says when an image does not fit."""

from __future__ import annotations

import re

from harness.board.target import Target
from harness.errors import DoesNotFitError
from harness.units import format_bytes

_OVERFLOW = re.compile(r"region [`'](?P<region>\w+)' overflowed by (?P<bytes>\d+) bytes?")
_WHAT_HELPS = {
    "RAM": "take a smaller model or a board with more SRAM (`bench boards`)",
    "FLASH": "try --optimize size, a model with fewer weights, or a board with more flash",
}


def memory_script(target: Target, stack_bytes: int) -> str:
    """Return the linker script of a target: its memories, then the common sections."""
    return (
        f"/* {target.board}: generated from the board's facts, do not edit. */\n"
        "MEMORY\n"
        "{\n"
        f"    FLASH (rx) : ORIGIN = 0x{target.flash.origin:08x},"
        f" LENGTH = {target.flash.size_bytes}\n"
        f"    RAM (rwx)  : ORIGIN = 0x{target.ram.origin:08x},"
        f" LENGTH = {target.ram.size_bytes}\n"
        "}\n"
        f"_stack_bytes = {stack_bytes};\n"
        "INCLUDE sections.ld\n"
    )


def overflow_error(model: str, target: Target, complaint: str) -> DoesNotFitError | None:
    """Return what the linker's complaint means, or None when it is about something else."""
    missing = {m["region"]: int(m["bytes"]) for m in _OVERFLOW.finditer(complaint)}
    if not missing:
        return None
    sizes = {"FLASH": target.flash.size_bytes, "RAM": target.ram.size_bytes}
    names = {"FLASH": "flash", "RAM": "SRAM"}
    needs = " and ".join(
        f"{format_bytes(sizes[region] + over)} of {names[region]}, "
        f"{format_bytes(over)} more than the {format_bytes(sizes[region])} of {target.board}"
        for region, over in sorted(missing.items())
    )
    return DoesNotFitError(
        f"{model}: needs {needs}",
        hint="; ".join(_WHAT_HELPS[region] for region in sorted(missing)),
    )
