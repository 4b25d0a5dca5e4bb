"""One op of the file, with the tensors around it, and the questions that conversion asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import MalformedModelError
from harness.importer.flatbuffer import ABSENT, Option, RawOp
from harness.importer.tensors import ImportedTensor
from harness.ir import DType, Tensor, TensorId
from harness.ir.ops import Activation


class Refusal(Exception):  # noqa: N818 - not a fault of anyone
    """The op is sound but not offered; the message is the reason."""


_ACTIVATIONS = (Activation.NONE, Activation.RELU, Activation.RELU_N1_TO_1, Activation.RELU6)
"""By their code in the schema."""

_OTHER_ACTIVATIONS = {4: "TANH", 5: "SIGN_BIT"}


@dataclass(frozen=True, slots=True)
class Site:
    """One op of the file and the tensors around it; ``where`` starts every message."""

    where: str
    index: int
    raw: RawOp
    tensors: Sequence[ImportedTensor]

    @property
    def options(self) -> Mapping[str, Option]:
        """The op's options, as the schema names them."""
        return self.raw.options

    def tensor(self, tensor_id: int) -> Tensor:
        """Return a tensor that the op touches; refuse if it is of a kind not offered."""
        tensor = self.tensors[tensor_id]
        if not isinstance(tensor, Tensor):
            raise Refusal(f"tensor '{tensor.label}' {tensor.reason}")
        return tensor

    def input(self, position: int, rank: int | None = None) -> Tensor:
        """Return an input, which has ``rank`` axes if that is given."""
        tensor = self.tensor(self.raw.inputs[position])
        if rank is not None and len(tensor.shape) != rank:
            raise self.malformed(
                f"input {position} '{tensor.label}' has shape {list(tensor.shape)}; "
                f"{rank} axes are needed"
            )
        return tensor

    def output(self) -> Tensor:
        """Return the first output."""
        return self.tensor(self.raw.outputs[0])

    def constant(self, position: int, what: str) -> list[int]:
        """Return the elements of an input that must be a constant of integers."""
        tensor = self.input(position)
        if tensor.data is None:
            raise Refusal(f"its {what} ('{tensor.label}') are computed; only constants are offered")
        if tensor.dtype not in (DType.INT32, DType.INT64):
            raise self.malformed(f"its {what} are {tensor.dtype}; int32 is needed")
        if tensor.elements > 64:
            raise self.malformed(f"its {what} have {tensor.elements} elements")
        return [int(value) for value in tensor.data.reshape(-1)]

    def ids(self, first: int = 0, last: int | None = None) -> tuple[TensorId, ...]:
        """Return the inputs that flow, without absent ones."""
        return tuple(TensorId(i) for i in self.raw.inputs[first:last] if i != ABSENT)

    def outputs(self) -> tuple[TensorId, ...]:
        """Return the outputs."""
        return tuple(TensorId(i) for i in self.raw.outputs)

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.malformed(f"axis {axis}; the tensor has {rank} axes")
        return axis % rank

    def activation(self) -> Activation:
        """Return the fused activation."""
        code = int(self.options["FusedActivationFunction"])
        if 0 <= code < len(_ACTIVATIONS):
            return _ACTIVATIONS[code]
        raise Refusal(f"fused activation {_OTHER_ACTIVATIONS.get(code, code)} is not offered")

    def malformed(self, message: str) -> MalformedModelError:
        """Return the error for an op that contradicts itself."""
        return MalformedModelError(f"{self.where}: {message}")
