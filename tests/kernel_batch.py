"""Many small graphs in one firmware on an emulated core, every output compared with the reference.

To build and boot a firmware takes seconds, to run an op no time at all. So a batch is one graph
whose parts do not touch, and a run of it tries dozens of shapes. A test of kernels draws batches
and says by which plan they are run::

    @given(batches(strategies.conv_graphs(), 24))
    @settings(max_examples=3, phases=[Phase.generate], suppress_health_check=SLOW)
    def test_conv(batch: Batch) -> None:
        assert_on_core(plan(batch.graph, "layer"), "mps2-an386")

Each batch is run on random inputs and on inputs of nothing but the two extremes, with which
accumulators go as far as they can. ``instructions`` counts what each segment of a plan takes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck
from hypothesis import strategies as st

from harness.codegen.model_c import generate
from harness.devices.clock import Clock
from harness.devices.qemu import QemuDevice
from harness.ir import Graph
from harness.ir.ops import Quantize
from harness.ir.tensor import Array
from harness.reference.interpreter import run
from harness.schedule.plan import Plan
from harness.telemetry.session import Session
from harness.toolchain.gcc import build
from tests.graphs import random_inputs
from tests.host_c.native import union
from tests.tiny_model import qemu_target

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
"""Checks that do not fit a test which builds firmware."""


_SHA256 = "5a" * 32


class Batch:
    """Graphs to run as one; hypothesis would print all their weights."""

    def __init__(self, graphs: Sequence[Graph]) -> None:
        self.graph = replace(union(graphs), sha256=_SHA256)

    def __repr__(self) -> str:
        return f"<{len(self.graph.ops)} ops>"


def batches(graphs: st.SearchStrategy[Graph], size: int) -> st.SearchStrategy[Batch]:
    """Draw ``size`` graphs at a time."""
    return st.lists(graphs, min_size=size, max_size=size).map(Batch)


def assert_on_core(made: Plan, board: str) -> None:
    """Run a plan on the emulated core of a board; every output is the reference's."""
    graph = made.graph
    with _session(made, board) as (session, _):
        for inputs in (random_inputs(graph, seed=1), _extreme_inputs(graph, seed=2)):
            session.load([array.tobytes() for array in inputs])
            session.run(warmup=0, repeat=1)
            outputs = session.outputs([graph.tensor(t).size_bytes for t in graph.outputs])
            _assert_equal(made, outputs, run(graph, inputs))


def instructions(made: Plan, board: str) -> list[int | float]:
    """Return what each step of a plan takes; a segment that moves nothing is no step."""
    with _session(made, board) as (session, clock):
        session.load([array.tobytes() for array in random_inputs(made.graph, seed=1)])
        steps = session.profile()
    return [clock.measure(ticks, steps.overhead_ticks) for ticks in steps.ticks]


@contextmanager
def _session(made: Plan, board: str) -> Iterator[tuple[Session, Clock]]:
    """Build a plan's firmware and boot it."""
    device, target = QemuDevice(), qemu_target(board)
    with tempfile.TemporaryDirectory() as folder:
        firmware = build(generate(made, target=target), target, out_dir=Path(folder))
        with device.open(firmware) as console:
            session = Session(console)
            hello = session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
            yield session, device.clock(hello)


_SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.5, -0.5, 1.5, 0.49999997, -2.5, 1e-40], np.float32)
"""What is rounded or clamped by a rule of its own; 1e-40 is subnormal."""


def _extreme_inputs(graph: Graph, seed: int) -> list[Array]:
    """Return inputs of the lowest and the highest values of their types, as it happens.

    Floats are special values, times the scale of what they are quantized to.
    """
    inputs = random_inputs(graph, seed)
    return [_extremes(graph, t, x) for t, x in zip(graph.inputs, inputs, strict=True)]


def _extremes(graph: Graph, tensor_id: int, x: Array) -> Array:
    if np.issubdtype(x.dtype, np.integer):
        limits = np.iinfo(x.dtype)
        return np.where(x > np.median(x), limits.max, limits.min).astype(x.dtype)
    scales = [
        graph.tensor(op.outputs[0]).scale
        for op in graph.ops
        if isinstance(op, Quantize) and op.inputs[0] == tensor_id
    ]
    return np.resize(_SPECIAL, x.shape) * np.float32(scales[0] if scales else 1.0)


def _assert_equal(made: Plan, outputs: Sequence[bytes], expected: Sequence[Array]) -> None:
    graph = made.graph
    producers = graph.producers()
    for tensor_id, got, wanted in zip(graph.outputs, outputs, expected, strict=True):
        found = np.frombuffer(got, wanted.dtype).reshape(wanted.shape)
        position = producers.get(tensor_id)
        where = f"output {tensor_id}"
        if position is not None:
            op = graph.ops[position]
            segment = next(s for s in made.segments if position in s.ops)
            shapes = [graph.tensor(t).shape for t in (*op.inputs, *op.outputs)]
            where = f"{segment}\n{op}\n{shapes}"
        np.testing.assert_array_equal(found, wanted, err_msg=where)
