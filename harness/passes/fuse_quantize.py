"""Replace two changes of scale by one, or by none, where every value stays the same.

What a pair (QUANTIZE or DEQUANTIZE, then QUANTIZE) does to a value depends on that value alone.
An 8-bit type has 256 values and a 16-bit one 65,536, so the proof is to try them all with the
reference arithmetic. Rounding twice is mostly not rounding once; then the pair stays.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.ir import DType, Graph, Tensor, TensorId
from harness.ir.ops import Dequantize, Quantize
from harness.ir.tensor import Array
from harness.ir.types import REQUANTIZATIONS
from harness.passes.rewrite import bypass, interchangeable
from harness.reference.interpreter import run

_Scaling = Quantize | Dequantize


def fuse_quantize(graph: Graph) -> Graph:
    """Return the graph with needless changes of scale gone."""
    for position in reversed(range(len(graph.ops))):
        if isinstance(graph.ops[position], Quantize):
            graph = _fuse(graph, position)
    return graph


def _fuse(graph: Graph, position: int) -> Graph:
    """Return the graph with the QUANTIZE at a position joined to what comes before, if exact."""
    graph = _join(graph, position)
    op = graph.ops[position]
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if interchangeable(x, y) and _same(_table(x, y), _values(x.dtype)):
        return bypass(graph, (position,))
    return graph


def _join(graph: Graph, position: int) -> Graph:
    """Let a QUANTIZE read what the scaling before it reads, if that gives the same values."""
    op = graph.ops[position]
    before = next((o for o in graph.ops[:position] if op.inputs[0] in o.outputs), None)
    if not isinstance(before, _Scaling):
        return graph
    first, middle, last = (graph.tensor(t) for t in (before.inputs[0], op.inputs[0], op.outputs[0]))
    if first.dtype is DType.FLOAT32 or last.dtype not in REQUANTIZATIONS.get(first.dtype, ()):
        return graph
    # A reader of the first tensor keeps it alive; that is no gain while others need the middle.
    if op.inputs[0] in graph.outputs or len(graph.consumers()[op.inputs[0]]) > 1:
        return graph
    if not _same(_table(first, middle, last), _table(first, last)):
        return graph
    joined = replace(op, inputs=before.inputs)
    ops = tuple(joined if p == position else o for p, o in enumerate(graph.ops))
    return replace(graph, ops=ops)


def _values(dtype: DType) -> Array:
    low, high = dtype.limits
    return np.arange(low, high + 1).astype(dtype.numpy)


def _table(*chain: Tensor) -> Array:
    """Return what a chain of scalings turns every value of its first tensor's type into."""
    values = _values(chain[0].dtype)
    tensors = tuple(replace(tensor, shape=values.shape, data=None) for tensor in chain)
    ops = tuple(
        (Dequantize if to.dtype is DType.FLOAT32 else Quantize)(
            inputs=(TensorId(i),), outputs=(TensorId(i + 1),)
        )
        for i, to in enumerate(tensors[1:])
    )
    last = TensorId(len(tensors) - 1)
    graph = Graph("scaling", tensors, ops, inputs=(TensorId(0),), outputs=(last,))
    (result,) = run(graph, [values])
    return result


def _same(a: Array, b: Array) -> bool:
    return bool(np.array_equal(a, b))
