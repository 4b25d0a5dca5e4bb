"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN."""

from __future__ import annotations

import numpy as np

from harness.arithmetic import dtype_range, prepare_mean, prepare_pool
from harness.arithmetic.fixed_point import rescale
from harness.ir import Graph
from harness.ir.ops import AveragePool2D, MaxPool2D, Mean
from harness.ir.tensor import Array
from harness.reference.windows import cells, pad_rows_and_columns


def average_pool_2d(graph: Graph, op: AveragePool2D, x: Array) -> Array:
    """Return the mean of each window's cells that lie inside, halves away from zero."""
    parameters = prepare_pool(graph, op)
    shape = graph.tensor(op.outputs[0]).shape
    sums = np.zeros(shape, np.int64)
    counts = np.zeros((1, *shape[1:3], 1), np.int64)
    padded = pad_rows_and_columns(x.astype(np.int64), op.window, 0)
    inside = pad_rows_and_columns(np.ones((1, *x.shape[1:3], 1), np.int64), op.window, 0)
    for _, _, inputs in cells(padded, op.window, shape):
        sums += inputs
    for _, _, ones in cells(inside, op.window, shape):
        counts += ones
    means: Array = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
    return means.clip(parameters.low, parameters.high)


def max_pool_2d(graph: Graph, op: MaxPool2D, x: Array) -> Array:
    """Return the maximum of each window's cells that lie inside."""
    parameters = prepare_pool(graph, op)
    output = graph.tensor(op.outputs[0])
    smallest, _ = dtype_range(output.dtype)
    highest = np.full(output.shape, smallest, x.dtype)
    padded = pad_rows_and_columns(x, op.window, smallest)
    for _, _, inputs in cells(padded, op.window, output.shape):
        np.maximum(highest, inputs, out=highest)
    return np.clip(highest, parameters.low, parameters.high)


def mean(graph: Graph, op: Mean, x: Array) -> Array:
    """Return the mean over the op's axes, requantized."""
    p = prepare_mean(graph, op)
    sums = x.sum(axis=op.axes, keepdims=op.keep_dims, dtype=np.int64) + p.sum_offset
    return np.clip(rescale(np.asarray(sums), p.factor) + p.output_offset, p.low, p.high)
