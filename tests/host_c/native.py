"""Builds generated C with the host's compiler and runs it.

Many small graphs are quicker to build as one graph whose parts do not touch.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.board.schema import Core, DeviceKind
from harness.board.target import Region, Target
from harness.codegen.model_c import generate
from harness.data import data_dir
from harness.ir import Graph, Op, Tensor, TensorId
from harness.ir.tensor import Array
from harness.schedule.plan import Plan
from harness.schedule.search import plan
from harness.toolchain.flags import WARNINGS

HERE = Path(__file__).parent

HOST = Target(
    board="test-board",
    mcu="none",
    core=Core.CORTEX_M4,
    fpu="none",
    kind=DeviceKind.HOST,
    port="host",
    machine="",
    stand_in=False,
    flash=Region(0, 1 << 24),
    ram=Region(0, 1 << 24),
)

CHECKED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FAST = ("-O1",)


def build(graph: Graph, schedule: str, folder: Path, flags: Sequence[str] = CHECKED) -> Path:
    """Plan, generate, compile and link a graph; return the program."""
    return build_plan(plan(graph, schedule), folder, flags)


def build_plan(made: Plan, folder: Path, flags: Sequence[str] = CHECKED) -> Path:
    """Generate, compile and link a plan; return the program."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = generate(made, target=HOST)
    for name, text in sources.files:
        (folder / name).write_text(text)
    files = [folder / "model.c", folder / "weights.c", HERE / "driver.c"]
    return compile_c(folder, files, flags)


def compile_c(folder: Path, files: Sequence[Path], flags: Sequence[str] = CHECKED) -> Path:
    """Compile and link C files, warnings being errors; return the program."""
    program = folder / "program"
    firmware = data_dir("firmware")
    include = [f"-I{d}" for d in (folder, firmware / "include", firmware / "kernels")]
    command = ["gcc", "-std=c11", *flags, *WARNINGS, *include, *files, "-o", program]
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return program


def union(graphs: Sequence[Graph]) -> Graph:
    """Return one graph that computes all the given ones."""
    tensors: list[Tensor] = []
    ops: list[Op] = []
    inputs: list[TensorId] = []
    outputs: list[TensorId] = []
    for graph in graphs:
        first = len(tensors)

        def moved(ids: Sequence[TensorId], first: int = first) -> tuple[TensorId, ...]:
            return tuple(TensorId(t + first) for t in ids)

        tensors += graph.tensors
        ops += [replace(op, inputs=moved(op.inputs), outputs=moved(op.outputs)) for op in graph.ops]
        inputs += moved(graph.inputs)
        outputs += moved(graph.outputs)
    return Graph("union", tuple(tensors), tuple(ops), tuple(inputs), tuple(outputs))


def run(program: Path, graph: Graph, *samples: Sequence[Array]) -> list[list[Array]]:
    """Return the outputs of each sample, a list of input arrays."""
    given = b"".join(array.tobytes() for inputs in samples for array in inputs)
    command = [str(program), str(len(samples))]
    result = subprocess.run(command, input=given, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    rest, outputs = result.stdout, []
    for _ in samples:
        sample = []
        for tensor_id in graph.outputs:
            tensor = graph.tensor(tensor_id)
            data, rest = rest[: tensor.size_bytes], rest[tensor.size_bytes :]
            sample.append(np.frombuffer(data, tensor.dtype.numpy).reshape(tensor.shape))
        outputs.append(sample)
    assert not rest, f"{len(rest)} bytes too many"
    return outputs
