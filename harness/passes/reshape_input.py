"""Let a model's input have the shape that its first RESHAPE gives it.

No pass of the line, since it changes what a model takes: not its bytes, but their shape. It is for
an input that arrives in rows, which are then the consecutive bytes of rows of the reshaped tensor.
"""

from __future__ import annotations

from dataclasses import replace

from harness.ir import Graph, TensorId
from harness.ir.ops import Quantize, Reshape
from harness.passes.rewrite import rename, without_ops


def reshape_input(graph: Graph) -> Graph:
    """Return the graph without a RESHAPE that alone reads the input, or the quantized input.

    Where there is none, or its output is the model's own, that is the graph itself.
    """
    if len(graph.inputs) != 1:
        return graph
    on_the_way = [graph.inputs[0]]
    while (reader := _only_reader(graph, on_the_way[-1])) is not None:
        op = graph.ops[reader]
        if isinstance(op, Reshape) and op.inputs[0] == on_the_way[-1]:
            return _reshaped(graph, reader, on_the_way)
        if not isinstance(op, Quantize):
            break
        on_the_way.append(op.outputs[0])
    return graph


def _only_reader(graph: Graph, tensor: TensorId) -> int | None:
    readers = graph.consumers().get(tensor, ())
    return readers[0] if len(readers) == 1 and tensor not in graph.outputs else None


def _reshaped(graph: Graph, position: int, tensors: list[TensorId]) -> Graph:
    """Return the graph without a RESHAPE, before which ``tensors`` have its output's shape."""
    output = graph.ops[position].outputs[0]
    if output in graph.outputs:
        return graph
    shape = graph.tensor(output).shape
    changed = tuple(
        replace(tensor, shape=shape) if i in tensors else tensor
        for i, tensor in enumerate(graph.tensors)
    )
    rest = without_ops(replace(graph, tensors=changed), {position})
    return replace(rest, ops=tuple(rename(op, {output: tensors[-1]}) for op in rest.ops))
