"""The graph: what a model computes, as immutable values.

A :class:`Graph` is a list of tensors and a list of ops in execution order. Ops name tensors by
their position. Activations of one sample have shape ``[N, H, W, C]`` or less; N is 1.
"""

from harness.ir.dtype import DType
from harness.ir.graph import Graph
from harness.ir.ops import Op
from harness.ir.tensor import Quantization, Tensor, TensorId

__all__ = ["DType", "Graph", "Op", "Quantization", "Tensor", "TensorId"]
