"""Steps: each op of a plan as one C function that calls its kernels."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.codegen.c_text import WIDTH, comment_text, initialiser, shape_text
from harness.codegen.model_map import scratch_macro, tensor_macro
from harness.codegen.weights import Weights
from harness.errors import UnsupportedModelError
from harness.ir import Graph, Op, TensorId
from harness.ir.macs import op_macs
from harness.ir.ops import Activation, Window
from harness.kernels.call import Call, Constant, Operand, Role
from harness.kernels.library import calls
from harness.schedule.plan import AliasSegment, InplaceSegment, LayerSegment, Plan


@dataclass(frozen=True, slots=True)
class Step:
    """One function of ``model.c``: its name, its text, what it includes, its last op."""

    function: str
    text: str
    headers: tuple[str, ...]
    op: int


def steps(plan: Plan, names: Mapping[TensorId, str], weights: Weights) -> Iterator[Step]:
    """Yield the steps of a plan in execution order; an alias moves nothing and is none."""
    for segment in plan.segments:
        match segment:
            case AliasSegment():
                continue
            case LayerSegment(op=position):
                yield _Writer(plan.graph, names, weights, position, None).step()
            case InplaceSegment(op=position, operand=operand):
                yield _Writer(plan.graph, names, weights, position, operand).step()


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the function of one op; ``operand`` is the input that it overwrites, if any."""

    graph: Graph
    names: Mapping[TensorId, str]
    weights: Weights
    position: int
    operand: int | None

    @property
    def op(self) -> Op:
        return self.graph.ops[self.position]

    def step(self) -> Step:
        """Return the function."""
        function = f"op_{self.position}_{self.names[self.op.outputs[0]]}"
        parts = self._calls()
        lines = [*self._comment(), f"static STEP void {function}(void)", "{"]
        for number, call in enumerate(parts):
            lines += self._call(call, f"part_{number}" if len(parts) > 1 else "op")
        lines.append("}")
        headers = tuple(call.header for call in parts)
        return Step(function, "\n".join(lines) + "\n", headers, self.position)

    def _calls(self) -> tuple[Call, ...]:
        try:
            return calls(self.graph, self.op, self.operand)
        except UnsupportedModelError as error:
            where = f"{self.graph.name}: {self.graph.label(self.position)}"
            raise UnsupportedModelError(f"{where}: {error.message}", hint=error.hint) from None

    def _comment(self) -> list[str]:
        graph, op = self.graph, self.op
        inputs = [graph.tensor(t) for t in op.inputs if not graph.tensor(t).is_constant]
        outputs = [graph.tensor(t) for t in op.outputs]
        flow = " -> ".join(
            ", ".join(shape_text(tensor.shape) for tensor in tensors)
            for tensors in (inputs[:4], outputs[:4])
            if tensors
        )
        facts = [flow, *_facts(op)]
        if macs := op_macs(graph, op):
            facts.append(f"{macs:,} MACs")
        if self.operand is not None:
            facts.append(f"over its input {self.operand}")
        text = f"Op {self.position}: {op.kind} '{comment_text(outputs[0].name.split(';')[0])}', "
        wrapped = textwrap.wrap(text + ", ".join(facts) + ".", WIDTH - 3, break_on_hyphens=False)
        if len(wrapped) == 1 and len(wrapped[0]) <= WIDTH - 6:
            return [f"/* {wrapped[0]} */"]
        return ["/*", *(f" * {line}" for line in wrapped), " */"]

    def _call(self, call: Call, parameters: str) -> Iterator[str]:
        operands = [self._operand(operand, call.element) for operand in call.operands]
        yield f"    static const {call.type} {parameters} = {{"
        yield from initialiser(call.parameters, self._symbol, "        ")
        yield "    };"
        yield from _wrapped_call(call.function, [f"&{parameters}", *operands])

    def _symbol(self, constant: Constant) -> str:
        return self.weights.add(f"{constant.role}_of_op_{self.position}", constant.data)

    def _operand(self, operand: Operand, element: str) -> str:
        if operand.role is Role.SCRATCH:
            return _at(element, scratch_macro(self.position), operand.offset)
        ids = self.op.inputs if operand.role is Role.INPUT else self.op.outputs
        tensor_id = ids[operand.position]
        tensor = self.graph.tensor(tensor_id)
        if tensor.data is None:
            return _at(element, tensor_macro(self.names[tensor_id]), operand.offset)
        role = f"input_{operand.position}_of_op_{self.position}"
        symbol = self.weights.add(role, tensor.data)
        return f"(const {element} *){symbol}" + (f" + {operand.offset}" if operand.offset else "")


def _at(element: str, macro: str, offset: int) -> str:
    return f"{element.removesuffix('_t')}_at({macro}{f' + {offset}' if offset else ''})"


def _wrapped_call(function: str, arguments: list[str]) -> list[str]:
    head = f"    {function}("
    lines = [head + arguments[0]]
    for argument in arguments[1:]:
        if len(lines[-1]) + 2 + len(argument) + 2 > WIDTH:
            lines[-1] += ","
            lines.append(" " * len(head) + argument)
        else:
            lines[-1] += f", {argument}"
    lines[-1] += ");"
    return lines


def _facts(op: Op) -> Iterator[str]:
    """Yield what a reader wants to know of an op beyond its shapes."""
    window = getattr(op, "window", None)
    if isinstance(window, Window):
        yield f"{window.kernel[0]}x{window.kernel[1]}"
        if window.stride != (1, 1):
            yield f"stride {window.stride[0]}x{window.stride[1]}"
        if window.dilation != (1, 1):
            yield f"dilation {window.dilation[0]}x{window.dilation[1]}"
    activation = getattr(op, "activation", Activation.NONE)
    if activation is not Activation.NONE:
        yield activation.value
