"""Evaluate what does not depend on the model's input.

Converters leave chains such as SHAPE -> STRIDED_SLICE -> PACK that compute a RESHAPE's target;
shapes are static here, so all of it is known. The reference interpreter evaluates, so folding is
exact by construction. Convolutions and pools of constants do not occur in sound models, and a
hostile one could make them long: they run on the target.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.ir import Graph, Op, Tensor
from harness.ir.ops import FullyConnected, Reshape, Shape, WindowOp
from harness.ir.tensor import Array, constant
from harness.ir.types import must_fold
from harness.reference.interpreter import evaluate

MAX_GROWTH_BYTES = 1024
"""A folded result may take that much more flash than the constants it came from.

Shape arithmetic folds in any case: there are no kernels for it.
"""


def fold_constants(graph: Graph) -> Graph:
    """Return the graph with every op evaluated whose inputs are all constant."""
    tensors = list(graph.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        current = replace(graph, tensors=tuple(tensors))
        values = _values(current, op)
        if values is None or not _may_fold(current, op):
            ops.append(_with_known_target(op, tensors))
            continue
        # Shape arithmetic wraps around as it does in C.
        with np.errstate(over="ignore"):
            results = evaluate(current, op, values)
        for t, value in zip(op.outputs, results, strict=True):
            tensors[t] = constant(tensors[t].name, value, tensors[t].quantization)
    return replace(graph, tensors=tuple(tensors), ops=tuple(ops))


def _values(graph: Graph, op: Op) -> list[Array] | None:
    """Return the inputs' data, or None if it is not known. Of SHAPE only the shape matters."""
    inputs = [graph.tensor(t) for t in op.inputs]
    if isinstance(op, Shape):
        return [np.broadcast_to(np.zeros((), np.int8), inputs[0].shape)]
    values = [tensor.data for tensor in inputs if tensor.data is not None]
    return values if len(values) == len(inputs) else None


def _may_fold(graph: Graph, op: Op) -> bool:
    """Return whether an op whose inputs are known should be evaluated now."""
    if any(t in graph.outputs for t in op.outputs):
        return False  # Some op must write a model output.
    if must_fold(graph, op):
        return True
    before = sum(graph.tensor(t).size_bytes for t in dict.fromkeys(op.inputs))
    after = sum(graph.tensor(t).size_bytes for t in op.outputs)
    heavy = isinstance(op, WindowOp | FullyConnected)
    return not heavy and after <= before + MAX_GROWTH_BYTES


def _with_known_target(op: Op, tensors: list[Tensor]) -> Op:
    """Drop a RESHAPE's target once it is constant: the output's shape says the same."""
    if isinstance(op, Reshape) and len(op.inputs) > 1 and tensors[op.inputs[1]].is_constant:
        return replace(op, inputs=op.inputs[:1])
    return op
