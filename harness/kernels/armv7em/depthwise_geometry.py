"""The geometry of a depthwise convolution for ARMv7E-M: which core runs it, over which lines.

Kernel rows and columns that never lie on the tensor are cut off first: of a 7x7 kernel on a plane
of 2x2 only the middle 3x3 is left. A plane is computed row by row, or column by column where that
gives lines whose length suits the cores better: 25x5 is five lines of 25 then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.arithmetic.activation import dtype_range, output_range
from harness.ir import Graph
from harness.ir.ops import Conv2D, DepthwiseConv2D, Padding, Window
from harness.kernels.call import Name

GROUP = 4
"""Channels that are expanded together: ``DEPTHWISEGROUP``."""

_CORE_TAPS = (1, 3, 5, 7)
_CORE_PAIRS = 4
"""Kernel columns, and the most pairs of kernel rows, for which depthwise_lines.h has a core."""

_COLUMN_KERNELS = ((5, 5), (7, 7))
"""Kernels for which depthwise_columns.h has one."""

_TASK_BYTES = 4 * (4 + 11)
"""Bias and tail of a task."""

_SLACK_BYTES = 8
"""Cores read up to two words behind the last line."""

_BLOCK_INSTRUCTIONS, _ROW_INSTRUCTIONS = 20, 16
"""What a core takes for four outputs and for a row, beside sums."""

_CHANNEL_INSTRUCTIONS, _EXPAND_INSTRUCTIONS, _COLUMN_INSTRUCTIONS = 120, 60, 12.5
"""What the rest takes for a channel; for a pair of rows of four channels, and a column of it."""

_3X3_TWO_ROWS, _3X3_ONE_ROW = ((3, 69), (2, 50)), {1: ((4, 48), (2, 30)), 2: ((4, 50), (2, 30))}
_3X3_ROW_INSTRUCTIONS, _3X3_CHANNEL_INSTRUCTIONS = ((13, 2, 5), (19, 2, 2)), (19, 16)
"""The same for 3x3 kernels: columns and instructions of the blocks, of one row for each stride;
what a core takes for each row, or two, before wide blocks and narrow ones, if there are any, and
for a channel of a band."""

_3X3_GROUP_INSTRUCTIONS, _3X3_EXPAND_INSTRUCTIONS = 143, 32
"""What the rest takes for four channels, and for a pair of their rows."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Planes and window of a depthwise convolution; shapes are [H, W, C].

    If it is ``turned``, rows and columns have changed places.
    """

    x: tuple[int, ...]
    y: tuple[int, ...]
    window: Window
    first: tuple[int, int]
    """The kernel's row and column with which the window begins."""
    is_turned: bool = False
    is_compact: bool = False
    """Whether flash matters more than time: there are no functions for 3x3 kernels alone then."""
    is_by_columns: bool = False
    """Whether a word of a line is two columns of a row: lines are rows of the kernel then, and
    ``pairs`` counts these (firmware/kernels/armv7em/depthwise_columns.h)."""
    is_rounded: bool = False
    """Whether outputs lie on both sides of the zero point, so that sums are rounded as the
    reference does it; the functions for 3x3 kernels alone do not."""

    @property
    def is_3x3(self) -> bool:
        """Whether depthwise_3x3.h does it."""
        w = self.window
        is_plain = w.stride in ((1, 1), (2, 2)) and w.dilation == (1, 1)
        return w.kernel == (3, 3) and is_plain and not (self.is_compact or self.is_rounded)

    @property
    def phases(self) -> int:
        """Lines of a pair of rows."""
        is_one = self.window.kernel[1] == 1 or self.is_3x3 or self.is_by_columns
        return 1 if is_one else self.window.stride[1]

    @property
    def spacing(self) -> int:
        """Columns from a word of a line to the next."""
        return 1 if self.is_3x3 else self.window.stride[1]

    @property
    def taps(self) -> int:
        """Kernel columns, as many as the core has, or the words of a line that they are."""
        columns = self.window.kernel[1]
        if self.is_by_columns:
            return (columns + 1) // 2
        return next(t for t in _CORE_TAPS if t >= columns) if self._has_columns else columns

    @property
    def x_step(self) -> tuple[int, int]:
        """Bytes of the input to the row below, and to the next column."""
        return _steps(self.x, turned=self.is_turned)

    @property
    def y_step(self) -> tuple[int, int]:
        """Bytes of the output to the row below, and to the next column."""
        return _steps(self.y, turned=self.is_turned)

    @property
    def goes_by_pairs(self) -> bool:
        """Whether neighbouring pairs of rows are all that output rows need."""
        return self.window.stride[0] <= 2 and self.window.dilation[0] == 1

    @property
    def whole_pairs(self) -> int:
        """Pairs of rows under the kernel where they begin at every second row of the input."""
        odd_rows = self.window.stride[0] == 1 and self.y[0] > 1
        return (self.window.kernel[0] + (2 if odd_rows else 1)) // 2

    @property
    def row_pairs(self) -> int:
        """Pairs of rows under the kernel where they begin at its first row, or its lines."""
        return self.window.kernel[0] if self.is_by_columns else (self.window.kernel[0] + 1) // 2

    @property
    def of_one_row(self) -> Geometry:
        """The geometry for one row alone, from whose columns lines may be made."""
        w = self.window
        can = w.kernel in _COLUMN_KERNELS and w.stride == (2, 2) and w.dilation == (1, 1)
        return replace(self, is_by_columns=can and not self.is_compact)

    @property
    def has_core(self) -> bool:
        """Whether there is a core for whole tensors."""
        return self.core(self.whole_pairs) != Name("NULL")

    @property
    def bands(self) -> int:
        """Pairs of rows at which output rows begin."""
        return -(-self.y[0] // (3 - self.window.stride[0]))

    def core(self, pairs: int) -> Name:
        """Return the name of the core for this many pairs of rows, NULL if there is none."""
        if not self._has_columns or (pairs > _CORE_PAIRS and not self.is_by_columns):
            return Name("NULL")
        prefix = "depthwise_columns_" if self.is_by_columns else "depthwise_"
        if self.is_rounded:
            prefix += "round_"
        suffix = "" if self.is_by_columns else f"_stride{self.phases}"
        return Name(f"{prefix}{pairs}x{self.taps}{suffix}")

    def line_words(self, outputs: int) -> int:
        """Return the words of a line; outputs go in twos."""
        if self.is_3x3:
            return (max(outputs, 2) - 1) * self.window.stride[1] + 3
        reach = (self.taps - 1) * self.window.dilation[1]
        if not self.is_by_columns:
            reach //= self.window.stride[1]
        return (outputs + 1) // 2 * 2 + reach

    def scratch_bytes(self, pairs: int, slots: int, outputs: int) -> int:
        """Return the bytes for ``slots`` pairs of rows and a kernel of ``pairs``."""
        words = slots * self.phases * self.line_words(outputs) * GROUP
        if self.is_3x3:
            read_behind = self.window.stride[1] if outputs == 3 else 0  # by a block of four
            return 4 * (words + read_behind)
        words += pairs * self.taps + self.is_rounded
        return 4 * words + _TASK_BYTES + _SLACK_BYTES

    def band(self, budget: int) -> int:
        """Return how many pairs of rows to expand at a time within so many bytes, at least one."""
        pairs, width = self.whole_pairs, self.y[1]
        slots = range(2, self.bands + 1)
        return max((n for n in slots if self._band_bytes(n, pairs, width) <= budget), default=1)

    def core_instructions(
        self, rows: int, columns: int, pairs: int, *, two_rows: bool, bands: int = 1
    ) -> float:
        """Return roughly what a core takes for rows of a channel, each from pairs of lines.

        A core for 3x3 kernels may make ``two_rows`` at a time, and takes constants itself for each
        of the ``bands``.
        """
        if self.is_3x3:
            return self._3x3_instructions(rows, columns, bands, two_rows=two_rows)
        sums, line = pairs * self.taps, 2 - self.is_by_columns * self.taps % 2
        around = _BLOCK_INSTRUCTIONS + line * pairs * self.phases
        four, two = around + 5 * sums, around - 4 + 2.5 * sums
        return rows * (columns // 4 * four + (columns % 4 + 1) // 2 * two + _ROW_INSTRUCTIONS)

    @property
    def channel_instructions(self) -> float:
        """Roughly what a channel takes on whole tensors, its constants and its input included."""
        if not (self.goes_by_pairs and self.has_core):
            return float("inf")
        slots = self.bands + self.whole_pairs - 1
        columns = self.line_words(self.y[1]) * self.phases
        line, channel = _EXPAND_INSTRUCTIONS, float(_CHANNEL_INSTRUCTIONS)
        if self.is_3x3:
            line, channel = _3X3_EXPAND_INSTRUCTIONS, _3X3_GROUP_INSTRUCTIONS / GROUP
        expanded = line * self.phases + _COLUMN_INSTRUCTIONS * columns
        height, width = self.y[:2]
        two_rows = self.window.stride[0] == 1
        core = self.core_instructions(height, width, self.whole_pairs, two_rows=two_rows)
        return core + channel + slots * expanded / GROUP

    def _3x3_instructions(self, rows: int, columns: int, bands: int, *, two_rows: bool) -> float:
        of_one = _3X3_ONE_ROW[self.window.stride[0]]
        (wide, of_wide), (narrow, of_narrow) = _3X3_TWO_ROWS if two_rows else of_one
        if columns == 3:
            columns = wide  # with room for an output that gives way
        blocks, left = divmod(columns, wide)
        if left == 1 and wide == 3 and blocks:
            blocks, left = blocks - 1, 4
        row, before_wide, before_narrow = _3X3_ROW_INSTRUCTIONS[two_rows]
        row += blocks * of_wide + before_wide * (blocks > 0)
        row += -(-left // narrow) * of_narrow + before_narrow * (left > 0)
        made = -(-rows // 2) if two_rows else rows
        return made * row + bands * _3X3_CHANNEL_INSTRUCTIONS[two_rows]

    @property
    def _has_columns(self) -> bool:
        """Whether there is a core for the window's columns."""
        return (
            self.window.kernel[1] <= _CORE_TAPS[-1]
            and self.window.dilation[1] == 1
            and self.phases <= 2
        )

    def _band_bytes(self, band: int, pairs: int, width: int) -> int:
        return self.scratch_bytes(pairs, band + pairs - 1, width)


def by_rows(graph: Graph, op: DepthwiseConv2D, *, compact: bool = False) -> Geometry:
    """Return the geometry of an op whose rows are rows."""
    x, y = (graph.tensor(t).shape[1:] for t in (op.inputs[0], op.outputs[0]))
    w, pad = op.window, op.window.padding
    first_h, kernel_h = _live(w.kernel[0], w.stride[0], w.dilation[0], pad.top, x[0], y[0])
    first_w, kernel_w = _live(w.kernel[1], w.stride[1], w.dilation[1], pad.left, x[1], y[1])
    top, left = pad.top - first_h * w.dilation[0], pad.left - first_w * w.dilation[1]
    window = Window(
        kernel=(kernel_h, kernel_w),
        stride=w.stride,
        dilation=(w.dilation[0] if kernel_h > 1 else 1, w.dilation[1] if kernel_w > 1 else 1),
        padding=Padding(top=top, left=left),
    )
    first = first_h, first_w
    return Geometry(x, y, window, first, is_compact=compact, is_rounded=is_rounded(graph, op))


def is_rounded(graph: Graph, op: Conv2D | DepthwiseConv2D) -> bool:
    """Return whether outputs can be anything around a zero point, where one line is not exact."""
    y = graph.tensor(op.outputs[0])
    reaches_all = output_range(op.activation, y) == dtype_range(y.dtype)
    return reaches_all and -128 < y.zero_point < 127


def whole(
    graph: Graph, op: DepthwiseConv2D, budget: int, *, in_place: bool, compact: bool = False
) -> Geometry:
    """Return the better geometry for whole tensors: with rows as rows, or turned.

    Turned and in place, no column may be written over one that is not expanded yet: planes are
    alike, or all is expanded at once.
    """
    upright = by_rows(graph, op, compact=compact)
    turned = _turned(upright)
    is_safe = not in_place or upright.x == upright.y or turned.band(budget) == turned.bands
    fits = turned.scratch_bytes(turned.whole_pairs, turned.whole_pairs, turned.y[1]) <= budget
    if not (turned.goes_by_pairs and is_safe and fits and turned.has_core):
        return upright
    return min((upright, turned), key=lambda g: (not g.goes_by_pairs, g.channel_instructions))


def _turned(g: Geometry) -> Geometry:
    w = g.window
    window = Window(
        kernel=w.kernel[::-1],
        stride=w.stride[::-1],
        dilation=w.dilation[::-1],
        padding=Padding(top=w.padding.left, left=w.padding.top),
    )
    x, y = ((width, height, channels) for height, width, channels in (g.x, g.y))
    return replace(g, x=x, y=y, window=window, is_turned=True)


def _steps(shape: tuple[int, ...], *, turned: bool) -> tuple[int, int]:
    height, width, channels = shape
    return (channels, height * channels) if turned else (width * channels, channels)


def _live(
    kernel: int, stride: int, dilation: int, pad: int, size: int, out: int
) -> tuple[int, int]:
    """Return the first kernel cell that ever lies on the tensor, and how many there are from it on.

    Outputs whose windows see nothing of the tensor are no reason to keep a cell.
    """
    begins = np.arange(out)[:, None] * stride - pad
    cells = begins + np.arange(kernel) * dilation
    live = np.flatnonzero(((cells >= 0) & (cells < size)).any(axis=0))
    if not live.size:
        return 0, 1
    return int(live[0]), int(live[-1] - live[0]) + 1
