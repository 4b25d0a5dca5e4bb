"""What a file may ask of us: far above any microcontroller model, far below what hurts.

A hostile flatbuffer is small and asks for much: a shape of 2^31 elements, a vector of four billion
entries, a thousand tensors that all point at the same megabyte. Each number here bounds one such
demand, before anything is read or allocated for it.
"""

from __future__ import annotations

import math

MAX_FILE_BYTES = 64 << 20
MAX_TENSORS = 16_384
MAX_OPS = 4_096
MAX_OP_TENSORS = 1_024
MAX_NAME_BYTES = 16_384
MAX_RANK = 8
MAX_WINDOW = 1 << 16
MAX_TENSOR_BYTES = 64 << 20
MAX_TOTAL_BYTES = 1 << 30

READ_FACTOR = 4
"""Bytes of names and vectors that may be read, as a multiple of the file's size.

A sound file stores each of them once, or shares one between a few tensors.
"""


def shape_fault(shape: tuple[int, ...], itemsize: int) -> str | None:
    """Return what is wrong with a tensor's shape, or None. Python integers do not overflow."""
    if len(shape) > MAX_RANK:
        return f"{len(shape)} axes; at most {MAX_RANK} are allowed"
    if any(size <= 0 for size in shape):
        return f"shape {list(shape)} has an axis without elements; each must have at least 1"
    if (size := math.prod(shape) * itemsize) > MAX_TENSOR_BYTES:
        return f"shape {list(shape)} takes {size:,} B; at most {MAX_TENSOR_BYTES:,} B are allowed"
    return None
