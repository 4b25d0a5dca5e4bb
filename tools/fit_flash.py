"""Reads from the compiler's objects what the code of kernels takes in flash, in one command.

    python tools/fit_flash.py MODEL... --board mps2-an386
    python tools/fit_flash.py MODEL --runtime

The first compiles each model under several schedules for each optimization, finds which function
leads to which by their relocations, and writes both into ``harness/kernels/flash_data.py``; what
other cores have stays. The second links one model for every board and notes what of the image is
not the model's. Run the first after any change to a kernel, both after a change of compiler.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from pprint import pformat
from statistics import mean, median

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from harness.board.load import board_names, load_board
from harness.board.schema import DeviceKind
from harness.board.target import Target, target_for
from harness.codegen.model_c import generate
from harness.data import cache_dir, data_dir
from harness.errors import BenchError, DeviceNotFoundError
from harness.importer.tflite import read_tflite
from harness.ir import Graph, Op
from harness.kernels.call import Name, Structs
from harness.kernels.flash import AnyCall, values, with_window
from harness.kernels.flash_data import CODE, RUNTIME, Code
from harness.kernels.kernel_set import KernelSet, kernels_for
from harness.models.catalog import find_model
from harness.passes.pipeline import run_passes
from harness.schedule.flash import STEP_BYTES, FlashOf, calls_of, loops
from harness.schedule.plan import (
    AliasSegment,
    FusedSegment,
    PatchSegment,
    Plan,
    Segment,
    StreamSegment,
)
from harness.schedule.search import pareto
from harness.schedule.search import plan as make_plan
from harness.toolchain.compiler import Unit, compile_units, find_compiler
from harness.toolchain.flags import compile_flags
from harness.toolchain.gcc import build
from tools.fit_cost import plans as plans_of_costs

TARGET = Path(__file__).parent.parent / "harness" / "kernels" / "flash_data.py"

_OWN = re.compile(r"\.text\.(op_\d+|segment_\d+)_")
_TABLES = re.compile(r"\.(text|rodata)\.model_")
_TELLING = 50
"""How many bytes a call with one window must differ from the mean to be worth a line."""

_NUMBER = re.compile(r"\.\d+$")


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
            if section not in found and section in self.sizes and not _OWN.match(section):
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


@dataclass(slots=True)
class Seen:
    """What was seen of one instruction set and optimization."""

    functions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    needs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    calls: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    loops: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def code(self, board: str) -> Code:
        """Return the table, with its errors still to be found."""
        return Code(
            fitted_on=board,
            error=0,
            most=0,
            plans=0,
            functions=_means(self.functions),
            needs={name: tuple(sorted(found)) for name, found in sorted(self.needs.items())},
            calls=_telling(_means(self.calls)),
            rows={name: max(sizes) for name, sizes in sorted(self.rows.items())},
            loops=_means(self.loops),
        )


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


def look(seen: Seen, plan: Plan, found: Object) -> None:
    """Note what the object of a plan shows."""
    apart = found.kernels()
    for section in apart:
        seen.functions[_name(section)].append(found.sizes[section])
    for number, segment in enumerate(plan.segments):
        scratch = plan.scratch(number)
        makers = set()
        for i in segment.ops:
            if not isinstance(segment, AliasSegment):
                room = scratch.size_bytes if scratch else 0
                made = calls_of(plan.graph, plan.kernels, i, segment, room)
                maker, op = _maker(found, number, segment, i), plan.graph.ops[i]
                makers |= _look_at_op(seen, found, apart, maker, op, made)
        if isinstance(segment, StreamSegment | PatchSegment):
            _look_at_loops(seen, found, number, segment, makers)


def _look_at_op(
    seen: Seen, found: Object, apart: set[str], maker: str, op: Op, made: Sequence[AnyCall]
) -> set[str]:
    """Note what the function of an op shows; return the function."""
    own, ahead = set(), [maker]
    while ahead:
        section = ahead.pop()
        own.add(section)
        near = found.refers.get(section, frozenset())
        ahead += [
            s for s in near if s in found.sizes and s not in apart | own and not _OWN.match(s)
        ]
    names, rows_bytes = set(), 0
    for call in made:
        for value in values(call.parameters):
            if isinstance(value, Name):
                names.add(f".text.{value.text}")
                seen.needs[value.text] |= {_name(s) for s in found.reach([f".text.{value.text}"])}
    tables = {
        (v.role, v.type) for c in made for v in values(c.parameters) if isinstance(v, Structs)
    }
    for role, type_ in tables:
        counts = [
            len(v.rows)
            for c in made
            for v in values(c.parameters)
            if isinstance(v, Structs) and v.role == role
        ]
        size = sum(found.sizes[s] for s in own if _NUMBER.sub("", s).endswith(f"_{role}"))
        seen.rows[type_].add(size // sum(counts))
        rows_bytes += size
    direct = {s for section in own for s in found.refers.get(section, ())} & apart
    for call in made:
        seen.needs[call.function] |= {_name(s) for s in found.reach(direct - names)}
        size = sum(found.sizes[s] for s in own) - rows_bytes
        for name in {call.function, with_window(call.function, op)}:
            seen.calls[name].append(size / len(made))
    return {maker}


def _maker(found: Object, number: int, segment: Segment, position: int) -> str:
    """Return the function of an op."""
    fused = isinstance(segment, StreamSegment | PatchSegment)
    ending = rf"segment_{number}_op_{position}_row(s_at_once)?$" if fused else rf"op_{position}_"
    (maker,) = (s for s in found.sizes if re.match(rf"\.text\.{ending}", s))
    return maker


def _look_at_loops(
    seen: Seen, found: Object, number: int, segment: FusedSegment, makers: set[str]
) -> None:
    """Note the functions of a fused segment that make no rows themselves."""
    rest = {s: found.sizes[s] for s in found.sizes if s.startswith(f".text.segment_{number}_")}
    (one, _), (each, count) = loops(segment)
    inner = [s for s in rest if re.search(r"_(rows|tile)$", s) and s not in makers]
    around = [s for s in rest if s not in makers and s not in inner]
    seen.loops[one] += [sum(rest[s] for s in around)]
    if count:
        seen.loops[each] += [sum(rest[s] for s in inner) / count]


def plans(graph: Graph, kernels: KernelSet) -> Iterator[Plan]:
    """Yield what is compiled of every model."""
    yield from plans_of_costs(graph, kernels)


def cut_plans(graph: Graph, kernels: KernelSet) -> Iterator[Plan]:
    """Yield plans with patches and with stripes, of which one model shows enough."""
    yield make_plan(graph, "patch", kernels=kernels)
    yield pareto(graph, kernels)[-1]


def measured(board: str, optimize: str, models: Sequence[str]) -> Code:
    """Return what the objects of models show."""
    facts, seen = load_board(board), Seen()
    target, kernels = target_for(facts, DeviceKind.QEMU), kernels_for(facts.core, optimize)
    objects = []
    for model in models:
        try:
            file = find_model(model)
            graph = run_passes(read_tflite(file.data, name=file.name))
            more = cut_plans(graph, kernels) if model == models[0] else ()
            for made in chain(plans(graph, kernels), more):
                found, weights = compiled(made, target, optimize)
                look(seen, made, found)
                steps = sum(not isinstance(s, AliasSegment) for s in made.segments)
                objects.append((made, found.model_bytes + weights + STEP_BYTES * steps))
        except BenchError as error:
            sys.stderr.write(f"{model} is left out: {error}\n")
    code = seen.code(board)
    CODE[f"{kernels.isa.value} {optimize}"] = code
    errors = [
        abs(FlashOf(made.graph, made.kernels).plan(made).total_bytes - size)
        for made, size in objects
    ]
    return code._replace(error=round(median(errors)), most=max(errors), plans=len(errors))


def runtime(model: str) -> dict[str, int]:
    """Return what of an image is not its model's, by port and core."""
    found: dict[str, int] = {}
    for name in board_names():
        for kind in (DeviceKind.QEMU, DeviceKind.HARDWARE):
            board = load_board(name)
            try:
                target = target_for(board, kind)
            except DeviceNotFoundError:
                continue
            file = find_model(model)
            graph = run_passes(read_tflite(file.data, name=file.name))
            plan = make_plan(graph, "inplace", kernels=kernels_for(board.core, "size"))
            made, weights = compiled(plan, target, "size")
            with tempfile.TemporaryDirectory() as scratch:
                sources = generate(plan, target=target)
                image = build(sources, target, out_dir=Path(scratch), optimize="size")
            steps = STEP_BYTES * len(sources.steps)
            rest = image.footprint.flash_bytes - made.model_bytes - weights - steps
            found[f"{target.port} {board.core.value}"] = rest
    return found


