"""Ops that move elements and compute nothing; any element type."""

from __future__ import annotations

import numpy as np

from harness.arithmetic import prepare_resize
from harness.ir import Graph
from harness.ir.ops import Pad, ResizeNearestNeighbor, Split, StridedSlice, Unpack
from harness.ir.tensor import Array


def pad(op: Pad, x: Array) -> Array:
    """Return ``x`` with the op's value around it."""
    return np.pad(x, op.paddings, constant_values=op.value)


def split(op: Split, x: Array) -> list[Array]:
    """Return equal parts along an axis."""
    return np.split(x, len(op.outputs), axis=op.axis)


def unpack(op: Unpack, x: Array) -> list[Array]:
    """Return the slices along an axis."""
    return list(np.moveaxis(x, op.axis, 0))


def strided_slice(op: StridedSlice, x: Array) -> Array:
    """Return every n-th element of each axis; steps may go backwards."""
    indices = [
        begin + stride * np.arange(length)
        for begin, stride, length in zip(op.begin, op.strides, op.lengths, strict=True)
    ]
    return x[np.ix_(*indices)]


def resize_nearest_neighbor(graph: Graph, op: ResizeNearestNeighbor, x: Array) -> Array:
    """Return the nearest row and column for each output."""
    maps = prepare_resize(graph, op)
    return x[:, maps.rows][:, :, maps.columns]
