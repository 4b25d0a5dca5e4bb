"""Element types that a tensor may have."""

from __future__ import annotations

from enum import StrEnum

import numpy as np


class DType(StrEnum):
    """An element type; the value is numpy's name of it."""

    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    BOOL = "bool"

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The numpy type of the same name."""
        return np.dtype(self.value)

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest value of an integer type."""
        info = np.iinfo(self.value)
        return int(info.min), int(info.max)

    @property
    def c_type(self) -> str:
        """The C type that generated code uses."""
        match self:
            case DType.FLOAT32:
                return "float"
            case DType.BOOL:
                return "bool"
            case _:
                return f"{self.value}_t"
