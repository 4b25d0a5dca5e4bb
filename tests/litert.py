"""LiteRT's reference kernels as an oracle that shares no code with ours.

They are not TensorFlow Lite Micro's. Where they are known to differ, results may be one step apart:
FULLY_CONNECTED rounds once instead of twice; SUB prepares its factors in float64 instead of
float32, MUL in float32 instead of float64; LOGISTIC is a table computed in float32, and above an
input scale of 1, where TensorFlow Lite Micro saturates early, further apart. CONV_2D demands a
bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.ir.tensor import Array

interpreter = pytest.importorskip("ai_edge_litert.interpreter")

NEARLY = ("FULLY_CONNECTED", "SUB", "MUL", "LOGISTIC")


class Litert:
    """A model under LiteRT; all intermediate tensors are kept."""

    def __init__(self, model: bytes) -> None:
        self._model = interpreter.Interpreter(
            model_content=model,
            experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        self._model.allocate_tensors()

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs for one set of inputs."""
        for details, array in zip(self._model.get_input_details(), inputs, strict=True):
            self._model.set_tensor(details["index"], array)
        self._model.invoke()
        return [self._model.get_tensor(d["index"]) for d in self._model.get_output_details()]

    def by_name(self) -> dict[str, Array]:
        """Return each tensor whose name occurs once, after a run."""
        details = self._model.get_tensor_details()
        names = [d["name"] for d in details]
        return {
            d["name"]: self._model.get_tensor(d["index"])
            for d in details
            if names.count(d["name"]) == 1
        }
