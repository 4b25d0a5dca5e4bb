"""Calls for pools and means."""

from __future__ import annotations

from harness.arithmetic import prepare_mean, prepare_pool
from harness.ir import Graph
from harness.ir.ops import AveragePool2D, MaxPool2D, Mean
from harness.kernels.axes import Axis, contiguous_steps, joined, padded
from harness.kernels.call import Call, Fields, RowCall, SumsCall, X, Y
from harness.kernels.convolution import shape, window
from harness.kernels.elementwise import factor

_MEAN_AXES = 3
"""``MEAN_AXES``."""


def pool(graph: Graph, op: AveragePool2D | MaxPool2D) -> tuple[Call, ...]:
    """Return the call of a pool."""
    p = prepare_pool(graph, op)
    parameters: Fields = {
        "x": shape(graph.tensor(op.inputs[0]).shape[1:]),
        "y": shape(graph.tensor(op.outputs[0]).shape[1:]),
        "window": window(op.window),
        "low": p.low,
        "high": p.high,
    }
    function = "max_pool" if isinstance(op, MaxPool2D) else "average_pool"
    return (Call("pool.h", function, "pool_t", parameters, (X, Y)),)


def pool_row(graph: Graph, op: AveragePool2D | MaxPool2D) -> RowCall:
    """Return the call that makes a row of a pool."""
    (call,) = pool(graph, op)
    return RowCall(call.header, f"{call.function}_row", call.type, call.parameters)


def average_sums(graph: Graph, op: AveragePool2D) -> SumsCall:
    """Return the call that finishes an average over all rows and columns."""
    p = prepare_pool(graph, op)
    x = shape(graph.tensor(op.inputs[0]).shape[1:])
    parameters: Fields = {"x": x, "low": p.low, "high": p.high}
    return SumsCall("sums.h", "average_sums", "average_sums_t", parameters)


def mean_sums(graph: Graph, op: Mean) -> SumsCall:
    """Return the call that finishes a mean over all rows and columns."""
    p = prepare_mean(graph, op)
    parameters: Fields = {
        "x": shape(graph.tensor(op.inputs[0]).shape[1:]),
        "sum_offset": p.sum_offset,
        "factor": factor(p.factor),
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }
    return SumsCall("sums.h", "mean_sums", "mean_sums_t", parameters)


def mean(graph: Graph, op: Mean) -> tuple[Call, ...]:
    """Return the call of a mean: a walk over what stays, and one over what is averaged."""
    p = prepare_mean(graph, op)
    lengths = graph.tensor(op.inputs[0]).shape
    axes = [
        Axis(length, step, step)
        for length, step in zip(lengths, contiguous_steps(lengths), strict=True)
    ]
    kept = padded(joined(a for i, a in enumerate(axes) if i not in op.axes), _MEAN_AXES)
    reduced = padded(joined(a for i, a in enumerate(axes) if i in op.axes), _MEAN_AXES)
    parameters: Fields = {
        "kept": tuple(axis.length for axis in kept),
        "kept_step": tuple(axis.x_step for axis in kept),
        "reduced": tuple(axis.length for axis in reduced),
        "reduced_step": tuple(axis.x_step for axis in reduced),
        "sum_offset": p.sum_offset,
        "factor": factor(p.factor),
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }
    return (Call("mean.h", "mean", "mean_t", parameters, (X, Y)),)