def source(code: dict[str, Code], runtimes: dict[str, int]) -> str:
    """Return the text of ``flash_data.py``."""
    text = TARGET.read_text(encoding="utf-8")
    head = text[: text.index("CODE: dict")]
    tables = ",\n".join(f"{name!r}: {_text(found)}" for name, found in sorted(code.items()))
    return (
        f"{head}CODE: dict[str, Code] = {{\n{tables}\n}}\n\n"
        f"RUNTIME: dict[str, int] = {pformat(runtimes)}\n"
        '"""Bytes of an image that are not its model\'s, by port and core."""\n'
    )


def _text(code: Code) -> str:
    fields = ", ".join(f"{name}={value!r}" for name, value in code._asdict().items())
    return f"Code({fields})"


def _name(section: str) -> str:
    """Return the name of a section without its kind, and of constants without their number."""
    return (
        section.removeprefix(".text.") if section.startswith(".text.") else _NUMBER.sub("", section)
    )


def _telling(calls: dict[str, int]) -> dict[str, int]:
    """Return the bytes of calls without those of windows that say nothing new."""
    return {
        name: size
        for name, size in calls.items()
        if name.partition(" ")[0] == name or abs(size - calls[name.partition(" ")[0]]) > _TELLING
    }


def _means(found: Mapping[str, Sequence[float]]) -> dict[str, int]:
    return {name: round(mean(sizes)) for name, sizes in sorted(found.items())}


def main() -> int:
    """Measure, write, and say what the errors are."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("models", nargs="+")
    options.add_argument("--board", default="mps2-an386")
    options.add_argument("--runtime", action="store_true", help="measure what is not the model's")
    chosen = options.parse_args()
    runtimes = dict(RUNTIME)
    if chosen.runtime:
        runtimes = runtime(chosen.models[0])
    else:
        isa = kernels_for(load_board(chosen.board).core, "cycles").isa.value
        for optimize in ("cycles", "instructions", "size"):
            code = measured(chosen.board, optimize, chosen.models)
            if optimize == "instructions" and code == CODE[f"{isa} cycles"]:
                del CODE[f"{isa} instructions"]
                continue
            CODE[f"{isa} {optimize}"] = code
            sys.stdout.write(
                f"{isa} {optimize}: {code.error} B, at most {code.most}, of {code.plans} plans\n"
            )
    TARGET.write_text(source(CODE, runtimes), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", str(TARGET)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
