"""Calls of ops on single values: tables of 256 results, and float32 to 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.arithmetic import is_table
from harness.ir import DType, Graph
from harness.ir.ops import Logistic, Quantize, Tanh
from harness.kernels import pointwise as portable
from harness.kernels.call import Call, RowCall
from harness.kernels.variant import RowVariant, Variant

_NAME = "mve"


def pointwise(graph: Graph, op: Logistic | Tanh | Quantize) -> Iterator[Variant]:
    """Yield the variant of an op on single values, if there is one."""

    def calls() -> tuple[Call, ...]:
        if isinstance(op, Quantize):
            (call,) = portable.quantize(graph, op)
        else:
            (call,) = portable.lookup(graph, op)
        return (replace(call, header=f"mve/{call.header}", function=f"mve_{call.function}"),)

    if _is_supported(graph, op):
        yield Variant(_NAME, calls)


def pointwise_row(graph: Graph, op: Logistic | Tanh | Quantize) -> Iterator[RowVariant]:
    """Yield the variant that makes a row of an op on single values, if there is one."""

    def calls() -> tuple[RowCall, ...]:
        call = portable.pointwise_row(graph, op)
        return (replace(call, header=f"mve/{call.header}", function=f"mve_{call.function}"),)

    if _is_supported(graph, op):
        yield RowVariant(_NAME, calls)


def _is_supported(graph: Graph, op: Logistic | Tanh | Quantize) -> bool:
    if not isinstance(op, Quantize) or is_table(graph, op):
        return True
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    return x.dtype is DType.FLOAT32 and y.dtype in {DType.INT8, DType.UINT8}
