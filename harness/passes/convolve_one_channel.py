"""A depthwise convolution of one input channel is a convolution, and runs as one.

All its outputs see the same input, which is what kernels for convolutions make use of: they load a
value once for several channels. First ops of networks on grey images and spectrograms are such
(person_detect, micro_speech). Weights ``[1, KH, KW, OC]`` become ``[OC, KH, KW, 1]``; sums, factors
and roundings are the same, so every bit is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.ir import Graph, Op, Tensor, TensorId
from harness.ir.ops import Conv2D, DepthwiseConv2D


def convolve_one_channel(graph: Graph) -> Graph:
    """Return the graph with depthwise convolutions of one channel into several as convolutions."""
    tensors, ops = list(graph.tensors), list[Op]()
    for op in graph.ops:
        if not isinstance(op, DepthwiseConv2D) or not _is_one_into_several(graph, op):
            ops.append(op)
            continue
        x, weights, *bias = op.inputs
        tensors.append(_turned(graph.tensor(weights)))
        ops.append(
            Conv2D(
                index=op.index,
                inputs=(x, TensorId(len(tensors) - 1), *bias),
                outputs=op.outputs,
                window=op.window,
                activation=op.activation,
            )
        )
    return replace(graph, tensors=tuple(tensors), ops=tuple(ops))


def _is_one_into_several(graph: Graph, op: DepthwiseConv2D) -> bool:
    return graph.tensor(op.inputs[0]).shape[-1] == 1 and op.depth_multiplier > 1


def _turned(weights: Tensor) -> Tensor:
    """Return the weights with output channels first."""
    assert weights.data is not None, "weights are constant"
    assert weights.quantization is not None, "and quantized"
    has_channels = weights.quantization.axis is not None
    return replace(
        weights,
        shape=(weights.shape[3], *weights.shape[1:3], 1),
        data=np.ascontiguousarray(weights.data.transpose(3, 1, 2, 0)),
        quantization=replace(weights.quantization, axis=0 if has_channels else None),
    )
