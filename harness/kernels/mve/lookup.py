"""Calls of ops that are a table of 256 results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.arithmetic import is_table
from harness.ir import Graph
from harness.ir.ops import Logistic, Quantize, Tanh
from harness.kernels import pointwise
from harness.kernels.call import Call, RowCall
from harness.kernels.variant import RowVariant, Variant

_NAME = "mve"
_HEADER = "mve/lookup.h"


def lookup(graph: Graph, op: Logistic | Tanh | Quantize) -> Iterator[Variant]:
    """Yield the variant of an op that maps single 8-bit values."""

    def calls() -> tuple[Call, ...]:
        (call,) = pointwise.lookup(graph, op)
        return (replace(call, header=_HEADER, function="mve_lookup"),)

    if not isinstance(op, Quantize) or is_table(graph, op):
        yield Variant(_NAME, calls)


def lookup_row(graph: Graph, op: Logistic | Tanh | Quantize) -> Iterator[RowVariant]:
    """Yield the variant that makes a row of an op that maps single 8-bit values."""

    def calls() -> tuple[RowCall, ...]:
        call = pointwise.pointwise_row(graph, op)
        return (replace(call, header=_HEADER, function="mve_lookup_row"),)

    if not isinstance(op, Quantize) or is_table(graph, op):
        yield RowVariant(_NAME, calls)
