"""Calls for ops on single values: softmax, tables, and the ends of a model."""

from __future__ import annotations

import numpy as np

from harness.arithmetic import (
    is_table,
    prepare_dequantize,
    prepare_quantize,
    prepare_requantize,
    prepare_softmax,
    table,
)
from harness.ir import DType, Graph
from harness.ir.ops import Dequantize, Logistic, Quantize, Softmax, Tanh
from harness.kernels.call import Call, Constant, Fields, Name, RowCall, X, Y
from harness.kernels.elementwise import factor


def softmax(graph: Graph, op: Softmax) -> tuple[Call, ...]:
    """Return the call of a softmax."""
    p = prepare_softmax(graph, op)
    *_, depth = graph.tensor(op.inputs[0]).shape
    parameters: Fields = {
        "rows": graph.tensor(op.inputs[0]).elements // depth,
        "depth": depth,
        "exponentials": Constant("exponentials", np.array(p.exponentials, np.int32)),
        "exponentials_length": len(p.exponentials),
    }
    return (Call("softmax.h", "softmax", "softmax_t", parameters, (X, Y)),)


def lookup(graph: Graph, op: Logistic | Tanh | Quantize) -> tuple[Call, ...]:
    """Return the call of an op that maps single 8-bit values."""
    x = graph.tensor(op.inputs[0])
    results = np.array(table(graph, op), np.int64).astype(np.uint8)
    parameters: Fields = {
        "size": x.elements,
        "lowest": 0 if x.dtype is DType.UINT8 else 0x80,
        "table": Constant("table", results),
    }
    return (Call("lookup.h", "lookup", "lookup_t", parameters, (X, Y), "uint8_t"),)


def pointwise_row(graph: Graph, op: Logistic | Tanh | Quantize | Dequantize) -> RowCall:
    """Return the call that makes a row of an op on single values, of any widths."""
    match op:
        case Logistic() | Tanh():
            (call,) = lookup(graph, op)
        case Quantize():
            (call,) = quantize(graph, op)
        case Dequantize():
            (call,) = dequantize(graph, op)
    return RowCall(call.header, f"{call.function}_row", call.type, call.parameters)


def quantize(graph: Graph, op: Quantize) -> tuple[Call, ...]:
    """Return the call of a QUANTIZE, from float32 or between integers."""
    x, y = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if is_table(graph, op):
        return lookup(graph, op)
    if x.dtype is DType.FLOAT32:
        q = prepare_quantize(graph, op)
        from_float: Fields = {
            "size": x.elements,
            "y": _element(y.dtype),
            "scale": q.scale,
            "output": {"zero_point": q.zero_point, "low": q.low, "high": q.high},
        }
        return (Call("quantize.h", "quantize", "quantize_t", from_float, (X, Y), "uint8_t"),)
    p = prepare_requantize(graph, op)
    parameters: Fields = {
        "size": x.elements,
        "x": _element(x.dtype),
        "y": _element(y.dtype),
        "x_offset": p.input_offset,
        "factor": factor(p.factor),
        "output": {"zero_point": p.output_offset, "low": p.low, "high": p.high},
    }
    return (
        Call("quantize.h", "requantize_elements", "requantize_t", parameters, (X, Y), "uint8_t"),
    )


def dequantize(graph: Graph, op: Dequantize) -> tuple[Call, ...]:
    """Return the call of a DEQUANTIZE."""
    p = prepare_dequantize(graph, op)
    x = graph.tensor(op.inputs[0])
    parameters: Fields = {
        "size": x.elements,
        "x": _element(x.dtype),
        "scale": p.scale,
        "zero_point": p.zero_point,
    }
    return (Call("quantize.h", "dequantize", "dequantize_t", parameters, (X, Y), "uint8_t"),)


def _element(dtype: DType) -> Name:
    return Name(f"ELEMENT_{dtype.value.upper()}")
