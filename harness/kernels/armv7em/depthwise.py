"""Depthwise convolution for ARMv7E-M: what firmware/kernels/armv7em/depthwise.h is told.

Kernel rows and columns that never lie on the tensor are cut off first: of a 7x7 kernel on a plane
of 2x2 only the middle 3x3 is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv
from harness.arithmetic.fixed_point import rescale_channels
from harness.ir import DType, Graph
from harness.ir.ops import DepthwiseConv2D, Padding, Window
from harness.ir.tensor import Array
from harness.kernels import convolution
from harness.kernels.call import SCRATCH, Call, Constant, Fields, Name, RowCall, X, Y
from harness.kernels.requantization import accumulator_reach, solve_layer
from harness.kernels.variant import RowVariant, Variant

_NAME = "armv7em"
_HEADER = "armv7em/depthwise.h"
_TYPE = "depthwise_short_t"

_GROUP = 4
"""Channels that are expanded together: ``DEPTHWISE_GROUP``."""

_SCALE, _SHIFT = 8, 9
"""``DEPTHWISE_SCALE`` and ``DEPTHWISE_SHIFT``. With 9 bits behind the point 28 of the 14,736
channels in eight networks have no short form, with 8 bits 43, with 10 bits 72."""

_EXACT = -(1 << 31)
"""``DEPTHWISE_EXACT``."""

_CORE_TAPS = (1, 3, 5, 7)
_CORE_PAIRS = 4
"""Kernel columns, and the most pairs of kernel rows, for which depthwise_lines.h has a core."""

_PHASES = 4
"""``DEPTHWISE_PHASES``."""

_MOST_CELLS = 511
"""Cells of a kernel whose sum fits 32 bits, scaled, whatever its weights."""

_TASK_BYTES = 4 * (4 + 12)
"""Bias and tail of a task."""

_SLACK_BYTES = 8
"""Cores read up to two words behind the last line."""

_BUDGET_BYTES = 4096
_ROW_BUDGET_BYTES = 1024
"""Scratch is kept below this if that can be: less of it means more calls."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a kernel looks like once it is cut: what a core is chosen by, and scratch follows."""

    x: tuple[int, ...]
    y: tuple[int, ...]
    window: Window
    first: tuple[int, int]
    """The kernel's row and column with which the window begins."""

    @property
    def phases(self) -> int:
        return 1 if self.window.kernel[1] == 1 else self.window.stride[1]

    @property
    def has_core(self) -> bool:
        """Whether there is a core for the window's columns."""
        return (
            self.window.kernel[1] <= _CORE_TAPS[-1]
            and self.window.dilation[1] == 1
            and self.phases <= 2
        )

    @property
    def taps(self) -> int:
        columns = self.window.kernel[1]
        return next(t for t in _CORE_TAPS if t >= columns) if self.has_core else columns

    def core(self, pairs: int) -> Name:
        if not self.has_core or pairs > _CORE_PAIRS:
            return Name("NULL")
        return Name(f"depthwise_{pairs}x{self.taps}_stride{self.phases}")

    def line_words(self, outputs: int) -> int:
        """Return the words of a line; outputs go in twos."""
        reach = (self.taps - 1) * self.window.dilation[1] // self.window.stride[1]
        return (outputs + 1) // 2 * 2 + reach

    def scratch_bytes(self, pairs: int, slots: int, outputs: int) -> int:
        """Return the bytes for ``slots`` pairs of rows and a kernel of ``pairs``."""
        words = slots * self.phases * self.line_words(outputs) * _GROUP + pairs * self.taps
        return 4 * words + _TASK_BYTES + _SLACK_BYTES


