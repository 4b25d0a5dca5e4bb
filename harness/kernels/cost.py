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

FEATURES = ("macs", "outputs", "inputs", "pixels", "lines", "channels", "calls")
"""What an op's instructions are a weighted sum of: multiply-accumulates, output elements, elements
of its first input, output pixels, rows of all output channels, output channels, and one for the
call itself. Kernels that gather what they read pay for inputs, those that go channel by channel
for lines and channels."""

ROW_FEATURES = ("macs", "outputs", "gathered", "pixels", "calls", "call_channels")
"""The same of ops that are done row by row: every row of the output gathers all rows that its
window sees, and a call that makes a row may pay for each channel."""

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
    inputs = graph.tensor(op.inputs[0]).elements
    channels = y.shape[-1] if y.shape else 1
    lines = y.elements // y.shape[2] if len(y.shape) == 4 else channels
    return np.array([work, elements, inputs, y.elements // channels, lines, channels, 1.0])


def row_features(
    graph: Graph, op: Op, batch: int = 1, columns: int | None = None
) -> tuple[Features, Features]:
    """Return the features of all rows of an op, made once, and of a call that makes one of them.

    Both are in the order of ROW_FEATURES. A call may make a batch of rows, whose windows share what
    they see, and so many ``columns`` at a time, whose windows see some of the input again.
    """
    y = graph.tensor(op.outputs[0])
    work, outputs, inputs, pixels, _, channels, _ = features(graph, op)
    parts = 1
    if isinstance(op, ir.WindowOp):
        _, _, width, depth = graph.tensor(op.inputs[0]).shape
        rows, across = (
            kernel + (count - 1) * stride
            for kernel, count, stride in zip(
                op.window.kernel, (batch, columns or 1), op.window.stride, strict=True
            )
        )
        if columns is not None:
            parts = -(-y.shape[2] // columns)
            width = parts * across
        inputs = y.shape[1] / batch * rows * width * depth
    made = np.array([work, outputs, inputs, pixels, 0.0, 0.0])
    return made, np.array([0.0, 0.0, 0.0, 0.0, parts, parts * channels])


def costs(kernels: KernelSet) -> Costs:
    """Return what was fitted for an instruction set, or for the portable kernels."""
    return COSTS.get(kernels.isa.value, COSTS[PORTABLE.isa.value])


def instructions(kernels: KernelSet, graph: Graph, op: Op, operand: int | None) -> float:
    """Return the instructions of an op on whole tensors."""
    weights = costs(kernels).classes[op_class(graph, op, operand)].weights
    return float(features(graph, op) @ np.array(weights))


def row_instructions(
    kernels: KernelSet, graph: Graph, op: Op, batch: int = 1, columns: int | None = None
) -> tuple[float, float]:
    """Return what all rows of an op cost, made once, and what each call costs besides.

    A call makes one row, or a ``batch``, and so many ``columns`` at a time.
    """
    name = op_class(graph, op, None)
    fit = costs(kernels).rows.get(name)
    if fit is None:
        return instructions(kernels, graph, op, None), 0.0
    made, call = row_features(graph, op, batch, columns)
    return float(made @ np.array(fit.weights)), float(call @ np.array(fit.weights))
