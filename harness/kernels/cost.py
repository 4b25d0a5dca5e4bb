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
from harness.kernels.cost_data import COSTS, Costs, Fit
from harness.kernels.kernel_set import PORTABLE, KernelSet

FEATURES = ("macs", "outputs", "inputs", "pixels", "lines", "channels", "calls", "loops")
"""What an op's instructions are a weighted sum of: multiply-accumulates, output elements, elements
of its first input, output pixels, rows of all output channels, output channels, one for the call
itself, and what its kernel says of its inner loops. Kernels that gather what they read pay for
inputs, those that go channel by channel for lines and channels. Where loops work on blocks of
several pixels, only the kernel knows which of them are full."""

ROW_FEATURES = ("macs", "outputs", "gathered", "pixels", "calls", "channels", "loops")
"""The same of a call that makes rows: it gathers all rows that its windows see. Columns that it
makes in parts count as a call each."""

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
        case ir.AveragePool2D() | ir.Mean():
            return "pool"
        case ir.MaxPool2D():
            return "max_pool"
        case ir.Quantize() | ir.Logistic() | ir.Tanh():
            return "lookup"
        case ir.Softmax() | ir.Dequantize():
            return op.kind.lower()
        case _:
            return "move"


def features(graph: Graph, op: Op, loops: float = 0.0) -> Features:
    """Return the features of a whole op, in the order of FEATURES; its kernel counts ``loops``."""
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
    return np.array([work, elements, inputs, y.elements // channels, lines, channels, 1.0, loops])


def row_features(
    graph: Graph,
    op: Op,
    rows: int,
    columns: int,
    *,
    at_once: int | None = None,
    loops: float = 0.0,
) -> Features:
    """Return the features of a call that makes rows of so many columns, in order of ROW_FEATURES.

    The windows of the rows share what they see; of columns that are made some ``at_once``, windows
    see some of the input again.
    """
    y = graph.tensor(op.outputs[0])
    work, outputs, inputs, pixels, _, channels, _, _ = features(graph, op)
    height, width = y.shape[1:3] if len(y.shape) == 4 else (1, pixels)
    made, parts = rows * columns / (height * width), 1
    gathered = inputs * made
    if isinstance(op, ir.WindowOp):
        _, _, across, depth = graph.tensor(op.inputs[0]).shape
        if at_once is not None or columns < width:
            parts = -(-columns // (at_once or columns))
            across = parts * _seen(op.window, 1, min(at_once or columns, columns))
        gathered = _seen(op.window, 0, rows) * across * depth
    return np.array(
        [work * made, outputs * made, gathered, pixels * made, parts, parts * channels, loops]
    )


def _seen(window: ir.Window, axis: int, outputs: int) -> int:
    """Return how many cells the windows of neighbouring outputs see along an axis."""
    return window.kernel[axis] + (outputs - 1) * window.stride[axis]


def costs(kernels: KernelSet) -> Costs:
    """Return what was fitted for an instruction set, or for the portable kernels."""
    return COSTS.get(kernels.isa.value, COSTS[PORTABLE.isa.value])


def instructions(
    kernels: KernelSet, graph: Graph, op: Op, operand: int | None, loops: float = 0.0
) -> float:
    """Return the instructions of an op on whole tensors."""
    name = op_class(graph, op, operand)
    fit = costs(kernels).classes[name]
    if not is_seen(fit, loops):
        fit = COSTS[PORTABLE.isa.value].classes[name]
    return float(features(graph, op, loops) @ np.array(fit.weights))


def is_seen(fit: Fit, loops: float) -> bool:
    """Return whether a fit is of an op's kernel: one that is silent of loops may be portable."""
    return fit.weights[-1] == 0 or loops > 0


def row_instructions(kernels: KernelSet, graph: Graph, op: Op, call: Features) -> float:
    """Return the instructions of a call that makes rows, from its features."""
    name = op_class(graph, op, None)
    fit = costs(kernels).rows.get(name)
    if fit is not None and not is_seen(fit, call[-1]):
        fit = COSTS[PORTABLE.isa.value].rows.get(name)
    if fit is not None:
        return float(call @ np.array(fit.weights))
    share = call[ROW_FEATURES.index("outputs")] / features(graph, op)[FEATURES.index("outputs")]
    return float(instructions(kernels, graph, op, None) * share)
