"""A tensor: shape, element type, quantization and, when constant, its data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NewType

import numpy as np
import numpy.typing as npt

from harness.ir.dtype import DType

TensorId = NewType("TensorId", int)
"""Position of a tensor in ``Graph.tensors``."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Quantization:
    """``real = scale * (q - zero_point)``, per tensor or per slice along ``axis``.

    ``scales`` and ``zero_points`` have one element (per tensor, ``axis`` is None) or one per
    slice. Scales are float32 values held as Python floats, exactly as the file has them.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantization."""
        assert len(self.scales) == 1, "per-channel quantization has no single scale"
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantization."""
        assert len(self.zero_points) == 1, "per-channel quantization has no single zero point"
        return self.zero_points[0]


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor; ``data`` is a read-only array when the tensor is constant, else None."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None
    data: Array | None = None

    def __post_init__(self) -> None:
        if self.data is not None:
            assert self.data.shape == self.shape, (self.name, self.data.shape, self.shape)
            assert self.data.dtype == self.dtype.numpy, (self.name, self.data.dtype, self.dtype)
            self.data.setflags(write=False)

    @property
    def label(self) -> str:
        """The name, short enough for a message."""
        return short_name(self.name)

    @property
    def is_constant(self) -> bool:
        """Whether the data is known before the model runs."""
        return self.data is not None

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole tensor, without padding."""
        return self.elements * self.dtype.itemsize

    @property
    def scale(self) -> float:
        """The per-tensor scale."""
        assert self.quantization is not None, self.name
        return self.quantization.scale

    @property
    def zero_point(self) -> int:
        """The per-tensor zero point."""
        assert self.quantization is not None, self.name
        return self.quantization.zero_point


def short_name(name: str) -> str:
    """Return at most 80 characters of a tensor's name, for messages.

    Converters that fuse ops join their names with semicolons; the first one says enough.
    """
    first = name.split(";", 1)[0]
    return first if len(first) <= 80 else first[:79] + "…"


def constant(name: str, data: Array, quantization: Quantization | None = None) -> Tensor:
    """Return a constant tensor that holds a copy of ``data``."""
    copy = np.array(data, order="C")
    return Tensor(name, copy.shape, DType(copy.dtype.name), quantization, copy)
