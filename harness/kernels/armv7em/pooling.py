"""Pools and means for ARMv7E-M, four channels at a time: firmware/kernels/armv7em/pools.h."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.ir import DType, Graph
from harness.ir.ops import AveragePool2D, MaxPool2D, Mean
from harness.kernels import pooling
from harness.kernels.call import Call, Fields, RowCall, X, Y
from harness.kernels.variant import RowVariant, Variant

_NAME = "armv7em"
_HEADER = "armv7em/pools.h"

_GROUP = 4
"""``POOL_GROUP``."""


def pool(graph: Graph, op: AveragePool2D | MaxPool2D) -> Iterator[Variant]:
    """Yield the way to compute a pool of at least four channels."""

    def calls() -> tuple[Call, ...]:
        (call,) = pooling.pool(graph, op)
        return (replace(call, header=_HEADER, function=f"{call.function}_words"),)

    if graph.tensor(op.outputs[0]).shape[3] >= _GROUP:
        yield Variant(_NAME, calls)


def pool_row(graph: Graph, op: AveragePool2D | MaxPool2D) -> Iterator[RowVariant]:
    """Yield the way to compute columns of a row of such a pool."""
    for whole in pool(graph, op):

        def calls(whole: Variant = whole) -> tuple[RowCall, ...]:
            (call,) = whole.calls()
            return (RowCall(_HEADER, f"{call.function}_row", call.type, call.parameters),)

        yield RowVariant(_NAME, calls)


def mean(graph: Graph, op: Mean) -> Iterator[Variant]:
    """Yield the way to compute a mean over all rows and columns of at least four channels."""
    x = graph.tensor(op.inputs[0])

    def calls() -> tuple[Call, ...]:
        (call,) = pooling.mean(graph, op)
        parameters: Fields = {
            "cells": x.elements // x.shape[-1],
            "channels": x.shape[-1],
            **{field: call.parameters[field] for field in ("sum_offset", "factor", "output")},
        }
        return (Call(_HEADER, "mean_words", "mean_words_t", parameters, (X, Y)),)

    over_pixels = {axis for axis, length in enumerate(x.shape) if length > 1} - {len(x.shape) - 1}
    if (
        x.dtype is DType.INT8
        and over_pixels <= set(op.axes) <= set(range(len(x.shape) - 1))
        and x.shape[-1] >= _GROUP
    ):
        yield Variant(_NAME, calls)
