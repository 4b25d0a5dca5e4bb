"""Read tensors from an ``.npz``, checking each array's header before its data is touched.

An ``.npz`` is a zip of ``.npy`` files (numpy.lib.format). Neither its sizes nor its types are
believed: an array whose header does not say exactly what the model takes is never unpacked, and
nothing is ever unpickled.
"""

from __future__ import annotations

import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from harness.errors import TensorInputError
from harness.ir import Tensor
from harness.ir.tensor import Array

MAX_BYTES = 1 << 30
"""Of all samples together; 1 GiB."""

_HEADER_FAULTS = (
    *(ValueError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError),
    *(tokenize.TokenError, UserWarning),
)
"""What numpy's parser lets through from a damaged header."""


def read_npz(path: Path, tensors: Sequence[Tensor]) -> tuple[list[Array], bool]:
    """Return ``input0``, ``input1``, … each ``[S, *shape]``, and whether the file had that S.

    Raises:
        TensorInputError: an array is missing, or of another dtype or shape; not an ``.npz``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_names(path, archive.namelist(), len(tensors))
            arrays = [
                _read_array(f"{path}: input{i}", archive, f"input{i}.npy", tensor)
                for i, tensor in enumerate(tensors)
            ]
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, UnicodeError) as error:
        raise TensorInputError(f"{path}: is not a sound .npz file: {error}") from error
    except (NotImplementedError, RuntimeError) as error:  # zipfile: odd compression, encryption
        raise TensorInputError(f"{path}: cannot be unpacked: {error}") from error
    except OSError as error:
        raise TensorInputError(f"{path}: {error.strerror or error}") from error
    stacked = [a.ndim > len(t.shape) for a, t in zip(arrays, tensors, strict=True)]
    samples = {len(a) for a, s in zip(arrays, stacked, strict=True) if s}
    if len(set(stacked)) > 1 or len(samples) > 1:
        shapes = ", ".join(str(list(a.shape)) for a in arrays)
        raise TensorInputError(f"{path}: its inputs have different numbers of samples: {shapes}")
    return [a if stacked[0] else a[np.newaxis] for a in arrays], stacked[0]


def _check_names(path: Path, members: Sequence[str], count: int) -> None:
    found = {name.removesuffix(".npy") for name in members}
    wanted = {f"input{i}" for i in range(count)}
    unknown = {name for name in found if name.startswith("input")} - wanted
    if wanted - found or unknown:
        names = ", ".join(sorted(found)) or "nothing"
        raise TensorInputError(
            f"{path}: has {names}; the model takes {', '.join(sorted(wanted))}",
            hint="save with numpy.savez(path, input0=…, input1=…), in the order of the inputs",
        )


def _read_array(where: str, archive: zipfile.ZipFile, member: str, tensor: Tensor) -> Array:
    """Return one array after its header was seen to be right."""
    with archive.open(member) as file:
        shape, fortran, dtype = _read_header(where, file)
        check_array(where, shape, dtype, tensor)
        size = math.prod(shape) * dtype.itemsize
        data = file.read(size)
        if len(data) != size or file.read(1):
            raise TensorInputError(f"{where}: its data is not the {size:,} B of {list(shape)}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _read_header(where: str, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Return shape, Fortran order and dtype; the header is a Python literal that numpy parses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read_header(file)
    except _HEADER_FAULTS as error:
        raise TensorInputError(f"{where}: is not a plain array: {error}") from error
    return shape, fortran, dtype


def check_array(
    where: str, shape: tuple[int, ...], dtype: np.dtype[np.generic], tensor: Tensor
) -> None:
    """Raise unless an array is one sample of a tensor, or several along an extra first axis.

    Raises:
        TensorInputError: naming what was found and what is allowed.
    """
    allowed = f"{tensor.dtype.value} {list(tensor.shape)}"
    if dtype != tensor.dtype.numpy:
        raise TensorInputError(
            f"{where}: has type {dtype}; the model's input '{tensor.name}' is {allowed}",
            hint="give the input as the model takes it, quantized with its scale and zero point",
        )
    if shape != tensor.shape and (len(shape) == 0 or shape[1:] != tensor.shape or shape[0] < 1):
        raise TensorInputError(
            f"{where}: has shape {list(shape)}; the model's input '{tensor.name}' is {allowed}",
            hint="an extra first axis is allowed: several samples",
        )
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise TensorInputError(f"{where}: {size:,} B of samples, at most {MAX_BYTES:,} B are read")
