"""How much work an op is: multiply-accumulates and parameters.

One MAC is one multiply-add of a convolution or fully connected op, padding cells included as the
MLPerf Tiny and MCUNet papers count them; element-wise and pooling work is not counted.
"""

from __future__ import annotations

from harness.ir.graph import Graph
from harness.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op


def op_macs(graph: Graph, op: Op) -> int:
    """Return the multiply-accumulates of one op for one inference."""
    match op:
        case Conv2D():
            oc, kh, kw, ic = graph.tensor(op.inputs[1]).shape
            return graph.tensor(op.outputs[0]).elements // oc * oc * kh * kw * ic
        case DepthwiseConv2D():
            _, kh, kw, _ = graph.tensor(op.inputs[1]).shape
            return graph.tensor(op.outputs[0]).elements * kh * kw
        case FullyConnected():
            return graph.tensor(op.outputs[0]).elements * graph.tensor(op.inputs[1]).shape[1]
        case _:
            return 0


def graph_macs(graph: Graph) -> int:
    """Return the multiply-accumulates of one inference."""
    return sum(op_macs(graph, op) for op in graph.ops)


def graph_parameters(graph: Graph) -> int:
    """Return the number of weights and biases."""
    parameters = {
        t
        for op in graph.ops
        if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected)
        for t in op.inputs[1:]
    }
    return sum(graph.tensor(t).elements for t in parameters if graph.tensor(t).is_constant)


def graph_weights_bytes(graph: Graph) -> int:
    """Return the bytes of all constants that ops read, each counted once."""
    constants = {t for op in graph.ops for t in op.inputs if graph.tensor(t).is_constant}
    return sum(graph.tensor(t).size_bytes for t in constants)
