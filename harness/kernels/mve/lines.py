"""How large the lines are that channels of a depthwise convolution are gathered into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from harness.ir.ops import Window
from harness.kernels.mve.planes import Planes
from harness.kernels.mve.rounding import Way

VECTOR = 16
"""Bytes in a vector."""

_BLOCK = 8
"""Output columns that are computed together."""

_BLOCKS_THAT_PAY = 16
"""Full blocks of a channel from which on their pass saves more than its flash is worth."""

_LANES = 8
"""Channels that are gathered together."""

_WHOLE_SCRATCH, _ROWS_SCRATCH = 2048, (2048, 1024, 640)
"""Bytes of scratch that an op should do with; a very long row takes more. Rows are offered with
less and less of it."""

_USUAL_ROWS = 4
"""Rows that are made at once, or so: what lines for any number of them are chosen by."""

_SCRATCH_SHARE = 64
"""An op that works over its input may take this fraction of it instead: the op before needs its
input too, and thus more than this one. Where rows are long, half the channels at a time or fewer
rows take up to twice the instructions."""

_PASSES = {
    (1, 1, 1): (4, 2, 1),
    (2, 1, 1): (4, 1),
    (3, 1, 1): (3, 1),
    (4, 1, 2): (4,),
    (6, 1, 4): (2,),
    (6, 1, 1): (2, 1),
    (10, 1, 2): (2,),
    (5, 2, 1): (2, 1),
    (6, 2, 2): (2,),
    (10, 2, 1): (1,),
    (7, 4, 1): (1,),
    (8, 4, 2): (1,),
    (14, 4, 1): (1,),
    (18, 4, 2): (1,),
}
"""How many windows are loaded together, by the step between windows, the vectors under each and the
rows of a block: the passes that there are."""


_BY_CHANNEL = 0.93
"""What passes by channel may cost more, as their weights are half as many bytes or fewer."""

_MOST_OFFSET = 1 << 15
"""Bytes from the first row of a block to the last one, which offsets of 16 bits reach."""

_ROOM = {1: 64, 2: 64, 3: 96, 4: 120}
"""Bytes of a line whose windows are made channel by channel, by the vectors under each."""

_DOWN = {4: 1, 6: 1, 8: 1, 10: 2, 18: 2}
"""The vertical stride of passes with several rows, by their step."""

_PART, _PASS, _CHANNEL, _STORE = 210, 215, 12, 9
"""What is executed, about, for columns of some rows; each pass over eight channels or fewer; each
channel's constants; and each block besides its sums and what finishes them."""

_WINDOWS, _WINDOW = 8, 9
"""The same for a row of windows of eight channels, and each of them."""

_GATHER_EIGHT, _GATHER_FEW = (24, 3.6), (27, 5.9)
"""The same to gather a row, and each of its cells, of eight channels or of fewer."""

