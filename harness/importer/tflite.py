"""From the bytes of a .tflite file to a graph.

Reading goes in three steps, each in its module: the flatbuffer's values (`flatbuffer`), its
tensors (`tensors`), its ops (`ops`). Then the requirements that bit-exact code puts on scales and
zero points are checked (`requirements`), and the whole is verified like any graph.

What is unsound stops at once; what is sound but not offered is collected, so that one message
lists every op that stands in the way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from harness.errors import MalformedModelError, UnsupportedModelError
from harness.importer.flatbuffer import RawModel, read_flatbuffer
from harness.importer.ops import CONVERTERS, convert_op
from harness.importer.requirements import flow_faults, requirement_faults
from harness.importer.site import Refusal, Site
from harness.importer.tensors import ImportedTensor, UnusableTensor, convert_tensors
from harness.ir import DType, Graph, Op, Tensor, TensorId
from harness.ir.accumulator import accumulator_fault
from harness.ir.compact import compact
from harness.ir.shapes import shape_faults
from harness.ir.tensor import short_name
from harness.ir.types import type_faults
from harness.ir.verify import verify

_PLACEHOLDER = Tensor("", (), DType.INT8)
"""Stands where the file has a tensor that nothing touches, until it is left out."""

_HINT = (
    "convert the model with full integer quantization to int8 (TFLITE_BUILTINS_INT8); "
    f"offered: {', '.join(sorted(CONVERTERS))}"
)


def read_tflite(data: bytes, *, name: str) -> Graph:
    """Return the graph of a .tflite file; ``name`` is what the model is called in messages.

    Raises:
        MalformedModelError: the file is not sound.
        UnsupportedModelError: it is, but some ops have no bit-exact code here; lists them all.
    """
    raw = read_flatbuffer(data, name=name)
    tensors = convert_tensors(raw, name=name)
    refusals: list[str] = []
    if raw.subgraphs > 1:
        refusals.append(f"  {raw.subgraphs} subgraphs: only one is offered")
    ops: list[Op] = []
    for index, raw_op in enumerate(raw.ops):
        label = _label(raw, index)
        try:
            op = convert_op(Site(f"{name}: {label}", index, raw_op, tensors))
        except Refusal as refusal:
            refusals.append(f"  {label}: {refusal}")
        else:
            if reasons := _reasons(op, tensors):
                refusals.append(f"  {label}: {'; '.join(reasons)}")
            ops.append(op)
    refusals += [
        f"  model {'input' if t in raw.inputs else 'output'} '{tensor.label}': {tensor.reason}"
        for t in dict.fromkeys((*raw.inputs, *raw.outputs))
        if isinstance(tensor := tensors[t], UnusableTensor)
    ]
    if refusals:
        raise _unsupported(name, raw, refusals)
    if not raw.outputs:
        raise MalformedModelError(f"{name}: the model has no output")
    graph = compact(
        Graph(
            name=name,
            tensors=tuple(t if isinstance(t, Tensor) else _PLACEHOLDER for t in tensors),
            ops=tuple(ops),
            inputs=tuple(TensorId(t) for t in raw.inputs),
            outputs=tuple(TensorId(t) for t in raw.outputs),
            sha256=hashlib.sha256(data).hexdigest(),
        )
    )
    verify(graph)
    refusals = [f"  {graph.label(p)}: {reason}" for p, reason in flow_faults(graph).items()]
    if refusals:
        raise _unsupported(name, raw, refusals)
    return graph


def _reasons(op: Op, tensors: Sequence[ImportedTensor]) -> list[str]:
    """Return why a converted op has no bit-exact code. Unsound shapes are the verifier's."""
    inputs, outputs = _touched(op.inputs, tensors), _touched(op.outputs, tensors)
    if reasons := type_faults(op, inputs, outputs):
        return reasons
    if shape_faults(op, [t.shape for t in inputs], [t.shape for t in outputs]):
        return []
    reasons = requirement_faults(op, inputs, outputs)
    if (fault := accumulator_fault(op, inputs, outputs[0])) is not None:
        reasons.append(fault)
    return reasons


def _touched(ids: Sequence[TensorId], tensors: Sequence[ImportedTensor]) -> list[Tensor]:
    """Return the tensors of an op that was converted, and so touches usable ones only."""
    return [tensor for t in ids if isinstance(tensor := tensors[t], Tensor)]


def _unsupported(name: str, raw: RawModel, refusals: Sequence[str]) -> UnsupportedModelError:
    headline = f"{name}: of its {len(raw.ops)} ops these cannot be done bit-exactly:"
    return UnsupportedModelError("\n".join((headline, *refusals)), hint=_HINT)


def _label(raw: RawModel, index: int) -> str:
    op = raw.ops[index]
    name = short_name(raw.tensors[op.outputs[0]].name) if op.outputs else "?"
    return f"op {index} ({op.kind} '{name}')"
