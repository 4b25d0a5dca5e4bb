"""What compiled models show of the code of kernels: how large it is, and what leads to what."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from harness.ir import Op
from harness.kernels.call import Name, Structs
from harness.kernels.flash import AnyCall, values, with_window
from harness.kernels.flash_data import Code
from harness.schedule.flash import calls_of, loops
from harness.schedule.plan import (
    AliasSegment,
    FusedSegment,
    PatchSegment,
    Plan,
    Segment,
    StreamSegment,
)
from tools.flash_object import OWN, Object

_TELLING = 50
"""How many bytes a call with one window must differ from the mean to be worth a line."""

_NUMBER = re.compile(r"\.\d+$")


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
        ahead += [s for s in near if s in found.sizes and s not in apart | own and not OWN.match(s)]
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
