"""A compiled ``model.c``: its sections, and which refers to which."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from harness.board.target import Target
from harness.codegen.model_c import generate
from harness.data import cache_dir, data_dir
from harness.schedule.plan import Plan
from harness.toolchain.compiler import Unit, compile_units, find_compiler
from harness.toolchain.flags import compile_flags

OWN = re.compile(r"\.text\.(op_\d+|segment_\d+)_")
"""Functions of the model itself, which call kernels."""

_TABLES = re.compile(r"\.(text|rodata)\.model_")


@dataclass(frozen=True, slots=True)
class Object:
    """A compiled ``model.c``: the bytes of its sections in flash, and which refers to which."""

    sizes: dict[str, int]
    refers: dict[str, frozenset[str]]

    def reach(self, begin: Iterable[str]) -> set[str]:
        """Return the sections of kernels and their constants that some lead to, them too."""
        found, ahead = set(), list(begin)
        while ahead:
            section = ahead.pop()
            if section not in found and section in self.sizes and not OWN.match(section):
                found.add(section)
                ahead += self.refers.get(section, ())
        return found

    def kernels(self) -> set[str]:
        """Return all functions that stay apart, and their constants."""
        apart = (s for s in self.sizes if s.startswith(".text.") and not _TABLES.match(s))
        return self.reach(apart)

    @property
    def model_bytes(self) -> int:
        """All bytes of the object but for the tables that every model has."""
        return sum(size for name, size in self.sizes.items() if not _TABLES.match(name))


def compiled(plan: Plan, target: Target, optimize: str) -> tuple[Object, int]:
    """Return the object of a plan's ``model.c``, and the bytes of its weights."""
    sources, firmware = generate(plan, target=target), data_dir("firmware")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, text in sources.files:
            (folder / name).write_text(text, encoding="utf-8")
        include = (folder, firmware / "include", firmware / "kernels")
        unit = Unit(folder / "model.c", compile_flags(target, optimize), include)
        compiler = find_compiler("arm-none-eabi-gcc")
        (path,) = compile_units(compiler, [unit], cache=cache_dir("objects"))
        return read_object(path), sources.weights_bytes


def read_object(path: Path) -> Object:
    """Return the sections of an object and their relocations."""
    with path.open("rb") as file:
        sections = list(ELFFile(file).iter_sections())
        sizes = {
            s.name: int(s["sh_size"])
            for s in sections
            if s["sh_flags"] & 2 and s["sh_type"] != "SHT_NOBITS"
        }
        table = next(s for s in sections if isinstance(s, SymbolTableSection))
        refers: dict[str, set[str]] = defaultdict(set)
        for relocations in sections:
            if isinstance(relocations, RelocationSection):
                begin = sections[relocations["sh_info"]].name
                for relocation in relocations.iter_relocations():
                    number = table.get_symbol(relocation["r_info_sym"])["st_shndx"]
                    if isinstance(number, int):
                        refers[begin].add(sections[number].name)
    return Object(sizes, {name: frozenset(found) for name, found in refers.items()})
