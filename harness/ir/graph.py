"""The graph itself, and the questions that everyone asks of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.ir.ops import Op
from harness.ir.tensor import Tensor, TensorId


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Ops in execution order over tensors that they name by position.

    ``sha256`` is the digest of the file that the graph was read from; passes keep it, since the
    identity of a model is its file.
    """

    name: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[TensorId, ...]
    outputs: tuple[TensorId, ...]
    sha256: str = ""

    def tensor(self, tensor_id: TensorId) -> Tensor:
        """Return the tensor at a position."""
        return self.tensors[tensor_id]

    def producers(self) -> dict[TensorId, int]:
        """Return, for each tensor that an op writes, the position of that op."""
        return {t: position for position, op in enumerate(self.ops) for t in op.outputs}

    def consumers(self) -> dict[TensorId, tuple[int, ...]]:
        """Return, for each tensor that an op reads, the positions of its readers, ascending."""
        readers: dict[TensorId, list[int]] = {}
        for position, op in enumerate(self.ops):
            for tensor_id in dict.fromkeys(op.inputs):
                readers.setdefault(tensor_id, []).append(position)
        return {tensor_id: tuple(positions) for tensor_id, positions in readers.items()}

    def activations(self) -> Iterator[TensorId]:
        """Yield each non-constant tensor in use, inputs first, then in order of production."""
        yield from self.inputs
        for op in self.ops:
            yield from op.outputs

    def label(self, position: int) -> str:
        """Return how an op is named in messages: ``op 7 (CONV_2D 'block_3/project')``."""
        op = self.ops[position]
        name = self.tensor(op.outputs[0]).label if op.outputs else "?"
        return f"op {op.index if op.index >= 0 else position} ({op.kind} '{name}')"
