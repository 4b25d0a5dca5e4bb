"""What an op costs in instructions, as a linear model that is fitted to counts on an emulator.

Counts are of the kernels as they are, so after any change to a kernel the model is fitted anew
(``tools/fit_cost.py``, which writes ``cost_data.py``). Only ratios between ways to execute the same
ops matter to a schedule, so one model serves all cores of an instruction set.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.ir import Graph, Op
from harness.ir import ops as ir
from harness.ir.macs import op_macs
from harness.kernels.cost_data import COSTS, Costs
from harness.kernels.kernel_set import PORTABLE, KernelSet

FEATURES = ("macs", "outputs", "pixels", "calls")
"""What an op's instructions are a weighted sum of: multiply-accumulates, output elements, output
pixels, and one for the call itself."""

Features = npt.NDArray[np.float64]


def op_class(graph: Graph, op: Op, operand: int | None) -> str:
    """Return which ops an op is alike in cost; ``operand`` is what it overwrites, if anything."""
    match op:
        case ir.Conv2D(window=window):
            if window.kernel == (1, 1):
                return "pointwise"
            return "stem" if graph.tensor(op.inputs[0]).shape[-1] <= 4 else "conv"
        case ir.DepthwiseConv2D():
            return "depthwise" if operand is None else "depthwise_inplace"
        case ir.FullyConnected():
            return "fully_connected"
        case ir.Add() | ir.Sub() | ir.Mul():
            return "binary"
        case ir.AveragePool2D() | ir.MaxPool2D() | ir.Mean():
            return "pool"
        case ir.Quantize() | ir.Logistic() | ir.Tanh():
            return "lookup"
        case ir.Softmax() | ir.Dequantize():
            return op.kind.lower()
        case _:
            return "move"


def features(graph: Graph, op: Op) -> Features:
    """Return the features of a whole op, in the order of FEATURES."""
    y = graph.tensor(op.outputs[0])
    work = op_macs(graph, op)
    if isinstance(op, ir.AveragePool2D | ir.MaxPool2D):
        work = y.elements * op.window.kernel[0] * op.window.kernel[1]
    elif isinstance(op, ir.Mean):
        work = graph.tensor(op.inputs[0]).elements
    elements = sum(graph.tensor(t).elements for t in op.outputs)
    pixels = y.elements // y.shape[-1] if y.shape else 1
    return np.array([work, elements, pixels, 1.0])


def costs(kernels: KernelSet) -> Costs:
    """Return what was fitted for an instruction set, or for the portable kernels."""
    return COSTS.get(kernels.isa.value, COSTS[PORTABLE.isa.value])


def instructions(kernels: KernelSet, graph: Graph, op: Op, operand: int | None) -> float:
    """Return the instructions of an op on whole tensors."""
    weights = costs(kernels).classes[op_class(graph, op, operand)].weights
    return float(features(graph, op) @ np.array(weights))


def by_rows(kernels: KernelSet, whole: float, made: float, rows: int) -> float:
    """Return the instructions of an op that is done in ``rows`` calls of a row each.

    ``made`` is how much of its output is made, more than 1 where parts are made again.
    """
    model = costs(kernels)
    return whole * made * model.row_ratio + rows * model.row_instructions
