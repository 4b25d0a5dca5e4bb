"""A plan as a picture: one line a segment, the arena from left to right.

::

    0 CONV_2D            stem        21,504 |----          ######|
    1 DEPTHWISE_CONV_2D  stem/dw     15,360 |             s======|
    2 CONV_2D            stem/pw     23,040 |#######       ------| <- peak
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.ir import Graph, TensorId
from harness.schedule.lifetime import tensor_lives
from harness.schedule.plan import Allocation, InplaceSegment, Plan, Purpose, Segment
from harness.units import format_count

_LEGEND = "- read   # written   = in place   . kept for later   s scratch"
_PEAK_MARK = " <- peak"
_NAME_COLUMNS = 40
"""Columns of a tensor's name in a sentence."""

_LEAST_BAR = 24
"""Columns below which the arena is not recognised any more; names are shortened first."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The segment with most bytes alive, and these bytes, largest first.

    ``segment`` is -1 while the inputs are filled and the number of segments after the last.
    """

    segment: int
    live: tuple[Allocation, ...]

    @property
    def live_bytes(self) -> int:
        """Bytes that are alive together."""
        return sum(allocation.size_bytes for allocation in self.live)


def peak(plan: Plan) -> Peak:
    """Return where a plan needs most, the first such segment if there are several."""
    moments = (Peak(segment, _live(plan, segment)) for segment in range(-1, len(plan.segments) + 1))
    return max(moments, key=lambda moment: moment.live_bytes)


def what_holds_the_peak(plan: Plan) -> str:
    """Return in words which op needs most and which tensors it is that fill the arena."""
    top = peak(plan)
    lives = tensor_lives(plan.graph, plan.segments)
    alive = {t for t, (first, last) in lives.items() if first <= top.segment <= last}
    held = ", ".join(f"{_held(plan.graph, a, alive)} {a.size_bytes:,} B" for a in top.live)
    lost = plan.planned_peak_bytes - top.live_bytes
    gaps = f", {lost:,} B lost between them" if lost else ""
    return f"{_moment(plan, top.segment)} holds {held or 'nothing'}{gaps}"


def timeline(plan: Plan, width: int) -> str:
    """Return the picture of a plan, at most ``width`` columns wide (80 or more)."""
    graph, top = plan.graph, peak(plan)
    ops = [graph.ops[segment.ops.stop - 1] for segment in plan.segments]
    kinds = [
        op.kind if len(s.ops) == 1 else s.kind for s, op in zip(plan.segments, ops, strict=True)
    ]
    sizes = [format_count(sum(a.size_bytes for a in _live(plan, s))) for s in range(len(ops))]
    numbers = [str(_number(graph, segment.ops.start)) for segment in plan.segments]
    columns = [_aligned(numbers, ">"), _aligned(kinds, "<"), _aligned(sizes, ">")]
    taken = sum(len(column[0]) + 1 for column in columns if column) + len("||" + _PEAK_MARK)
    longest = max((len(_short(graph, op.outputs)) for op in ops), default=0)
    name_columns = min(longest, max(8, (width - taken) // 3))
    bar_columns = max(_LEAST_BAR, width - taken - name_columns - 1)
    lines = [_LEGEND]
    for i, segment in enumerate(plan.segments):
        name = _fitted(_short(graph, ops[i].outputs), name_columns)
        mark = _PEAK_MARK if i == top.segment else ""
        number, kind, size = (column[i] for column in columns)
        bar = _bar(plan, i, segment, bar_columns)
        lines.append(f"{number} {kind} {name:<{name_columns}} {size} |{bar}|{mark}")
    return "\n".join(lines)


def _live(plan: Plan, segment: int) -> tuple[Allocation, ...]:
    """Return what is alive in a segment, largest first."""
    live = (a for a in plan.allocations if a.first <= segment <= a.last)
    return tuple(sorted(live, key=lambda a: (-a.size_bytes, a.offset)))


def _bar(plan: Plan, position: int, segment: Segment, columns: int) -> str:
    """Return the arena in one segment, a character for an equal share of its bytes.

    Whatever is alive shows, however small; of several in one column the last drawn wins.
    """
    graph, total = plan.graph, max(plan.planned_peak_bytes, 1)
    read = {t for i in segment.ops for t in graph.ops[i].inputs}
    written = {t for i in segment.ops for t in graph.ops[i].outputs}
    cells = [" "] * columns
    for allocation in sorted(_live(plan, position), key=lambda a: -a.size_bytes):
        held = set(allocation.tensors)
        if allocation.purpose is Purpose.SCRATCH:
            mark = "s"
        elif held & written and held & read:
            mark = "=" if isinstance(segment, InplaceSegment) else "-"
        elif held & written:
            mark = "#"
        else:
            mark = "-" if held & read else "."
        start = min(allocation.offset * columns // total, columns - 1)
        end = max(allocation.end * columns // total, start + 1)
        cells[start:end] = mark * (end - start)
    return "".join(cells)


def _number(graph: Graph, position: int) -> int:
    """Return the op's number in the model file, as messages give it."""
    index = graph.ops[position].index
    return index if index >= 0 else position


def _moment(plan: Plan, segment: int) -> str:
    if segment < 0:
        return "filling the inputs"
    if segment == len(plan.segments):
        return "reading the outputs"
    return plan.graph.label(plan.segments[segment].ops.start)


def _held(graph: Graph, allocation: Allocation, alive: set[TensorId]) -> str:
    if allocation.purpose is Purpose.SCRATCH:
        return "scratch"
    names = (_short(graph, (t,)) for t in allocation.tensors if t in alive)
    return " and ".join(f"'{_fitted(name, _NAME_COLUMNS)}'" for name in names)


def _short(graph: Graph, tensors: Iterable[TensorId]) -> str:
    """Return a tensor's name without what a converter glued to it after a semicolon."""
    names = [graph.tensor(t).name.split(";")[0] for t in tensors]
    return names[0] if names else ""


def _fitted(name: str, columns: int) -> str:
    """Return a name cut on the left, where names of one model are alike."""
    return name if len(name) <= columns else "~" + name[1 - columns :]


def _aligned(cells: list[str], side: str) -> list[str]:
    columns = max(map(len, cells), default=0)
    return [f"{cell:{side}{columns}}" for cell in cells]
