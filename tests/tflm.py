"""TensorFlow Lite Micro itself, from the wheel of the project, as the oracle of the reference.

Its kernels are the reference kernels that ours must equal, so nothing is compared with tolerance.
It keeps every tensor, so that a difference is found at the op that makes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tflite

from harness.ir import Graph
from harness.ir.tensor import Array
from harness.reference.interpreter import interpret

_ARENA_BYTES = 1 << 26
"""Holds all tensors of the largest model at once; costs only what is touched."""


class Tflm:
    """A model under TensorFlow Lite Micro."""

    def __init__(self, model: bytes) -> None:
        # Imported here: where there is no wheel, this module is still read.
        from tflite_micro import runtime

        self._ops = tflite.Model.GetRootAs(model).Subgraphs(0)
        self._interpreter = runtime.Interpreter.from_bytes(
            model,
            arena_size=_ARENA_BYTES,
            intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
        )

    def run(self, inputs: Sequence[Array]) -> None:
        """Infer once."""
        for i, array in enumerate(inputs):
            self._interpreter.set_input(array, i)
        self._interpreter.invoke()

    def outputs_of(self, position: int) -> list[Array]:
        """Return what the op at a position in the file wrote in the last run."""
        tensors = self._ops.Operators(position).OutputsAsNumpy()
        return [self._interpreter.GetTensor(int(t), 0)["tensor_data"] for t in tensors]


def assert_equals_tflm(graph: Graph, model: bytes, inputs: Sequence[Array]) -> None:
    """Compare all that the ops of a graph write with what those of its file write, to the bit."""
    values = interpret(graph, inputs)
    tflm = Tflm(model)
    tflm.run(inputs)
    for position, op in enumerate(graph.ops):
        for tensor_id, theirs in zip(op.outputs, tflm.outputs_of(position), strict=True):
            np.testing.assert_array_equal(
                values[tensor_id], theirs, graph.label(position), strict=True
            )