def variants(graph: Graph, op: DepthwiseConv2D, operand: int | None) -> Iterator[Variant]:
    """Yield the way to compute whole tensors, in place if ``operand`` says so."""
    if not _is_possible(graph, op):
        return
    shape = _shape(graph, op)
    (stride, _), (dilation, _) = shape.window.stride, shape.window.dilation
    if stride <= 2 and dilation == 1:
        pairs = (shape.window.kernel[0] + (2 if stride == 1 and shape.y[0] > 1 else 1)) // 2
        outputs = shape.y[1]
        rows = -(-shape.y[0] // (3 - stride))
        band = 1
        while band < rows:
            if shape.scratch_bytes(pairs, band + pairs, outputs) > _BUDGET_BYTES:
                break
            band += 1
        scratch = shape.scratch_bytes(pairs, band + pairs - 1, outputs)
        source = X if operand is None else Y

        def calls() -> tuple[Call, ...]:
            parameters = _parameters(graph, op, shape, pairs, shape.line_words(outputs), band)
            return (Call(_HEADER, "depthwise_whole", _TYPE, parameters, (source, Y, SCRATCH)),)

        yield Variant(_NAME, calls, scratch)
    elif operand is None:
        (row,) = row_variants(graph, op)
        yield Variant(_NAME, partial(_by_rows, row), row.scratch_bytes)


def row_variants(graph: Graph, op: DepthwiseConv2D) -> Iterator[RowVariant]:
    """Yield the way to compute columns of a row."""
    if not _is_possible(graph, op):
        return
    shape = _shape(graph, op)
    pairs = (shape.window.kernel[0] + 1) // 2
    columns = 2
    while columns < shape.y[1]:
        if shape.scratch_bytes(pairs, pairs, columns + 2) > _ROW_BUDGET_BYTES:
            break
        columns += 2

    def calls() -> tuple[RowCall, ...]:
        parameters = _parameters(graph, op, shape, pairs, shape.line_words(columns), columns)
        return (RowCall(_HEADER, "depthwise_short_row", _TYPE, parameters, takes_scratch=True),)

    yield RowVariant(_NAME, calls, shape.scratch_bytes(pairs, pairs, columns))


def _by_rows(row: RowVariant) -> tuple[Call, ...]:
    (call,) = row.calls()
    return (Call(_HEADER, "depthwise_by_rows", _TYPE, call.parameters, (X, Y, SCRATCH)),)


def _is_possible(graph: Graph, op: DepthwiseConv2D) -> bool:
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    kernel_h, kernel_w = op.window.kernel
    return (
        x.dtype is DType.INT8
        and y.dtype is DType.INT8
        and x.shape[3] >= _GROUP
        and kernel_h * kernel_w <= _MOST_CELLS
        and op.window.stride[1] <= _PHASES
    )


def _shape(graph: Graph, op: DepthwiseConv2D) -> _Shape:
    """Return the shape of the op, its kernel cut."""
    x, y = graph.tensor(op.inputs[0]).shape[1:], graph.tensor(op.outputs[0]).shape[1:]
    w, pad = op.window, op.window.padding
    first_h, kernel_h = _live(w.kernel[0], w.stride[0], w.dilation[0], pad.top, x[0], y[0])
    first_w, kernel_w = _live(w.kernel[1], w.stride[1], w.dilation[1], pad.left, x[1], y[1])
    window = Window(
        kernel=(kernel_h, kernel_w),
        stride=w.stride,
        dilation=(w.dilation[0] if kernel_h > 1 else 1, w.dilation[1] if kernel_w > 1 else 1),
        padding=Padding(
            top=pad.top - first_h * w.dilation[0], left=pad.left - first_w * w.dilation[1]
        ),
    )
    return _Shape(x, y, window, (first_h, first_w))


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


def _parameters(
    graph: Graph, op: DepthwiseConv2D, shape: _Shape, pairs: int, line_words: int, band: int
) -> Fields:
    """Return a ``depthwise_short_t``."""
    p = prepare_conv(graph, op)
    (first_h, first_w), (kernel_h, kernel_w) = shape.first, shape.window.kernel
    core = shape.core(pairs)
    every = convolution.live_weights(graph, op, p, axis=3)[0]
    weights = every[first_h : first_h + kernel_h, first_w : first_w + kernel_w]
    bias = convolution.live_bias(graph, op, p)
    channels, exact = _channels(p, weights, bias, has_core=core != Name("NULL"))
    return {
        "x": convolution.shape(shape.x),
        "y": convolution.shape(shape.y),
        "window": convolution.window(shape.window),
        "depth_multiplier": op.depth_multiplier,
        "padding": -p.input_offset,
        "pairs": pairs,
        "taps": shape.taps,
        "phases": shape.phases,
        "line_words": line_words,
        "band": band,
        "core": core,
        "weights": Constant("weights", _packed(weights, shape, pairs)),
        "channels": Constant("channels", channels),
        "exact": Constant("exact", exact),
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }


def _packed(weights: Array, shape: _Shape, pairs: int) -> Array:
    """Return the weights [OC, words] in the order of a task, two taps a word.

    A word's bytes are the second tap's two rows (0 and 2) and the first tap's (1 and 3).
    """
    kernel_h, kernel_w, channels = weights.shape
    padded = np.zeros((2 * pairs, shape.taps, channels), np.int8)
    padded[:kernel_h, :kernel_w] = weights
    taps = np.arange(shape.taps)
    phase = taps * shape.window.dilation[1] % shape.phases
    ordered = padded[:, np.argsort(phase, kind="stable")]
    by_pair = ordered.reshape(pairs, 2, -1, channels).transpose(3, 0, 2, 1)
    by_tap = by_pair.reshape(channels, -1, 2)
    even = np.zeros((channels, (by_tap.shape[1] + 1) // 2 * 2, 2), np.int8)
    even[:, : by_tap.shape[1]] = by_tap
    two = even.reshape(channels, -1, 2, 2)
    words = np.stack([two[:, :, 1, 0], two[:, :, 0, 0], two[:, :, 1, 1], two[:, :, 0, 1]], axis=2)
    packed: Array = np.ascontiguousarray(words).view("<i4").reshape(channels, -1)
    return packed


def _channels(
    p: ConvParameters,
    weights: Array,
    bias: Array,
    *,
    has_core: bool,
) -> tuple[Array, Array]:
    """Return the table of channels, and that of those which have no short form."""
    count = weights.shape[2]
    flat = weights.reshape(-1, count).T.astype(np.int64)
    zero_point = -p.input_offset
    folded = bias - zero_point * flat.sum(axis=1)
    low, high = accumulator_reach(flat, bias, -128 - zero_point, 127 - zero_point)
    ends = np.clip(
        rescale_channels(np.stack([low, high]), p.multipliers) + p.output_offset, p.low, p.high
    )
    layer = solve_layer(
        p.multipliers,
        p.output_offset,
        p.low,
        p.high,
        (low, high),
        scale=_SCALE,
        shift=_SHIFT,
        steps=False,
    )
    table = np.zeros((count, 3), np.int64)
    exact: list[tuple[int, int, int]] = []
    for c in range(count):
        if has_core and ends[0, c] == ends[1, c]:
            table[c] = 0, 0, int(ends[0, c]) << _SHIFT
        elif has_core and layer is not None and layer.solved[c] and not layer.clamps:
            scaled = (int(folded[c]) << _SCALE) + int(layer.offsets[c])
            table[c] = _wrapped(scaled), int(layer.multipliers[c]), int(layer.addends[c])
        else:
            factor = p.multipliers[c]
            table[c] = len(exact), _EXACT, 0
            exact.append((int(folded[c]), factor.multiplier, factor.shift))
    return table.astype(np.int32), np.array(exact or [(0, 0, 0)], np.int32)


def _wrapped(value: int) -> int:
    """Return what 32 bits keep of a value: sums may wrap on their way, as their end fits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)
