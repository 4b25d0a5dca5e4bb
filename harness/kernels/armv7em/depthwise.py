"""Depthwise convolution for ARMv7E-M: what firmware/kernels/armv7em/depthwise.h is told."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from harness.arithmetic import prepare_conv
from harness.ir import DType, Graph
from harness.ir.ops import DepthwiseConv2D
from harness.kernels import convolution
from harness.kernels.armv7em import depthwise_small as small
from harness.kernels.armv7em.depthwise_geometry import GROUP, Geometry, by_rows, whole
from harness.kernels.armv7em.depthwise_loops import Lines, RowOrBatch
from harness.kernels.armv7em.depthwise_table import table_of
from harness.kernels.armv7em.depthwise_weights import cut, packed
from harness.kernels.call import SCRATCH, Call, Constant, Fields, Name, RowCall, X, Y
from harness.kernels.variant import RowVariant, Variant

_NAME = "armv7em"
_HEADER = "armv7em/depthwise.h"
_TYPE = "depthwise_short_t"
_SMALL_HEADER = "armv7em/depthwise_small.h"
_3X3_HEADER = "armv7em/depthwise_3x3.h"
_3X3_TYPE = "depthwise_3x3_t"
_COLUMNS_HEADER = "armv7em/depthwise_columns.h"
_COLUMNS_TYPE = "depthwise_columns_t"

_PHASES = 4
"""``DEPTHWISE_PHASES``."""

_MOST_CELLS = 511
"""Cells of a kernel whose sum fits 32 bits, scaled, whatever its weights."""

_MOST_BAND = 8
"""Pairs of rows that are expanded at a time for a batch, at most."""

_BUDGET_BYTES = 4096
_LEAST_BYTES = 1024
"""Scratch is kept below this if that can be: less of it means more calls. Rows can do with
``_LEAST_BYTES`` where there is no room for more."""


def variants(
    graph: Graph, op: DepthwiseConv2D, operand: int | None, *, compact: bool = False
) -> Iterator[Variant]:
    """Yield the way to compute whole tensors, in place if ``operand`` says so.

    A ``compact`` one takes less flash, and more time.
    """
    if not _is_possible(graph, op):
        return
    source = X if operand is None else Y
    in_place = operand is not None
    geometry = whole(graph, op, _BUDGET_BYTES, in_place=in_place, compact=compact)
    upright = by_rows(graph, op, compact=compact)
    few = small.instructions(upright)
    if few is not None and few < geometry.channel_instructions:

        def small_calls() -> tuple[Call, ...]:
            operands = (source, Y, SCRATCH)
            fields = _small(graph, op, upright, upright)
            return (Call(_SMALL_HEADER, "depthwise_small", "depthwise_small_t", fields, operands),)

        yield Variant(_NAME, small_calls, small.scratch_bytes(upright), loops=small.loops(upright))
    elif geometry.goes_by_pairs:
        pairs, outputs = geometry.whole_pairs, geometry.y[1]
        band = geometry.band(_BUDGET_BYTES)

        def calls() -> tuple[Call, ...]:
            parameters = _parameters(graph, op, geometry, pairs, outputs, band)
            operands = (source, Y, SCRATCH)
            if geometry.is_3x3:
                fields = _3x3(parameters, geometry, two_rows=True)
                return (Call(_3X3_HEADER, "depthwise_3x3", _3X3_TYPE, fields, operands),)
            return (Call(_HEADER, "depthwise_whole", _TYPE, parameters, operands),)

        lines = Lines(geometry, pairs, outputs, band)
        yield Variant(
            _NAME,
            calls,
            geometry.scratch_bytes(pairs, band + pairs - 1, outputs),
            loops=lines.instructions(geometry.y[0], outputs, in_batches=True),
        )
    elif operand is None:
        row = next(_by_lines(graph, op, by_rows(graph, op, compact=compact)))
        height, width = geometry.y[:2]
        loops = height * row.loops(1, width, in_batches=False) if row.loops else 0.0
        yield Variant(_NAME, partial(_by_rows, row), row.scratch_bytes, loops=loops)


def row_variants(
    graph: Graph, op: DepthwiseConv2D, *, compact: bool = False
) -> Iterator[RowVariant]:
    """Yield the ways to compute columns of a row, with less and less scratch."""
    if not _is_possible(graph, op):
        return
    geometry = by_rows(graph, op, compact=compact)
    window = small.window_of_a_row(geometry)
    if window is not None:
        calls = partial(_pixel_calls, graph, op, geometry, window)
        yield RowVariant(
            _NAME,
            calls,
            small.scratch_bytes(window),
            loops=small.RowLoops(window),
            over_operand=True,
        )
    else:
        yield from _by_lines(graph, op, geometry)


def _by_lines(graph: Graph, op: DepthwiseConv2D, geometry: Geometry) -> Iterator[RowVariant]:
    """Yield the ways to compute columns of a row from lines, the fastest first.

    One row takes its lines from pairs of columns, if it can, with a little less scratch; several
    take theirs from pairs of rows.
    """
    one_row, width = geometry.of_one_row, geometry.y[1]
    is_by_channel = op.depth_multiplier == 1

    def calls(g: Geometry, columns: int, band: int, *, in_batches: bool) -> tuple[RowCall, ...]:
        parameters = _parameters(graph, op, g, g.row_pairs, columns, band)
        return (_row_call(parameters, g, in_batches=in_batches),)

    pairs = geometry.row_pairs
    makes_rows = geometry.goes_by_pairs and geometry.has_core and pairs == geometry.whole_pairs
    for columns, band in _parts_of_rows(geometry):
        yield RowVariant(
            _NAME,
            partial(calls, one_row, columns, 1, in_batches=False),
            geometry.scratch_bytes(pairs, band + pairs - 1, columns),
            partial(calls, geometry, columns, band, in_batches=True) if makes_rows else None,
            columns if columns < width else None,
            loops=RowOrBatch(
                Lines(one_row, one_row.row_pairs, columns, 1),
                Lines(geometry, pairs, columns, band),
            ).instructions,
            over_operand=columns == width and is_by_channel,
        )
    lines = one_row.row_pairs
    scratch = one_row.scratch_bytes(lines, lines, width)
    if one_row.is_by_columns and scratch <= _BUDGET_BYTES:
        yield RowVariant(
            _NAME,
            partial(calls, one_row, width, 1, in_batches=False),
            scratch,
            loops=Lines(one_row, lines, width, 1).instructions,
            over_operand=is_by_channel,
        )


def _row_call(parameters: Fields, geometry: Geometry, *, in_batches: bool) -> RowCall:
    """Return the call for one row, or several."""
    header, function, type_ = _HEADER, "depthwise_short_row", _TYPE
    if geometry.is_3x3:
        header, type_ = _3X3_HEADER, _3X3_TYPE
        parameters = _3x3(parameters, geometry, two_rows=in_batches)
        function = "depthwise_3x3_batch" if in_batches else "depthwise_3x3_row"
    elif geometry.is_by_columns:
        header, type_, function = _COLUMNS_HEADER, _COLUMNS_TYPE, "depthwise_columns_row"
        task = Name(f"depthwise_columns_task_{geometry.row_pairs}x{geometry.taps}")
        parameters = {"op": parameters, "task": task}
    elif geometry.goes_by_pairs:
        function = "depthwise_pairs_batch" if in_batches else "depthwise_pairs_row"
    return RowCall(header, function, type_, parameters, takes_scratch=True, makes_rows=in_batches)


def _parts_of_rows(geometry: Geometry) -> Iterator[tuple[int, int]]:
    """Yield what may be expanded at a time of rows: columns, and pairs of rows.

    These are all columns, of as many pairs of rows as fit and of fewer; then rows in more and more
    parts of even width, until scratch is as small as it needs to be.
    """
    kernel, width = geometry.row_pairs, geometry.y[1]
    most = min(geometry.bands, _MOST_BAND) if geometry.goes_by_pairs else 1
    whole = [(width, band) for band in range(most, 1, -1)]
    parts = [(min(-(-width // (2 * n)) * 2, width), 1) for n in range(1, width + 1)]
    for columns, band in dict.fromkeys([*whole, *parts]):
        scratch = geometry.scratch_bytes(kernel, band + kernel - 1, columns)
        if scratch <= _BUDGET_BYTES or columns <= 2:
            yield columns, band
        if scratch <= _LEAST_BYTES and band == 1:
            return


def _pixel_calls(
    graph: Graph, op: DepthwiseConv2D, geometry: Geometry, window: Geometry
) -> tuple[RowCall, ...]:
    """Return the call that makes a row of one pixel, the cells of whose window are a plane."""
    fields: Fields = {
        "op": _small(graph, op, window, geometry),
        "height": geometry.x[0],
        "stride": geometry.window.stride[0],
        "dilation": geometry.window.dilation[0],
        "top": geometry.window.padding.top,
    }
    function = "depthwise_small_row"
    return (RowCall(_SMALL_HEADER, function, f"{function}_t", fields, takes_scratch=True),)


def _by_rows(row: RowVariant) -> tuple[Call, ...]:
    (call,) = row.calls()
    return (Call(_HEADER, "depthwise_by_rows", _TYPE, call.parameters, (X, Y, SCRATCH)),)


def _is_possible(graph: Graph, op: DepthwiseConv2D) -> bool:
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    kernel_h, kernel_w = op.window.kernel
    return (
        x.dtype is DType.INT8
        and y.dtype is DType.INT8
        and x.shape[3] >= GROUP
        and kernel_h * kernel_w <= _MOST_CELLS
        and op.window.stride[1] <= _PHASES
    )


def _parameters(
    graph: Graph, op: DepthwiseConv2D, geometry: Geometry, pairs: int, outputs: int, band: int
) -> Fields:
    """Return a ``depthwise_short_t`` for lines of so many outputs."""
    p = prepare_conv(graph, op)
    core = geometry.core(pairs)
    weights = cut(convolution.live_weights(graph, op, p, axis=3)[0], geometry)
    bias = convolution.live_bias(graph, op, p)
    folded = bias + p.input_offset * weights.sum(axis=(0, 1), dtype=np.int64)
    table = table_of(p, weights, bias, folded, geometry, has_core=core != Name("NULL"))
    live, of_two, of_one = packed(weights, geometry, pairs)
    return {
        "x": convolution.shape(geometry.x),
        "y": convolution.shape(geometry.y),
        "window": convolution.window(geometry.window),
        "depth_multiplier": op.depth_multiplier,
        "padding": -p.input_offset,
        "pairs": pairs,
        "taps": geometry.taps,
        "phases": geometry.phases,
        "spacing": geometry.spacing,
        "line_words": geometry.line_words(outputs),
        "columns": outputs,
        "band": band,
        "x_step": geometry.x_step,
        "y_step": geometry.y_step,
        "core": Name("NULL") if geometry.is_3x3 else core,
        "packed": {"of_two": of_two, "of_one": of_one},
        "weights_bytes": live.nbytes // len(table.channels),
        "weights": Constant("weights", live),
        "channels": Constant("channels", table.channels),
        **table.exactly("NULL" if geometry.is_3x3 else "depthwise_exactly"),
        "addend": table.addend,
        "shifts": table.all_shifts,
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }


def _3x3(parameters: Fields, geometry: Geometry, *, two_rows: bool) -> Fields:
    """Return a ``depthwise_3x3_t``; with stride 1 it may make ``two_rows`` from the same lines."""
    makes_two_rows = geometry.window.stride == (1, 1) and two_rows
    core = "two_rows" if makes_two_rows else f"one_row_stride{geometry.window.stride[1]}"
    exact = parameters["exact"]
    return {
        "op": parameters,
        "core": Name(f"depthwise_3x3_{core}"),
        "exactly": exact if isinstance(exact, Name) else Name("depthwise_3x3_exactly"),
        "makes_two_rows": int(makes_two_rows),
    }


def _small(graph: Graph, op: DepthwiseConv2D, geometry: Geometry, of_op: Geometry) -> Fields:
    """Return a ``depthwise_small_t`` for all of an op, or for what its geometry sees at a time."""
    p = prepare_conv(graph, op)
    weights = cut(convolution.live_weights(graph, op, p, axis=3)[0], of_op)
    bias = convolution.live_bias(graph, op, p)
    table = table_of(p, weights, bias, bias, geometry, has_core=True)
    x_row, w_row = small.row_bytes(geometry)
    return {
        "channels": geometry.x[2],
        "cells": geometry.x[0] * geometry.x[1],
        "outputs": geometry.y[0] * geometry.y[1],
        "taps": weights.shape[0] * weights.shape[1],
        "x_row": x_row,
        "w_row": w_row,
        "zero_point": -p.input_offset,
        "windows": Constant("windows", small.windows(geometry)),
        "weights": Constant("weights", np.ascontiguousarray(weights)),
        "table": Constant("channels", table.channels),
        **table.exactly("depthwise_small_exactly"),
        "addend": table.addend,
        "shifts": table.all_shifts,
        "core": Name(f"depthwise_small_{'round' if geometry.is_rounded else 'line'}"),
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }
