"""Which input row or column a nearest-neighbour resize takes.

Source: tflite-micro, kernels/internal/reference/resize_nearest_neighbor.h; all in float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.arithmetic.multiplier import round_half_away
from harness.ir.graph import Graph
from harness.ir.ops import ResizeNearestNeighbor


@dataclass(frozen=True, slots=True)
class ResizeParameters:
    """``rows[y]`` and ``columns[x]`` are the input's row and column for output ``[y, x]``."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]


def prepare_resize(graph: Graph, op: ResizeNearestNeighbor) -> ResizeParameters:
    """Return the index maps of a resize."""
    _, height, width, _ = graph.tensor(op.inputs[0]).shape
    _, out_height, out_width, _ = graph.tensor(op.outputs[0]).shape
    return ResizeParameters(
        tuple(_nearest(i, height, out_height, op) for i in range(out_height)),
        tuple(_nearest(i, width, out_width, op) for i in range(out_width)),
    )


def _nearest(index: int, size: int, out_size: int, op: ResizeNearestNeighbor) -> int:
    if op.align_corners and out_size > 1:
        step = np.float32(size - 1) / np.float32(out_size - 1)
    else:
        step = np.float32(size) / np.float32(out_size)
    offset = np.float32(0.5 if op.half_pixel_centers else 0.0)
    position = float((np.float32(index) + offset) * step)
    nearest = round_half_away(position) if op.align_corners else math.floor(position)
    return min(nearest, size - 1)
