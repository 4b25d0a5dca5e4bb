"""Calls of convolutions and fully connected ops, all of them products of columns with a matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from harness.arithmetic import ConvParameters, prepare_conv, prepare_fully_connected
from harness.ir import Graph
from harness.ir.ops import Conv2D, FullyConnected, Padding
from harness.kernels.call import SCRATCH, Call, Fields, Name, RowCall, X, Y
from harness.kernels.convolution import folded_bias, live_weights, shape, window
from harness.kernels.mve.columns import columns
from harness.kernels.mve.rounding import is_supported
from harness.kernels.variant import RowVariant, Variant

_NAME = "mve"
_HEADER = "mve/conv.h"

_WHOLE_SCRATCH, _ROWS_SCRATCH = 1024, (1024, 320)
"""Bytes of scratch for gathered columns, as long as two of them fit; more save calls."""

_USUAL_ROWS = 4
"""Rows that are made at once, or so."""

_MOST_GATHERED = 32

_GATHERS = {
    (3, 3, 2),
    (3, 6, 2),
    (3, 9, 3),
    (3, 9, 6),
    (3, 12, 4),
    (3, 18, 6),
    (3, 24, 8),
    (5, 5, 2),
}
"""The rows of a window, the bytes of each and the bytes to the next window: what has functions."""


def conv(graph: Graph, op: Conv2D) -> Iterator[Variant]:
    """Yield the variant of a convolution."""
    if not is_supported(prepare_conv(graph, op)):
        return
    if not _are_columns(op):
        gathered = _gathered(graph, op, _WHOLE_SCRATCH)
        scratch = gathered * _depth(graph, op)

        def gathering() -> tuple[Call, ...]:
            parameters = _conv(graph, op, gathered, is_whole=True)
            return (Call(_HEADER, "mve_conv", "mve_conv_t", parameters, (X, Y, SCRATCH)),)

        yield Variant(_NAME, gathering, scratch)
        return

    def pointwise() -> tuple[Call, ...]:
        parameters = _conv(graph, op, 0, is_whole=op.window.stride == (1, 1))
        return (Call(_HEADER, "mve_pointwise", "mve_conv_t", parameters, (X, Y)),)

    yield Variant(_NAME, pointwise)


def conv_row(graph: Graph, op: Conv2D) -> Iterator[RowVariant]:
    """Yield the variants that make rows of a convolution, with less and less scratch."""
    if not is_supported(prepare_conv(graph, op)):
        return
    offered = [_gathered(graph, op, scratch_bytes) for scratch_bytes in _ROWS_SCRATCH]
    if not _are_columns(op):
        for gathered in dict.fromkeys(offered):
            yield _rows(graph, op, "mve_conv", gathered)
        return
    if _fits_over_input(graph, op):
        for gathered in dict.fromkeys(offered):
            yield replace(_rows(graph, op, "mve_pointwise_over", gathered), over_operand=True)
    yield _rows(graph, op, "mve_pointwise", 0)


def _rows(graph: Graph, op: Conv2D, name: str, gathered: int) -> RowVariant:
    """Return the variant that gathers so many columns before they are multiplied, or none."""

    def calls(*, in_batches: bool) -> tuple[RowCall, ...]:
        rows = _USUAL_ROWS if in_batches else 1
        parameters = _conv(graph, op, gathered, is_whole=False, rows=rows)
        function = f"{name}_{'batch' if in_batches else 'row'}"
        scratch = gathered > 0
        call = RowCall(_HEADER, function, "mve_conv_t", parameters, takes_scratch=scratch)
        return (replace(call, makes_rows=in_batches),)

    return RowVariant(
        _NAME,
        partial(calls, in_batches=False),
        gathered * _depth(graph, op),
        partial(calls, in_batches=True),
    )


def _fits_over_input(graph: Graph, op: Conv2D) -> bool:
    """Return whether each output pixel may take the bytes of the one that it is made of."""
    x, y = (graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    return op.window.stride == (1, 1) and x[3] == y[3]


def fully_connected(graph: Graph, op: FullyConnected) -> Iterator[Variant]:
    """Yield the variant of a fully connected op."""
    p = prepare_fully_connected(graph, op)
    if not is_supported(p):
        return

    def calls() -> tuple[Call, ...]:
        parameters = _fully_connected(graph, op, p)
        type_ = "mve_fully_connected_t"
        return (Call(_HEADER, "mve_fully_connected", type_, parameters, (X, Y)),)

    yield Variant(_NAME, calls)


def fully_connected_row(graph: Graph, op: FullyConnected) -> Iterator[RowVariant]:
    """Yield the variant of a fully connected op on a single pixel."""
    p = prepare_fully_connected(graph, op)
    if not is_supported(p):
        return

    def calls() -> tuple[RowCall, ...]:
        parameters = _fully_connected(graph, op, p)
        type_ = "mve_fully_connected_t"
        return (RowCall(_HEADER, "mve_fully_connected_row", type_, parameters),)

    yield RowVariant(_NAME, calls)


def _are_columns(op: Conv2D) -> bool:
    """Return whether the op reads single pixels, which are columns where they lie."""
    return op.window.kernel == (1, 1) and op.window.padding == Padding()


def _depth(graph: Graph, op: Conv2D) -> int:
    _, height, width, channels = graph.tensor(op.inputs[1]).shape
    return height * width * channels


def _gathered(graph: Graph, op: Conv2D, scratch_bytes: int) -> int:
    """Return how many columns are gathered before they are multiplied: two, or four and more."""
    fitting = scratch_bytes // _depth(graph, op)
    return min(max(fitting // 4 * 4, 2), _MOST_GATHERED)


def _conv(graph: Graph, op: Conv2D, gathered: int, *, is_whole: bool, rows: int = 1) -> Fields:
    """Return an ``mve_conv_t``; ``is_whole`` says that columns of all rows go together.

    Otherwise those of so many ``rows`` do, or so.
    """
    p = prepare_conv(graph, op)
    shapes = [graph.tensor(t).shape[1:] for t in (op.inputs[0], op.outputs[0])]
    if is_whole and not gathered:
        shapes = [(1, height * width, channels) for height, width, channels in shapes]
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    height, width, _ = shapes[1]
    together = (height if is_whole else min(rows, height)) * width
    return {
        "x": shape(shapes[0]),
        "y": shape(shapes[1]),
        "window": window(op.window),
        "padding": -p.input_offset,
        "gathered": gathered,
        **_gather(op, shapes[0]),
        "columns": columns(p, weights.reshape(len(weights), -1), bias, together, gathered),
    }


def _gather(op: Conv2D, x: tuple[int, ...]) -> Fields:
    """Return the field of the function that gathers such windows, if there is one."""
    height, width = op.window.kernel
    moved = height, width * x[-1], op.window.stride[1] * x[-1]
    return {"gather": Name("gather_" + "_".join(map(str, moved)))} if moved in _GATHERS else {}


def _fully_connected(graph: Graph, op: FullyConnected, p: ConvParameters) -> Fields:
    """Return an ``mve_fully_connected_t``."""
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    batch = graph.tensor(op.outputs[0]).elements // len(weights)
    return {
        "batch": batch,
        "columns": columns(p, weights, bias, batch),
    }