_FINISH = {Way.LINE: 6, Way.ROUND: 12, Way.CLAMP: 16, Way.SHIFT: 22}
_FINISH_CHANNELS = 9
"""Instructions that make eight outputs of their sums, and the fewest where lanes are channels."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Which channels, rows and columns lines serve at once; see ``mve_depthwise_t``."""

    lines: int
    rows: int
    columns: int
    pitch: int
    slack: int
    window: Window
    by_channel: bool = False
    """Whether each window is made of eight channels together, not eight windows of each channel."""

    @property
    def chunks(self) -> int:
        """Vectors under a window."""
        return -(-self._window_bytes // VECTOR)

    @property
    def _window_bytes(self) -> int:
        height, width = self.window.kernel
        return (width - 1) * self.pitch + height

    @property
    def step(self) -> int:
        """Bytes from one window to the next."""
        return self.pitch * self.window.stride[1]

    @property
    def line_bytes(self) -> int:
        """Bytes of a channel."""
        return _ROOM[self.chunks] if self.by_channel else self._cells * self.pitch + self.slack

    @property
    def _cells(self) -> int:
        return (self.columns - 1) * self.window.stride[1] + self.window.kernel[1]

    @property
    def has_room(self) -> bool:
        """Whether there is a pass that goes by channel for lines as long as these."""
        return self._cells * self.pitch + self.slack <= _ROOM.get(self.chunks, 0)

    @property
    def scratch_bytes(self) -> int:
        """Bytes of all channels, and what is read behind them only to be multiplied by 0."""
        computed = self.columns if self.by_channel else max(self.columns, _BLOCK // self.rows)
        below = (self.rows - 1) * self.window.stride[0]
        read = self.slack + below + (computed - 1) * self.step + self.chunks * VECTOR
        behind = max(read - self.line_bytes, VECTOR)
        return self.lines * self.line_bytes + behind

    @property
    def shifts(self) -> list[int]:
        """Where the windows that are loaded together lie behind the first; none without a pass."""
        down = self.window.stride[0]
        if self.by_channel:
            return [0]
        if self.rows > 1 and down != _DOWN.get(self.step):
            return []
        for shared in _PASSES.get((self.step, self.chunks, self.rows), ()):
            shifts = [i % self.rows * down + i // self.rows * self.step for i in range(shared)]
            if shifts[-1] + self._window_bytes <= self.chunks * VECTOR:
                return shifts
        return []

    def fills(self, out_h: int, *, in_batches: bool = False) -> bool:
        """Return whether all blocks are full: of whole rows, for which alone lines slide.

        A pass of its own for full blocks takes 250 bytes, which few of them do not pay. Of batches
        any number of rows may be left.
        """
        is_part = self.rows > 1 if in_batches else out_h % self.rows > 0
        if self.slack == 0 or self.columns * self.rows < _BLOCK or is_part:
            return False
        return self.columns * out_h >= _BLOCK * _BLOCKS_THAT_PAY

    def instructions(self, planes: Planes, rows: int, way: Way = Way.LINE) -> float:
        """Return about what some rows take that slide over their input."""
        seen = self.window.kernel[0] + (rows - 1) * self.window.stride[0]
        cells = self._cells
        if rows <= self.rows:  # padding is gathered once
            seen, cells = min(seen, planes.x[0]), min(cells, planes.x[1])
        passes = [self.rows] * (rows // self.rows)
        if rows % self.rows:
            passes.append(rows % self.rows)
        made = sum(self._pass(planes.y[2], count, self.columns, way) for count in passes)
        return _PART + self._gathered(planes.x[2], seen, cells) + made

    def row_instructions(self, planes: Planes, columns: int, way: Way) -> float:
        """Return about what columns of one row take, if they are made for themselves."""
        height, width = self.window.kernel
        parts = [self.columns] * (columns // self.columns)
        if columns % self.columns:
            parts.append(columns % self.columns)
        return sum(
            _PART
            + self._gathered(planes.x[2], height, (part - 1) * self.window.stride[1] + width)
            + self._pass(planes.y[2], 1, part, way)
            for part in parts
        )

    def _gathered(self, channels: int, rows: int, cells: int) -> float:
        row, cell = _GATHER_EIGHT if self.lines == _LANES else _GATHER_FEW
        return -(-channels // self.lines) * rows * (row + cell * cells)

    def _pass(self, channels: int, rows: int, columns: int, way: Way) -> float:
        """Return what passes over some rows take, of all channels of the output."""
        calls = _PASS * -(-channels // self.lines)
        if self.by_channel:
            window = _WINDOW + max(_FINISH[way], _FINISH_CHANNELS) + 3 * _LANES * self.chunks
            return calls + -(-channels // self.lines) * rows * (_WINDOWS + columns * window)
        shared = max(len(self.shifts), 1)
        sums = (-(-_BLOCK // shared) + _BLOCK) * self.chunks
        blocks = -(-columns // (_BLOCK // self.rows)) * (_STORE + _FINISH[way] + sums)
        return calls + channels * (_CHANNEL + shared * self.chunks + blocks)


def whole_lines(planes: Planes, *, is_inplace: bool, may_go_by_channel: bool) -> Lines:
    """Return lines that slide over a whole tensor."""
    out_h = planes.y[0]
    slack = min(out_h * planes.window.stride[0], 2 * VECTOR)
    spare = prod(planes.x) // _SCRATCH_SHARE if is_inplace else 0
    tried = _tried(planes, out_h, slack, may_go_by_channel=may_go_by_channel)
    return _fitting(tried, max(_WHOLE_SCRATCH, spare))


def batch_lines(planes: Planes, *, may_go_by_channel: bool) -> Iterator[Lines]:
    """Yield lines that slide over some rows of a tensor, with less and less scratch."""
    rows = min(planes.y[0], _USUAL_ROWS)
    slack = min(2 * rows * planes.window.stride[0], VECTOR)
    tried = _tried(planes, rows, slack, may_go_by_channel=may_go_by_channel)
    fitting = (_fitting(tried, scratch_bytes) for scratch_bytes in _ROWS_SCRATCH)
    yield from dict.fromkeys(fitting)


def _tried(planes: Planes, out_h: int, slack: int, *, may_go_by_channel: bool) -> list[Lines]:
    """Return what lines there are to make so many rows with, the fastest first."""
    height, down = planes.window.kernel[0], planes.window.stride[0]
    most = min(_LANES, planes.x[2])
    row_bytes = max(x[1] * x[2] for x in (planes.x, planes.y))

    def lines(channels: int, rows: int) -> Lines:
        pitch = height + (rows - 1) * down
        return Lines(channels, rows, planes.y[1], pitch, slack, planes.window)

    chunks = lines(most, 1).chunks
    tried = [
        found
        for rows in (1, 2, 4)
        for channels in (most, 4, 2, 1)
        if channels <= most and (rows - 1) * row_bytes < _MOST_OFFSET
        if (found := lines(channels, rows)).chunks == chunks and (rows == 1 or found.shifts)
    ]
    if may_go_by_channel and most == _LANES:
        for rows in range(1, out_h + 1):
            found = replace(lines(most, rows), by_channel=True)
            if found.chunks == chunks and found.has_room:
                tried.append(found)

    def cost(found: Lines) -> float:
        return found.instructions(planes, out_h) * (_BY_CHANNEL if found.by_channel else 1.0)

    return sorted(tried, key=cost)


def row_lines(planes: Planes, scratch_bytes: int = _ROWS_SCRATCH[-1]) -> Lines:
    """Return lines that serve columns of a single row; dilated ones serve one column at a time."""
    out_w = planes.y[1]
    most = min(_LANES, planes.x[2])
    is_dilated = planes.window.dilation[1] > 1
    widths = [1] if is_dilated else [out_w, *(n for n in (32, 16, 8) if n < out_w)]
    tried = [
        Lines(channels, 1, width, planes.window.kernel[0], 0, planes.window)
        for channels in (most, 4, 2, 1)
        for width in widths
        if channels <= most
    ]
    return _fitting(tried, scratch_bytes)


def _fitting(tried: list[Lines], scratch_bytes: int) -> Lines:
    """Return the first that fit, or else the smallest."""
    fitting = [lines for lines in tried if lines.scratch_bytes <= scratch_bytes]
    return fitting[0] if fitting else min(tried, key=lambda lines: lines.scratch_bytes)
