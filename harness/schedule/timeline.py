"""A plan as a picture: one line a segment, the arena from left to right.

::

    0 CONV_2D            stem        21,504 |----          ######|
    1 DEPTHWISE_CONV_2D  stem/dw     15,360 |             s======|
    2 CONV_2D            stem/pw     23,040 |#######       ------| <- peak

A fused segment is one line, from its first op to its last; where it is the peak, what it keeps of
each inner tensor has a line too::

     0-4 stream          block1/pw    6,912 |####====--------wwww| <- peak
           3 rows        stem         1,536 |                ww  |
           1 row         block1/dw      512 |                   w|
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.ir import Graph, TensorId
from harness.schedule.geometry import pixel_bytes
from harness.schedule.lifetime import tensor_lives
from harness.schedule.plan import (
    Allocation,
    FusedSegment,
    InplaceSegment,
    PatchSegment,
    Plan,
    Purpose,
    Rows,
    Segment,
    StreamSegment,
)
from harness.units import format_count

_LEGEND = "- read   # written   = in place   . kept for later   s scratch"
_LEGEND_OF_FUSED = "   w workspace"
_PEAK_MARK = " <- peak"
_NAME_COLUMNS = 40
"""Columns of a tensor's name in a sentence."""

_MOST_ROWS = 12
_MOST_ROWS_IN_WORDS = 3
"""How many of a fused segment's inner tensors are shown, the largest."""

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
        """Bytes that are alive together; what an output shares with an input counts once."""
        total = reached = 0
        for allocation in sorted(self.live, key=lambda a: a.offset):
            total += max(allocation.end - max(allocation.offset, reached), 0)
            reached = max(reached, allocation.end)
        return total


def peak(plan: Plan) -> Peak:
    """Return where a plan needs most, the first such segment if there are several."""
    moments = (_at(plan, segment) for segment in range(-1, len(plan.segments) + 1))
    return max(moments, key=lambda moment: moment.live_bytes)


def holders(plan: Plan, columns: int = _NAME_COLUMNS) -> tuple[tuple[str, int], ...]:
    """Return what fills the arena at the peak, in words, with its bytes; largest first.

    Names are cut to ``columns``.
    """
    top = peak(plan)
    lives = tensor_lives(plan.graph, plan.segments)
    alive = {t for t, (first, last) in lives.items() if first <= top.segment <= last}
    return tuple((_held(plan.graph, a, alive, columns), a.size_bytes) for a in top.live)


def where_the_peak_is(plan: Plan) -> str:
    """Return in few words which op or segment needs most: ``ops 0-4 (stream)``."""
    position = peak(plan).segment
    if not 0 <= position < len(plan.segments):
        return _moment(plan, position)
    segment = plan.segments[position]
    noun = "op" if len(segment.ops) == 1 else "ops"
    return f"{noun} {_numbers(plan.graph, segment)} ({_kind(plan.graph, segment)})"


def what_holds_the_peak(plan: Plan) -> str:
    """Return in words which op needs most and which tensors it is that fill the arena."""
    top = peak(plan)
    held = ", ".join(f"{name} {size:,} B" for name, size in holders(plan))
    shared = sum(a.size_bytes for a in top.live) - top.live_bytes
    lost = plan.planned_peak_bytes - top.live_bytes
    parts = [
        f"{_moment(plan, top.segment)} holds {held or 'nothing'}",
        f"{shared:,} B of them shared" if shared else "",
        f"{lost:,} B lost between them" if lost else "",
    ]
    return ", ".join(part for part in parts if part) + _rows_in_words(plan, top.segment)


