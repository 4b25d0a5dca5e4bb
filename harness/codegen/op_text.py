"""What is written of an op wherever it is executed: its comment, its constants, its calls."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.codegen.c_text import WIDTH, comment_text, initialiser, shape_text, structs
from harness.codegen.weights import Weights
from harness.ir import Graph, Op, TensorId
from harness.ir.macs import op_macs
from harness.ir.ops import Activation, Window
from harness.kernels.call import Constant, Fields, Structs


@dataclass(frozen=True, slots=True)
class OpText:
    """Writes about one op of a graph; ``names`` are the tensors' C identifiers."""

    graph: Graph
    names: Mapping[TensorId, str]
    weights: Weights
    position: int

    @property
    def op(self) -> Op:
        """The op."""
        return self.graph.ops[self.position]

    @property
    def output_name(self) -> str:
        """The C identifier of the first output."""
        return self.names[self.op.outputs[0]]

    def comment(self, *more: str) -> list[str]:
        """Return the comment that says what the op is."""
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
        text = f"Op {self.position}: {op.kind} '{comment_text(outputs[0].name.split(';')[0])}', "
        return comment(text + ", ".join([*facts, *more]) + ".")

    def parameters(self, type_: str, name: str, fields: Fields) -> list[str]:
        """Return the definition of a parameter struct inside a function, and what it points to."""

        def symbol(value: Constant | Structs) -> str:
            return self._symbol(value) if isinstance(value, Constant) else f"{name}_{value.role}"

        lines = []
        for table in structs(fields):
            rows = [initialiser(row, symbol, " " * 12) for row in table.rows]
            lines.append(f"    static const {table.type} {symbol(table)}[{len(rows)}] = {{")
            lines += [line for row in rows for line in ("        {", *row, "        },")]
            lines.append("    };")
        return [
            *lines,
            f"    static const {type_} {name} = {{",
            *initialiser(fields, symbol, "        "),
            "    };",
        ]

    def constant_operand(self, operand: int, element: str) -> str | None:
        """Return where a constant operand lies, as an expression; None for an activation."""
        data = self.graph.tensor(self.op.inputs[operand]).data
        if data is None:
            return None
        symbol = self.weights.add(f"input_{operand}_of_op_{self.position}", data)
        return f"(const {element} *){symbol}"

    def _symbol(self, constant: Constant) -> str:
        return self.weights.add(f"{constant.role}_of_op_{self.position}", constant.data)


def comment(*paragraphs: str) -> list[str]:
    """Return the lines of a comment: one if it fits, else a block, paragraphs apart."""
    if len(paragraphs) == 1 and len(paragraphs[0]) <= WIDTH - 6:
        return [f"/* {paragraphs[0]} */"]
    lines: list[str] = []
    for paragraph in paragraphs:
        wrapped = textwrap.wrap(paragraph, WIDTH - 3, break_on_hyphens=False)
        lines += [*([""] if lines else []), *wrapped]
    return ["/*", *(f" * {line}".rstrip() for line in lines), " */"]


def wrapped_call(function: str, arguments: Sequence[str], indent: str = "    ") -> list[str]:
    """Return the lines of a call."""
    head = f"{indent}{function}("
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
