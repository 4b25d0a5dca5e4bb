"""Outputs of a run as arrays, and as an ``.npz`` file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import InputError
from harness.ir import Graph
from harness.ir.tensor import Array


def decode_outputs(graph: Graph, data: Sequence[bytes]) -> list[Array]:
    """Return the model's outputs from their bytes, little endian as every core here is."""
    tensors = [graph.tensor(t) for t in graph.outputs]
    return [
        np.frombuffer(raw, dtype=tensor.dtype.numpy.newbyteorder("<")).reshape(tensor.shape)
        for tensor, raw in zip(tensors, data, strict=True)
    ]


def check_outputs_path(path: Path | None) -> None:
    """Raise, before anything is built, when ``--save-outputs`` could not be written."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"--save-outputs {path}: is a folder", hint="name a file in it")
    if not path.absolute().parent.is_dir():
        raise InputError(
            f"--save-outputs {path}: its folder does not exist", hint="create the folder first"
        )


def write_outputs(path: Path, samples: Sequence[Sequence[Array]], *, stacked: bool) -> None:
    """Write ``output0``, … ; with a leading axis of samples where the inputs had one.

    Raises:
        InputError: the file cannot be written.
    """
    arrays: dict[str, Any] = {
        f"output{i}": np.stack(values) if stacked else values[0]
        for i, values in enumerate(zip(*samples, strict=True))
    }
    try:
        with path.open("wb") as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise InputError(f"--save-outputs {path}: {error.strerror or error}") from error
