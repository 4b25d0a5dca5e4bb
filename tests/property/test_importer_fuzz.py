"""Whatever the bytes, reading a model ends soon, in bounded memory, with a graph or our error."""

from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.importer.tflite import read_tflite
from harness.models.writer import write_tflite
from harness.passes.pipeline import run_passes
from tests.graphs import GraphBuilder, chain_graph, residual_graph

MAX_SECONDS, BYTES_PER_S = 2.0, 1e6
MAX_BYTES = 32 << 20


def _moves() -> bytes:
    """Return a file with the ops whose operands are constants of the file."""
    build = GraphBuilder("moves")
    x = build.pad(build.input((1, 4, 4, 2)), (0, 0), (1, 1), (0, 2), (0, 0))
    x = build.transpose(
        build.strided_slice(x, (0, 1, 0, 0), (1, 2, 1, 1), (1, 2, 6, 2)), 0, 2, 1, 3
    )
    x = build.concatenation(build.split(build.resize(x, 4, 4), 3, 2))
    build.mean(build.pack(build.unpack(build.reshape(x, 1, 8, 4), 1), 1), (1,))
    return write_tflite(build.graph())


FILES = (write_tflite(chain_graph()), write_tflite(residual_graph()), _moves())

INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def read(data: bytes) -> None:
    """Read a model within the bounds; nothing but a graph or our error may come out."""
    started = time.process_time()
    tracemalloc.start()
    message = _message(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert message == "" or message.startswith("fuzz: ")
    # Passes widen weights to 64 bits, and have old and new ones at a time.
    assert peak < MAX_BYTES + 16 * len(data)
    assert time.process_time() - started < MAX_SECONDS + len(data) / BYTES_PER_S


def _message(data: bytes) -> str:
    try:
        run_passes(read_tflite(data, name="fuzz"))
    except InputError as error:
        return error.message
    return ""


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a file with a few bytes or words overwritten, shifted, or cut off."""
    data = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 4))
        match draw(st.integers(0, 3)):
            case 0:
                data[at] = draw(st.integers(0, 255))
            case 1:
                struct.pack_into("<I", data, at & ~3, draw(st.sampled_from(INTERESTING)))
            case 2:
                (word,) = struct.unpack_from("<I", data, at & ~3)
                delta = draw(st.integers(-64, 64))
                struct.pack_into("<I", data, at & ~3, (word + delta) & 0xFFFFFFFF)
            case _:
                del data[max(at, 8) :]
                data += bytes(8)
    return bytes(data)


@given(mutated())
@settings(max_examples=400)
def test_mutated_files(data: bytes) -> None:
    read(data)


@given(st.binary(max_size=256), st.booleans())
@example(b"", False)
@example(b"\xff" * 64, True)
def test_arbitrary_bytes(data: bytes, magic: bool) -> None:
    read(data[:4].ljust(4, b"\0") + b"TFL3" + data[4:] if magic else data)


@pytest.mark.parametrize("index", range(len(FILES)))
def test_truncated_files(index: int) -> None:
    """Every 7th length cuts every field of some table."""
    data = FILES[index]
    for length in range(0, len(data), 7):
        with pytest.raises(InputError):
            read_tflite(data[:length], name="cut")


@given(st.data())
@settings(max_examples=3)
def test_mutated_real_files(model_path: Path, data: st.DataObject) -> None:
    original = model_path.read_bytes()
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 4))
        struct.pack_into("<I", changed, at, data.draw(st.sampled_from(INTERESTING)))
    read(bytes(changed))
