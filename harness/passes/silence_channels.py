"""Zero the weights and the bias of channels whose factor rounds to nothing.

Training kills channels; the quantizer then gives them a scale near 1e-20 and a bias that is cut
to the end of int32. Their output is the zero point whatever the accumulator holds, but adding to
such a bias overflows, which C leaves undefined. The MCUNet models have hundreds of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.ir import Graph, Op, Tensor, TensorId
from harness.ir.accumulator import negligible_channels
from harness.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected
from harness.ir.tensor import Array, constant


def silence_channels(graph: Graph) -> Graph:
    """Return the graph with the weights and biases of negligible channels zeroed."""
    tensors = list(graph.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        if not isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
            ops.append(op)
            continue
        axis = 3 if isinstance(op, DepthwiseConv2D) else 0
        x, weights, *biases = (tensors[t] for t in op.inputs)
        quiet = negligible_channels(x, weights, tensors[op.outputs[0]])
        if not quiet.any():
            ops.append(op)
            continue
        silenced = [_silence(weights, quiet, axis), *(_silence(b, quiet, 0) for b in biases)]
        ids = (TensorId(len(tensors) + i) for i in range(len(silenced)))
        ops.append(replace(op, inputs=(op.inputs[0], *ids)))
        tensors += silenced
    return replace(graph, tensors=tuple(tensors), ops=tuple(ops))


def _silence(tensor: Tensor, quiet: Array, axis: int) -> Tensor:
    assert tensor.data is not None, tensor.name
    # Of one scale the verdict counts for all channels.
    channels = np.broadcast_to(quiet, tensor.shape[axis])
    shape = [1] * len(tensor.shape)
    shape[axis] = -1
    data = np.where(channels.reshape(shape), 0, tensor.data).astype(tensor.dtype.numpy)
    return constant(tensor.name, data, tensor.quantization)
