"""The two ways in which passes take an op out of a graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from harness.ir import Graph, Op, Tensor, TensorId


def rename(op: Op, renamed: Mapping[TensorId, TensorId]) -> Op:
    """Return the op with other tensors in the place of those that ``renamed`` names."""
    inputs = tuple(renamed.get(t, t) for t in op.inputs)
    outputs = tuple(renamed.get(t, t) for t in op.outputs)
    if inputs == op.inputs and outputs == op.outputs:
        return op
    return replace(op, inputs=inputs, outputs=outputs)


def without_ops(graph: Graph, removed: Collection[int]) -> Graph:
    """Return the graph without the ops at some positions."""
    return replace(
        graph, ops=tuple(op for position, op in enumerate(graph.ops) if position not in removed)
    )


def interchangeable(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors with the same bytes mean the same."""
    return (a.shape, a.dtype, a.quantization) == (b.shape, b.dtype, b.quantization)


def bypass(graph: Graph, positions: Collection[int]) -> Graph:
    """Return the graph without some ops whose only output is their first input, byte for byte.

    Readers of the output read the input instead. A model output keeps its identity: there the
    input's writer writes the output instead. Where that cannot be either, because the input is a
    model input, a model output or a constant itself, the op remains and copies.
    """
    replaced: dict[TensorId, TensorId] = {}
    removed: set[int] = set()

    def current(t: TensorId) -> TensorId:
        while t in replaced:
            t = replaced[t]
        return t

    for position in sorted(positions):
        op = graph.ops[position]
        x, y = current(op.inputs[0]), op.outputs[0]
        assert interchangeable(graph.tensor(x), graph.tensor(y)), graph.label(position)
        if y not in graph.outputs:
            replaced[y] = x
        elif x in graph.inputs or x in graph.outputs or graph.tensor(x).is_constant:
            continue
        else:
            replaced[x] = y
        removed.add(position)
    final = {t: current(t) for t in replaced}
    rest = without_ops(graph, removed)
    return replace(rest, ops=tuple(rename(op, final) for op in rest.ops))
