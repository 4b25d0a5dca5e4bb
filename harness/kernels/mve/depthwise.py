"""Calls of depthwise convolutions, and how large the lines are that channels are gathered into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv
from harness.ir import Graph
from harness.ir.ops import DepthwiseConv2D, Padding, Window
from harness.ir.tensor import Array
from harness.kernels.call import SCRATCH, Call, Constant, Fields, Name, Operand, RowCall, X, Y
from harness.kernels.convolution import folded_bias, live_weights, shape, window
from harness.kernels.mve.columns import output
from harness.kernels.mve.rounding import (
    Rounding,
    Way,
    is_rectified,
    is_supported,
    rescaling,
    rounding,
)
from harness.kernels.variant import RowVariant, Variant

_NAME = "mve"
_HEADER = "mve/depthwise.h"
_TYPE = "mve_depthwise_t"

_VECTOR = 16
"""Bytes in a vector."""

_BLOCK = 8
"""Output columns that are computed together."""

_LANES = 8
"""Channels that are gathered together."""

_WHOLE_SCRATCH, _ROW_SCRATCH = 2048, 640
"""Bytes of scratch that an op should do with; a very long row takes more. Whole ops may take more:
where one works over its input, the op before needs its input too, and thus more than this one."""

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


_DOWN = {4: 1, 6: 1, 8: 1, 10: 2, 18: 2}
"""The vertical stride of passes with several rows, by their step."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Which channels, rows and columns lines serve at once; see ``mve_depthwise_t``."""

    lines: int
    rows: int
    columns: int
    pitch: int
    slack: int
    window: Window

    @property
    def chunks(self) -> int:
        """Vectors under a window."""
        return -(-self._window_bytes // _VECTOR)

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
        cells = (self.columns - 1) * self.window.stride[1] + self.window.kernel[1]
        return cells * self.pitch + self.slack

    @property
    def scratch_bytes(self) -> int:
        """Bytes of all channels, and what is read behind them only to be multiplied by 0."""
        across = _BLOCK // self.rows
        computed = max(self.columns, across)
        below = (self.rows - 1) * self.window.stride[0]
        read = self.slack + below + (computed - 1) * self.step + self.chunks * _VECTOR
        behind = max(read - self.line_bytes, _VECTOR)
        return self.lines * self.line_bytes + behind

    @property
    def shifts(self) -> list[int]:
        """Where the windows that are loaded together lie behind the first; none without a pass."""
        down = self.window.stride[0]
        if self.rows > 1 and down != _DOWN.get(self.step):
            return []
        for shared in _PASSES.get((self.step, self.chunks, self.rows), ()):
            shifts = [i % self.rows * down + i // self.rows * self.step for i in range(shared)]
            if shifts[-1] + self._window_bytes <= self.chunks * _VECTOR:
                return shifts
        return []

    def instructions(self, out_h: int) -> float:
        """Return about how many instructions a channel of a whole tensor takes."""
        columns = self.line_bytes // self.pitch
        gathered = (out_h * self.window.stride[0]) * (5 * columns + 50)
        blocks = -(-self.columns * self.rows // _BLOCK)
        passes = -(-out_h // self.rows)
        loads = -(-_BLOCK // max(len(self.shifts), 1))
        made = passes * (15 + blocks * (20 + (_BLOCK + loads) * self.chunks))
        return (gathered + passes * 40) / self.lines + made


@dataclass(frozen=True, slots=True)
class _Planes:
    """What is convolved: input and output [H, W, C], and the window.

    Planes of a single column are turned to single rows, which are the same bytes: a row has more
    windows to compute together.
    """

    x: tuple[int, ...]
    y: tuple[int, ...]
    window: Window
    is_turned: bool = False


def _planes(graph: Graph, op: DepthwiseConv2D, *, may_turn: bool) -> _Planes:
    x, y = (graph.tensor(t).shape[1:] for t in (op.inputs[0], op.outputs[0]))
    w = op.window
    if not (may_turn and x[1] == y[1] == w.kernel[1] == 1 and w.padding.left == 0):
        return _Planes(x, y, w)
    turned = Window(
        kernel=(1, w.kernel[0]),
        stride=(1, w.stride[0]),
        padding=Padding(left=w.padding.top, right=w.padding.bottom),
    )
    return _Planes((1, x[0], x[2]), (1, y[0], y[2]), turned, is_turned=True)


def depthwise(graph: Graph, op: DepthwiseConv2D, operand: int | None) -> Iterator[Variant]:
    """Yield the variant of a depthwise convolution, over its input if ``operand`` says so."""
    slides = op.window.dilation == (1, 1)
    if operand is not None and not slides:
        return
    planes = _planes(graph, op, may_turn=slides)
    lines = _whole_lines(planes) if slides else _row_lines(planes)
    if not _is_supported(prepare_conv(graph, op), lines):
        return
    function = "mve_depthwise" if slides else "mve_depthwise_by_rows"
    operands: tuple[Operand, ...] = (X, Y, SCRATCH)
    if operand is not None:
        function, operands = "mve_depthwise_inplace", (Y, SCRATCH)

    def calls() -> tuple[Call, ...]:
        return (Call(_HEADER, function, _TYPE, _parameters(graph, op, planes, lines), operands),)

    yield Variant(_NAME, calls, lines.scratch_bytes)


def depthwise_row(graph: Graph, op: DepthwiseConv2D) -> Iterator[RowVariant]:
    """Yield the variant that makes a row of a depthwise convolution."""
    planes = _planes(graph, op, may_turn=False)
    lines = _row_lines(planes)
    if not _is_supported(prepare_conv(graph, op), lines):
        return

    def calls() -> tuple[RowCall, ...]:
        parameters = _parameters(graph, op, planes, lines)
        return (RowCall(_HEADER, "mve_depthwise_row", _TYPE, parameters, takes_scratch=True),)

    yield RowVariant(_NAME, calls, lines.scratch_bytes)


def _is_supported(p: ConvParameters, lines: Lines) -> bool:
    """Return whether there is a pass: rectified results may also be shifted to the left."""
    return is_supported(p) or (is_rectified(p) and bool(lines.shifts))


def _whole_lines(planes: _Planes) -> Lines:
    """Return lines that slide over a whole tensor."""
    out_h, out_w, _ = planes.y
    height, down = planes.window.kernel[0], planes.window.stride[0]
    slack = min(out_h * down, 2 * _VECTOR)
    most = min(_LANES, planes.x[2])

    def lines(channels: int, rows: int) -> Lines:
        pitch = height + (rows - 1) * down
        return Lines(channels, rows, out_w, pitch, slack, planes.window)

    chunks = lines(most, 1).chunks
    tried = [
        found
        for rows in (1, 2, 4)
        for channels in (most, 4, 2, 1)
        if channels <= most
        and (found := lines(channels, rows)).chunks == chunks
        and (rows == 1 or found.shifts)
    ]
    return _fitting(sorted(tried, key=lambda found: found.instructions(out_h)), _WHOLE_SCRATCH)


def _row_lines(planes: _Planes) -> Lines:
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
    return _fitting(tried, _ROW_SCRATCH)


def _fitting(tried: list[Lines], scratch_bytes: int) -> Lines:
    """Return the first that fit, or else the smallest."""
    fitting = [lines for lines in tried if lines.scratch_bytes <= scratch_bytes]
    return fitting[0] if fitting else min(tried, key=lambda lines: lines.scratch_bytes)


def _parameters(graph: Graph, op: DepthwiseConv2D, planes: _Planes, lines: Lines) -> Fields:
    """Return an ``mve_depthwise_t``."""
    p = prepare_conv(graph, op)
    weights = live_weights(graph, op, p, axis=3)
    bias = folded_bias(graph, op, p, weights, axis=3)
    taps = weights[0].transpose(2, 0, 1) if planes.is_turned else weights[0].transpose(2, 1, 0)
    rounded = _rounding(p, taps, bias, lines)
    constants = rounded.constants[[0, 2, 1]] if rounded.way is Way.LINE else rounded.constants
    return {
        "x": shape(planes.x),
        "y": shape(planes.y),
        "window": window(planes.window),
        "depth_multiplier": op.depth_multiplier,
        "padding": -p.input_offset,
        "pitch": lines.pitch,
        "line_bytes": lines.line_bytes,
        "rows": lines.rows,
        "columns": lines.columns,
        "lines": lines.lines,
        "slack": lines.slack,
        "chunks": lines.chunks,
        "weight_bytes": max(len(lines.shifts), 1) * lines.chunks * _VECTOR,
        "weights": Constant("weights", _in_lines(taps, lines)),
        "rescale": Constant("rescale", np.ascontiguousarray(constants.T)),
        "output": output(p),
        "pass": Name(_pass(rounded.way, lines)),
    }


def _rounding(p: ConvParameters, taps: Array, bias: Array, lines: Lines) -> Rounding:
    """Return how sums are rounded: the pass for any kernel does it as the reference."""
    found = rounding(p, taps.reshape(len(taps), -1), bias, one_scale=False)
    if found.way is Way.LINE and lines.shifts:
        return found
    way = Way.ROUND if found.way is Way.LINE else found.way
    way = way if is_supported(p) else Way.SHIFT
    return Rounding(way, rescaling(p, bias))


def _pass(way: Way, lines: Lines) -> str:
    if not lines.shifts:
        return "depthwise_any"
    shared = len(lines.shifts)
    return f"depthwise_{lines.step}_{lines.chunks}_{lines.rows}_{shared}_{way.value}"


def _in_lines(taps: Array, lines: Lines) -> Array:
    """Return weights ``[OC, KW, KH]`` in the order of lines: ``[OC, shared, chunks * 16]``."""
    channels, width, height = taps.shape
    columns = np.zeros((channels, width, lines.pitch), np.int8)
    columns[:, :, :height] = taps
    flat = columns.reshape(channels, -1)[:, : (width - 1) * lines.pitch + height]
    room = lines.chunks * _VECTOR - flat.shape[1]
    shifted = [np.pad(flat, ((0, 0), (shift, room - shift))) for shift in lines.shifts or [0]]
    return np.stack(shifted, axis=1)
