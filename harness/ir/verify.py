"""Whether a graph is sound: asked after import and between every two passes.

The verifier shares no code with what it checks. It looks at names and order first; only in a
graph whose order is sound do shapes, types and accumulators mean anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.errors import MalformedModelError
from harness.ir import ops as ir
from harness.ir.accumulator import accumulator_fault
from harness.ir.dtype import DType
from harness.ir.graph import Graph
from harness.ir.ops import Op
from harness.ir.shapes import shape_faults
from harness.ir.tensor import Tensor
from harness.ir.types import type_faults

_ARITY: dict[type[Op], range] = {
    ir.Conv2D: range(2, 4),
    ir.DepthwiseConv2D: range(2, 4),
    ir.FullyConnected: range(2, 4),
    ir.Add: range(2, 3),
    ir.Sub: range(2, 3),
    ir.Mul: range(2, 3),
    ir.Reshape: range(1, 3),
    ir.Concatenation: range(1, 1 << 16),
    ir.Pack: range(1, 1 << 16),
}
"""How many inputs an op has; one, where nothing is said."""

_ONE = range(1, 2)


def verify(graph: Graph) -> None:
    """Return if the graph is sound.

    Raises:
        MalformedModelError: it is not; the message lists all faults.
    """
    faults = list(_order_faults(graph))
    if not faults:
        faults = [*_tensor_faults(graph), *_op_faults(graph)]
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise MalformedModelError(f"{graph.name}: the model contradicts itself:\n{lines}")


def _order_faults(graph: Graph) -> Iterator[str]:
    """Yield every name out of range, double writing, and reading before writing."""
    count = len(graph.tensors)
    for what, ids in (("input", graph.inputs), ("output", graph.outputs)):
        for t in ids:
            if not 0 <= t < count:
                yield f"model {what} names tensor {t}; there are {count}"
    if any(not 0 <= t < count for op in graph.ops for t in (*op.inputs, *op.outputs)):
        yield f"an op names a tensor outside 0 to {count - 1}"
        return
    if len({*graph.inputs}) != len(graph.inputs):
        yield "a tensor is a model input twice"
    written = {t for t in graph.inputs if 0 <= t < count}
    for t in sorted(written):
        if graph.tensor(t).is_constant:
            yield f"model input '{graph.tensor(t).label}' is constant"
    for position, op in enumerate(graph.ops):
        label = graph.label(position)
        arity = _ARITY.get(type(op), _ONE)
        if len(op.inputs) not in arity or not op.outputs:
            yield f"{label}: {len(op.inputs)} inputs and {len(op.outputs)} outputs"
        for t in op.inputs:
            if t not in written and not graph.tensor(t).is_constant:
                yield f"{label}: reads '{graph.tensor(t).label}' before any op has written it"
        for t in op.outputs:
            if t in written:
                yield f"{label}: writes '{graph.tensor(t).label}' a second time"
            if graph.tensor(t).is_constant:
                yield f"{label}: writes the constant '{graph.tensor(t).label}'"
            written.add(t)
    for t in graph.outputs:
        if 0 <= t < count and t not in written:
            yield f"model output '{graph.tensor(t).label}' is written by no op"


def _tensor_faults(graph: Graph) -> Iterator[str]:
    for t, tensor in enumerate(graph.tensors):
        where = f"tensor {t} '{tensor.label}'"
        if any(size <= 0 for size in tensor.shape):
            yield f"{where}: shape {list(tensor.shape)}"
        elif (fault := _quantization_fault(tensor)) is not None:
            yield f"{where}: {fault}"


def _quantization_fault(tensor: Tensor) -> str | None:
    quantization = tensor.quantization
    if quantization is None:
        return None
    if tensor.dtype in (DType.FLOAT32, DType.BOOL):
        return f"{tensor.dtype} has no scale"
    slices = 1 if quantization.axis is None else len(tensor.shape)
    if quantization.axis is not None:
        if not 0 <= quantization.axis < len(tensor.shape):
            return f"quantized along axis {quantization.axis} of {list(tensor.shape)}"
        slices = tensor.shape[quantization.axis]
    if not len(quantization.scales) == len(quantization.zero_points) == slices:
        return (
            f"{len(quantization.scales)} scales and {len(quantization.zero_points)} zero points "
            f"for {slices} slices"
        )
    if not all(math.isfinite(scale) and scale for scale in quantization.scales):
        return "a scale is 0 or not finite"
    low, high = tensor.dtype.limits
    if not all(low <= zero_point <= high for zero_point in quantization.zero_points):
        return f"a zero point is outside {low} to {high}"
    return None


def _op_faults(graph: Graph) -> Iterator[str]:
    for position, op in enumerate(graph.ops):
        inputs = [graph.tensor(t) for t in op.inputs]
        outputs = [graph.tensor(t) for t in op.outputs]
        faults = shape_faults(op, [t.shape for t in inputs], [t.shape for t in outputs])
        faults += type_faults(op, inputs, outputs)
        if isinstance(op, ir.Reshape) and len(inputs) > 1:
            faults += _target_faults(inputs[1], outputs[0])
        if not faults and (fault := accumulator_fault(op, inputs, outputs[0])) is not None:
            faults.append(fault)
        for fault in faults:
            yield f"{graph.label(position)}: {fault}"


def _target_faults(target: Tensor, output: Tensor) -> Iterator[str]:
    """Yield if the shape that a RESHAPE is told is not its output's; -1 stands for any size."""
    if target.data is None:
        return
    sizes = target.data.reshape(-1).tolist()
    if len(sizes) != len(output.shape) or any(
        size not in (-1, actual) for size, actual in zip(sizes, output.shape, strict=True)
    ):
        yield f"is told {sizes}, its output has {list(output.shape)}"