def timeline(plan: Plan, width: int) -> str:
    """Return the picture of a plan, at most ``width`` columns wide (80 or more)."""
    top = peak(plan)
    lines = list(_lines(plan, top))
    numbers = _aligned([line.number for line in lines], ">")
    kinds = _aligned([line.kind for line in lines], "<")
    sizes = _aligned([format_count(line.size_bytes) for line in lines], ">")
    taken = sum(len(cells[0]) + 1 for cells in (numbers, kinds, sizes) if cells)
    taken += len("||" + _PEAK_MARK)
    longest = max((len(line.name) for line in lines), default=0)
    name_columns = min(longest, max(8, (width - taken) // 3))
    bar_columns = max(_LEAST_BAR, width - taken - name_columns - 1)
    is_fused = any(a.purpose is Purpose.WORKSPACE for a in plan.allocations)
    drawn = [_LEGEND + _LEGEND_OF_FUSED * is_fused]
    for line, number, kind, size in zip(lines, numbers, kinds, sizes, strict=True):
        name = f"{_fitted(line.name, name_columns):<{name_columns}}"
        bar = _bar(line.bytes, plan.planned_peak_bytes, bar_columns)
        drawn.append(f"{number} {kind} {name} {size} |{bar}|{line.mark}")
    return "\n".join(drawn)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the picture; ``bytes`` are (letter, from, to), later ones over earlier ones."""

    number: str
    kind: str
    name: str
    size_bytes: int
    bytes: tuple[tuple[str, int, int], ...]
    mark: str = ""


def _lines(plan: Plan, top: Peak) -> Iterator[_Line]:
    for position, segment in enumerate(plan.segments):
        yield _Line(
            _numbers(plan.graph, segment),
            _kind(plan.graph, segment),
            _short(plan.graph, plan.graph.ops[segment.ops[-1]].outputs),
            _at(plan, position).live_bytes,
            tuple(_marked(plan, position, segment)),
            _PEAK_MARK if position == top.segment else "",
        )
        if position == top.segment and isinstance(segment, StreamSegment | PatchSegment):
            yield from _row_lines(plan, position, segment)


def _row_lines(plan: Plan, position: int, segment: FusedSegment) -> Iterator[_Line]:
    """Yield a line for each of the largest inner tensors of a segment, in order of making."""
    workspace = plan.workspace(position)
    start = workspace.offset if workspace else 0
    sizes = {rows.tensor: _kept_bytes(plan.graph, rows) for rows in segment.rows}
    largest = sorted(sizes, key=lambda t: -sizes[t])[:_MOST_ROWS]
    for rows in segment.rows:
        if rows.tensor in largest:
            size, at = sizes[rows.tensor], start + rows.offset
            name = _short(plan.graph, (rows.tensor,))
            yield _Line("", f"  {_extent(rows, segment)}", name, size, (("w", at, at + size),))


def _extent(rows: Rows, segment: FusedSegment) -> str:
    """Return how much of a tensor is kept, as ``3 rows``."""
    if isinstance(segment, PatchSegment):
        return f"{rows.rows} x {rows.columns} tile"
    if rows.over is not None:
        return "in the same slots"
    count = "1 row" if rows.rows == 1 else f"{rows.rows} rows"
    return count if segment.stripes == 1 else f"{count} of {rows.columns}"


def _kept_bytes(graph: Graph, rows: Rows) -> int:
    """Return the bytes of the workspace that a tensor's rows take."""
    return rows.rows * rows.columns * pixel_bytes(graph, rows.tensor)


def _rows_in_words(plan: Plan, position: int) -> str:
    """Return the largest inner tensors of the segment at a position, if it is a fused one."""
    if not 0 <= position < len(plan.segments):
        return ""
    segment = plan.segments[position]
    if not isinstance(segment, StreamSegment | PatchSegment) or not segment.rows:
        return ""
    own = (rows for rows in segment.rows if rows.over is None)
    largest = sorted(own, key=lambda rows: -_kept_bytes(plan.graph, rows))
    told = []
    for rows in largest[:_MOST_ROWS_IN_WORDS]:
        name = _fitted(_short(plan.graph, (rows.tensor,)), _NAME_COLUMNS)
        size = _kept_bytes(plan.graph, rows)
        others = sum(kept.over == rows.tensor for kept in segment.rows)
        over = f" (with those of {others} more over them)" if others else ""
        told.append(f"{_extent(rows, segment)} of '{name}'{over} {size:,} B")
    rest = len(largest) - len(told)
    more = [f"{rest} more"] if rest else []
    return f"; the workspace is {', '.join([*told, *more])}"


def _at(plan: Plan, segment: int) -> Peak:
    return Peak(segment, _live(plan, segment))


def _live(plan: Plan, segment: int) -> tuple[Allocation, ...]:
    """Return what is alive in a segment, largest first."""
    live = (a for a in plan.allocations if a.first <= segment <= a.last)
    return tuple(sorted(live, key=lambda a: (-a.size_bytes, a.offset)))


def _marked(plan: Plan, position: int, segment: Segment) -> Iterator[tuple[str, int, int]]:
    """Yield what each run of bytes is to a segment, small ones after large ones."""
    graph = plan.graph
    read = {t for i in segment.ops for t in graph.ops[i].inputs}
    written = {t for i in segment.ops for t in graph.ops[i].outputs}
    live = _live(plan, position)
    for allocation in live:
        held = set(allocation.tensors)
        if allocation.purpose is Purpose.SCRATCH:
            mark = "s"
        elif allocation.purpose is Purpose.WORKSPACE:
            mark = "w"
        elif held & written and held & read:
            mark = "=" if isinstance(segment, InplaceSegment) else "-"
        elif held & written:
            mark = "#"
        else:
            mark = "-" if held & read else "."
        yield mark, allocation.offset, allocation.end
    # An output that reaches into an input takes its bytes row by row: that is in place too.
    for y in (a for a in live if set(a.tensors) & written):
        for x in (a for a in live if a is not y and set(a.tensors) & read):
            if x.offset < y.end and y.offset < x.end:
                yield "=", max(x.offset, y.offset), min(x.end, y.end)


def _bar(marked: Iterable[tuple[str, int, int]], total: int, columns: int) -> str:
    """Return the arena, a character for an equal share of its bytes.

    Whatever is alive shows, however small; of several in one column the last drawn wins.
    """
    total = max(total, 1)
    cells = [" "] * columns
    for mark, first, end in marked:
        start = min(first * columns // total, columns - 1)
        stop = max(end * columns // total, start + 1)
        cells[start:stop] = mark * (stop - start)
    return "".join(cells)


def _numbers(graph: Graph, segment: Segment) -> str:
    """Return the numbers of a segment's ops in the model file, as messages give them."""
    first, last = (_number(graph, position) for position in (segment.ops[0], segment.ops[-1]))
    return str(first) if first == last else f"{first}-{last}"


def _number(graph: Graph, position: int) -> int:
    index = graph.ops[position].index
    return index if index >= 0 else position


def _kind(graph: Graph, segment: Segment) -> str:
    match segment:
        case StreamSegment() if len(segment.ops) > 1:
            if segment.stripes > 1:
                return f"stream, {segment.stripes} stripes"
            return "stream" if segment.batch == 1 else f"stream, {segment.batch} rows at once"
        case PatchSegment(grid=(down, across)):
            return f"patch {down} x {across}"
        case _:
            return graph.ops[segment.ops[0]].kind


def _moment(plan: Plan, position: int) -> str:
    if position < 0:
        return "filling the inputs"
    if position == len(plan.segments):
        return "reading the outputs"
    segment, graph = plan.segments[position], plan.graph
    if len(segment.ops) == 1:
        return graph.label(segment.ops.start)
    name = _fitted(_short(graph, graph.ops[segment.ops[-1]].outputs), _NAME_COLUMNS)
    return f"ops {_numbers(graph, segment)} ({_kind(graph, segment)} to '{name}')"


def _held(graph: Graph, allocation: Allocation, alive: set[TensorId], columns: int) -> str:
    if allocation.purpose is not Purpose.TENSOR:
        return allocation.purpose.value
    names = (_short(graph, (t,)) for t in allocation.tensors if t in alive)
    return " and ".join(f"'{_fitted(name, columns)}'" for name in names)


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
