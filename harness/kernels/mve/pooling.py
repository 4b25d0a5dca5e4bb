"""Calls of pools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from harness.ir import Graph
from harness.ir.ops import AveragePool2D, MaxPool2D
from harness.kernels import pooling
from harness.kernels.call import Call, RowCall
from harness.kernels.variant import RowVariant, Variant

_NAME = "mve"
_HEADER = "mve/pool.h"

_MOST_CELLS = 255
"""Of an average: a sum of as many int8 fits 16 bits."""

_FEWEST_CHANNELS = 4
"""With fewer a vector is nearly empty."""


def pool(graph: Graph, op: AveragePool2D | MaxPool2D) -> Iterator[Variant]:
    """Yield the variant of a pool."""
    if _is_supported(graph, op):
        yield Variant(_NAME, partial(_calls, graph, op))


def pool_row(graph: Graph, op: AveragePool2D | MaxPool2D) -> Iterator[RowVariant]:
    """Yield the variant that makes a row of a pool."""
    if _is_supported(graph, op):
        yield RowVariant(_NAME, partial(_row_calls, graph, op))


def _is_supported(graph: Graph, op: AveragePool2D | MaxPool2D) -> bool:
    height, width = op.window.kernel
    fits = isinstance(op, MaxPool2D) or height * width <= _MOST_CELLS
    return fits and graph.tensor(op.inputs[0]).shape[3] >= _FEWEST_CHANNELS


def _calls(graph: Graph, op: AveragePool2D | MaxPool2D) -> tuple[Call, ...]:
    (call,) = pooling.pool(graph, op)
    return (replace(call, header=_HEADER, function=f"mve_{call.function}"),)


def _row_calls(graph: Graph, op: AveragePool2D | MaxPool2D) -> tuple[RowCall, ...]:
    call = pooling.pool_row(graph, op)
    return (replace(call, header=_HEADER, function=f"mve_{call.function}"),)
