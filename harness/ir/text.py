"""A graph as text: one line a tensor, one line an op, the same graph always the same text.

Data and long lists of scales are shown as a digest, so that two graphs with equal text compute
the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from harness.ir.graph import Graph
from harness.ir.ops import Op, Padding, Window
from harness.ir.tensor import Quantization, Tensor, TensorId


def dump(graph: Graph) -> str:
    """Return the graph as text, with a newline at the end."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield f"graph '{graph.name}' sha256 {graph.sha256 or 'none'}"
    yield ""
    width = len(str(len(graph.tensors)))
    for t, tensor in enumerate(graph.tensors):
        yield f"{f'%{t}':>{width + 1}} {_tensor_text(tensor)}"
    yield ""
    yield f"inputs  {_ids(graph.inputs)}"
    for position, op in enumerate(graph.ops):
        yield f"{position:>{width + 1}} {_op_text(op)}"
    yield f"outputs {_ids(graph.outputs)}"


def _tensor_text(tensor: Tensor) -> str:
    parts = [f"{tensor.dtype}{list(tensor.shape)}"]
    if tensor.quantization is not None:
        parts.append(_quantization_text(tensor.quantization))
    if tensor.data is not None:
        parts.append(f"data {_data_text(tensor)}")
    parts.append(repr(tensor.name))
    return "  ".join(parts)


def _data_text(tensor: Tensor) -> str:
    assert tensor.data is not None
    if tensor.elements <= 8:
        return str(tensor.data.tolist())
    return "#" + _digest(tensor.data.tobytes())


def _quantization_text(quantization: Quantization) -> str:
    scales = [f"{np.float32(scale)!s}" for scale in quantization.scales]
    if quantization.axis is None:
        return f"scale {scales[0]} zero_point {quantization.zero_points[0]}"
    digest = _digest(repr((scales, quantization.zero_points)).encode())
    return f"{len(scales)} scales on axis {quantization.axis} #{digest}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _op_text(op: Op) -> str:
    attributes = [
        f"{field.name}={_value(getattr(op, field.name))}"
        for field in fields(op)
        if field.name not in ("inputs", "outputs", "index")
    ]
    call = f"{_ids(op.outputs)} = {op.kind}({_ids(op.inputs)})"
    if op.index >= 0:
        # Positions in the model file differ from those here once passes have removed ops.
        attributes.append(f"index={op.index}")
    return "  ".join([call, *attributes])


def _value(value: object) -> str:
    match value:
        case Window():
            (kh, kw), (sh, sw), (dh, dw) = value.kernel, value.stride, value.dilation
            return f"{kh}x{kw} stride={sh}x{sw} dilation={dh}x{dw} padding={_value(value.padding)}"
        case Padding(top=top, bottom=bottom, left=left, right=right):
            return f"{top},{bottom},{left},{right}"
        case tuple():
            return repr(value).replace(" ", "")
        case _:
            return str(value)


def _ids(ids: tuple[TensorId, ...]) -> str:
    return ", ".join(f"%{t}" for t in ids)
