"""Steps: the segments of a plan as C functions that call kernels, one function an op."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.codegen.model_map import scratch_macro, tensor_macro
from harness.codegen.op_text import OpText, wrapped_call
from harness.codegen.patches import patch_segment
from harness.codegen.step import Step
from harness.codegen.streams import stream_segment
from harness.codegen.weights import Weights
from harness.errors import UnsupportedModelError
from harness.ir import TensorId
from harness.kernels.call import Call, Operand, Role
from harness.kernels.kernel_set import KernelSet
from harness.kernels.library import calls
from harness.schedule.plan import (
    AliasSegment,
    InplaceSegment,
    LayerSegment,
    PatchSegment,
    Plan,
    StreamSegment,
)


def steps(plan: Plan, names: Mapping[TensorId, str], weights: Weights) -> Iterator[Step]:
    """Yield the steps of a plan in execution order; an alias moves nothing and is none."""
    for number, segment in enumerate(plan.segments):
        match segment:
            case AliasSegment():
                continue
            case LayerSegment(op=position):
                text = OpText(plan.graph, names, weights, position)
                yield _Writer(text, plan.kernels, None).step()
            case InplaceSegment(op=position, operand=operand):
                text = OpText(plan.graph, names, weights, position)
                yield _Writer(text, plan.kernels, operand).step()
            case StreamSegment():
                yield stream_segment(plan, number, segment, names, weights)
            case PatchSegment():
                yield patch_segment(plan, number, segment, names, weights)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the function of one op; ``operand`` is the input that it overwrites, if any."""

    text: OpText
    kernels: KernelSet
    operand: int | None

    def step(self) -> Step:
        """Return the function."""
        text = self.text
        function = f"op_{text.position}_{text.output_name}"
        parts = self._calls()
        over = () if self.operand is None else (f"over its input {self.operand}",)
        lines = [*text.comment(*over), f"static STEP void {function}(void)", "{"]
        for number, call in enumerate(parts):
            lines += self._call(call, f"part_{number}" if len(parts) > 1 else "op")
        lines.append("}")
        headers = tuple(call.header for call in parts)
        return Step(function, "\n".join(lines) + "\n", headers, text.position)

    def _calls(self) -> tuple[Call, ...]:
        text = self.text
        try:
            return calls(self.kernels, text.graph, text.op, self.operand)
        except UnsupportedModelError as error:
            where = f"{text.graph.name}: {text.graph.label(text.position)}"
            raise UnsupportedModelError(f"{where}: {error.message}", hint=error.hint) from None

    def _call(self, call: Call, parameters: str) -> Iterator[str]:
        operands = [self._operand(operand, call.element) for operand in call.operands]
        yield from self.text.parameters(call.type, parameters, call.parameters)
        yield from wrapped_call(call.function, [f"&{parameters}", *operands])

    def _operand(self, operand: Operand, element: str) -> str:
        if operand.role is Role.SCRATCH:
            return _at(element, scratch_macro(self.text.position), operand.offset)
        op = self.text.op
        if operand.role is Role.INPUT:
            constant = self.text.constant_operand(operand.position, element)
            if constant is not None:
                return constant + (f" + {operand.offset}" if operand.offset else "")
        ids = op.inputs if operand.role is Role.INPUT else op.outputs
        macro = tensor_macro(self.text.names[ids[operand.position]])
        return _at(element, macro, operand.offset)


def _at(element: str, macro: str, offset: int) -> str:
    return f"{element.removesuffix('_t')}_at({macro}{f' + {offset}' if offset else ''})"
