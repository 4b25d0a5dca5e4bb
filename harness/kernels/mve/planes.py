"""The planes that a depthwise convolution goes over, without what only sees padding."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.ir import Graph
from harness.ir.ops import DepthwiseConv2D, Padding, Window


@dataclass(frozen=True, slots=True)
class Planes:
    """What is convolved: input and output [H, W, C], and the window.

    Planes of a single column are turned to single rows, which are the same bytes: a row has more
    windows to compute together. The window is less than the op's where planes are so small that
    some taps only see padding: ``taps`` are those that are left.
    """

    x: tuple[int, ...]
    y: tuple[int, ...]
    window: Window
    taps: tuple[slice, slice]
    is_turned: bool = False


def planes_of(graph: Graph, op: DepthwiseConv2D, *, may_turn: bool) -> Planes:
    """Return what an op convolves; ``may_turn`` says that it makes whole tensors."""
    x, y = (graph.tensor(t).shape[1:] for t in (op.inputs[0], op.outputs[0]))
    w, taps = _seeing(op.window, x, y)
    if not (may_turn and x[1] == y[1] == w.kernel[1] == 1 and w.padding.left == 0):
        return Planes(x, y, w, taps)
    turned = Window(
        kernel=(1, w.kernel[0]),
        stride=(1, w.stride[0]),
        padding=Padding(left=w.padding.top, right=w.padding.bottom),
    )
    return Planes((1, x[0], x[2]), (1, y[0], y[2]), turned, taps, is_turned=True)


def _seeing(
    window: Window, x: tuple[int, ...], y: tuple[int, ...]
) -> tuple[Window, tuple[slice, slice]]:
    """Return the window without the rows and columns of taps that only see padding, and the others.

    A 7x7 kernel on planes of 3x3, which TinyNAS makes, is one of 5x5.
    """
    if window.dilation != (1, 1):
        return window, (slice(None), slice(None))
    pads = window.padding.top, window.padding.left
    first = [
        max(pad - (out - 1) * stride, 0)
        for pad, out, stride in zip(pads, y, window.stride, strict=False)
    ]
    end = [min(size, n + pad) for size, n, pad in zip(window.kernel, x, pads, strict=False)]
    if first[0] >= end[0] or first[1] >= end[1]:
        return window, (slice(None), slice(None))
    seeing = Window(
        kernel=(end[0] - first[0], end[1] - first[1]),
        stride=window.stride,
        padding=replace(window.padding, top=pads[0] - first[0], left=pads[1] - first[1]),
    )
    return seeing, (slice(first[0], end[0]), slice(first[1], end[1]))
