"""A damaged .npz is refused or read right; it never does anything else."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import TensorInputError
from harness.ir import DType, Tensor
from harness.models.npz import read_npz

TENSOR = Tensor("x", (1, 4, 4), DType.INT8)
DATA = np.arange(16, dtype=np.int8).reshape(1, 4, 4)


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, DATA)
    return buffer.getvalue()


def npz(member: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("input0.npy", member)
    return buffer.getvalue()


def damage(draw: st.DataObject, raw: bytes, letters: bytes) -> bytes:
    """Overwrite, drop or insert some bytes."""
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(raw) - 1))
        put = draw.draw(st.binary(max_size=1) | st.sampled_from([bytes([c]) for c in letters]))
        raw = raw[:at] + put + raw[at + draw.draw(st.integers(0, 1)) :]
    return raw


def try_read(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        path.write_bytes(raw)
        try:
            (array,), _ = read_npz(path, [TENSOR])
        except TensorInputError:
            return
    assert array.shape[1:] == TENSOR.shape
    assert array.dtype == np.int8


def test_sound_bytes_are_read() -> None:
    try_read(npz(npy()))


@given(st.data())
def test_damaged_archive(data: st.DataObject) -> None:
    try_read(damage(data, npz(npy()), b"PK"))


@given(st.data())
def test_damaged_array(data: st.DataObject) -> None:
    member = npy()
    try_read(npz(damage(data, member[:80], b"(){}[]'\\,:0123456789L \n") + member[80:]))
