"""Runs a graph op by op."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.errors import TensorInputError
from harness.ir import Graph, Op, TensorId
from harness.ir.ops import (
    Add,
    AveragePool2D,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    Dequantize,
    FullyConnected,
    Logistic,
    MaxPool2D,
    Mean,
    Mul,
    Pack,
    Pad,
    Quantize,
    Reshape,
    ResizeNearestNeighbor,
    Shape,
    Softmax,
    Split,
    StridedSlice,
    Sub,
    Tanh,
    Transpose,
    Unpack,
)
from harness.ir.tensor import Array
from harness.reference import convolution, elementwise, moves, pointwise, pooling


def run(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """Return the model's outputs for one set of inputs; raises TensorInputError."""
    values = interpret(graph, inputs)
    return [values[t] for t in graph.outputs]


def interpret(graph: Graph, inputs: Sequence[Array]) -> dict[TensorId, Array]:
    """Return every tensor, constants and intermediate ones included; raises TensorInputError."""
    check_inputs(graph, inputs)
    values = {
        TensorId(t): tensor.data
        for t, tensor in enumerate(graph.tensors)
        if tensor.data is not None
    }
    values.update(zip(graph.inputs, inputs, strict=True))
    for op in graph.ops:
        results = evaluate(graph, op, [values[t] for t in op.inputs])
        values.update(zip(op.outputs, results, strict=True))
    return values


def check_inputs(graph: Graph, inputs: Sequence[Array]) -> None:
    """Raise TensorInputError, naming all faults, unless the arrays are what the model takes."""
    wanted = [graph.tensor(t) for t in graph.inputs]
    if len(inputs) != len(wanted):
        raise TensorInputError(
            f"{graph.name}: {len(inputs)} input arrays given, the model takes {len(wanted)}"
        )
    faults = [
        f"input {i} ('{tensor.name}'): found {array.dtype} {list(array.shape)}, "
        f"the model takes {tensor.dtype} {list(tensor.shape)}"
        for i, (tensor, array) in enumerate(zip(wanted, inputs, strict=True))
        if array.shape != tensor.shape or array.dtype != tensor.dtype.numpy
    ]
    if faults:
        raise TensorInputError(f"{graph.name}: {'; '.join(faults)}")


def evaluate(graph: Graph, op: Op, inputs: Sequence[Array]) -> list[Array]:
    """Return the outputs of one op, in the types and shapes that the graph gives them."""
    results = _compute(graph, op, inputs)
    outputs = []
    for tensor_id, result in zip(op.outputs, results, strict=True):
        tensor = graph.tensor(tensor_id)
        array = np.asarray(result).astype(tensor.dtype.numpy, copy=False)
        outputs.append(np.ascontiguousarray(array).reshape(tensor.shape))
    return outputs


def _compute(graph: Graph, op: Op, inputs: Sequence[Array]) -> Sequence[Array]:
    x = inputs[0]
    match op:
        case Conv2D():
            return [convolution.conv_2d(graph, op, *inputs)]
        case DepthwiseConv2D():
            return [convolution.depthwise_conv_2d(graph, op, *inputs)]
        case FullyConnected():
            return [convolution.fully_connected(graph, op, *inputs)]
        case Add() | Sub() | Mul():
            return [elementwise.binary(graph, op, *inputs)]
        case AveragePool2D():
            return [pooling.average_pool_2d(graph, op, x)]
        case MaxPool2D():
            return [pooling.max_pool_2d(graph, op, x)]
        case Mean():
            return [pooling.mean(graph, op, x)]
        case Softmax():
            return [pointwise.softmax(graph, op, x)]
        case Logistic() | Tanh():
            return [pointwise.lookup(graph, op, x)]
        case Quantize():
            return [pointwise.quantize(graph, op, x)]
        case Dequantize():
            return [pointwise.dequantize(graph, op, x)]
        case Reshape():
            return [x]
        case Shape():
            return [np.array(x.shape)]
        case Pad():
            return [moves.pad(op, x)]
        case Concatenation():
            return [np.concatenate(inputs, axis=op.axis)]
        case Split():
            return moves.split(op, x)
        case Pack():
            return [np.stack(inputs, axis=op.axis)]
        case Unpack():
            return moves.unpack(op, x)
        case Transpose():
            return [x.transpose(op.perm)]
        case StridedSlice():
            return [moves.strided_slice(op, x)]
        case ResizeNearestNeighbor():
            return [moves.resize_nearest_neighbor(graph, op, x)]
