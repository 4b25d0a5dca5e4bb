"""Convolutions and fully connected ops as dot products of columns: firmware/kernels/dots.h.

Cores without DSP instructions share these calls; each instruction set has its own inner loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv, prepare_fully_connected
from harness.ir import Graph
from harness.ir.ops import Conv2D, FullyConnected, Padding
from harness.ir.tensor import Array
from harness.kernels.call import SCRATCH, Call, Constant, Fields, RowCall, X, Y
from harness.kernels.convolution import channels, folded_bias, live_weights, shape, window
from harness.kernels.kernel_set import Isa
from harness.kernels.step_function import accumulator_reach
from harness.kernels.variant import RowVariant, Variant
from harness.kernels.wide_form import WideForm, wide_form


@dataclass(frozen=True, slots=True)
class _Block:
    """What one call of an instruction set's ``dots_block`` computes: constants of its header."""

    columns: int
    channels: int
    weight_offset: int
    least_depth: int
    """Cells of a column from which on it takes fewer instructions than the portable kernel."""


_BLOCKS = {
    Isa.ARMV6M: _Block(1, 8, 128, least_depth=1),
    Isa.ARMV7M: _Block(2, 4, 0, least_depth=36),
}

_FEWEST_CHANNELS = 4
"""A block that is filled up with more than it holds costs more than the portable kernel."""


def conv(isa: Isa, graph: Graph, op: Conv2D) -> Iterator[Variant]:
    """Yield the variant of a convolution."""
    function, scratch = _function(isa, graph, op)
    operands = (X, Y, SCRATCH) if scratch else (X, Y)

    def calls() -> tuple[Call, ...]:
        return (Call(_header(isa), function, "dots_conv_t", _conv(isa, graph, op), operands),)

    if _pays(isa, graph, op):
        yield Variant(isa.value, calls, scratch)


def conv_row(isa: Isa, graph: Graph, op: Conv2D) -> Iterator[RowVariant]:
    """Yield the variant that makes a row of a convolution."""
    function, scratch = _function(isa, graph, op)

    def calls() -> tuple[RowCall, ...]:
        name, takes_scratch = f"{function}_row", scratch > 0
        parameters = _conv(isa, graph, op)
        return (
            RowCall(_header(isa), name, "dots_conv_t", parameters, takes_scratch=takes_scratch),
        )

    if _pays(isa, graph, op):
        yield RowVariant(isa.value, calls, scratch)


def fully_connected(isa: Isa, graph: Graph, op: FullyConnected) -> Iterator[Variant]:
    """Yield the variant of a fully connected op."""

    def calls() -> tuple[Call, ...]:
        function, parameters = "dots_fully_connected", _fully_connected(isa, graph, op)
        return (Call(_header(isa), function, f"{function}_t", parameters, (X, Y)),)

    if _pays(isa, graph, op):
        yield Variant(isa.value, calls)


def fully_connected_row(isa: Isa, graph: Graph, op: FullyConnected) -> Iterator[RowVariant]:
    """Yield the variant of a fully connected op on a single pixel."""

    def calls() -> tuple[RowCall, ...]:
        function, parameters = "dots_fully_connected", _fully_connected(isa, graph, op)
        return (RowCall(_header(isa), f"{function}_row", f"{function}_t", parameters),)

    if _pays(isa, graph, op):
        yield RowVariant(isa.value, calls)


def _pays(isa: Isa, graph: Graph, op: Conv2D | FullyConnected) -> bool:
    """Return whether blocks are full enough, and columns long enough."""
    y, (channels_made, *window_shape) = (
        graph.tensor(op.outputs[0]),
        graph.tensor(op.inputs[1]).shape,
    )
    block = _BLOCKS[isa]
    columns = y.elements // channels_made
    deep = int(np.prod(window_shape)) >= block.least_depth
    return channels_made >= _FEWEST_CHANNELS and columns >= block.columns and deep


def _header(isa: Isa) -> str:
    return f"{isa.value}/dots.h"


def _function(isa: Isa, graph: Graph, op: Conv2D) -> tuple[str, int]:
    """Return the kernel's name, and the scratch that gathered windows need."""
    if op.window.kernel == (1, 1) and op.window.padding == Padding():
        return "dots_pointwise", 0
    depth = int(np.prod(graph.tensor(op.inputs[1]).shape[1:]))
    return "dots_conv", depth * _BLOCKS[isa].columns


def _conv(isa: Isa, graph: Graph, op: Conv2D) -> Fields:
    """Return a ``dots_conv_t``."""
    p = prepare_conv(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    x, y = (graph.tensor(t).shape[1:] for t in (op.inputs[0], op.outputs[0]))
    if op.window.kernel == op.window.stride == (1, 1) and op.window.padding == Padding():
        x, y = ((1, height * width, depth) for height, width, depth in (x, y))
    return {
        "x": shape(x),
        "y": shape(y),
        "window": window(op.window),
        "padding": -p.input_offset,
        "dots": _dots(_BLOCKS[isa], p, weights.reshape(len(weights), -1), bias),
    }


def _fully_connected(isa: Isa, graph: Graph, op: FullyConnected) -> Fields:
    """Return a ``dots_fully_connected_t``."""
    p = prepare_fully_connected(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    return {
        "batch": graph.tensor(op.outputs[0]).elements // len(weights),
        "dots": _dots(_BLOCKS[isa], p, weights, bias),
    }


def _dots(block: _Block, p: ConvParameters, weights: Array, bias: Array) -> Fields:
    """Return a ``dots_t``; weights are [channels, depth]."""
    reach = accumulator_reach(weights, bias, -128, 127)
    form = wide_form(p.multipliers, p.output_offset, p.low, p.high, reach)
    if form is not None:
        weights = np.where(form.frozen[:, None], 0, weights)
        bias = np.where(form.frozen, form.biases, bias)
    count, depth = weights.shape
    laid = _whole_blocks(weights.astype(np.int16) + block.weight_offset, block.channels)
    laid = laid.reshape(-1, block.channels, depth).transpose(0, 2, 1)
    exact = channels(p, _whole_blocks(bias, block.channels).astype(np.int32))
    return {
        "depth": depth,
        "channels": count,
        "weights": Constant("weights", np.ascontiguousarray(laid.astype(np.uint8)).view(np.int8)),
        **form_fields(form, p.low),
        "exact": exact,
    }


def form_fields(form: WideForm | None, low: int) -> Fields:
    """Return what a form adds; without one its arrays are never read."""
    if form is None:
        nothing = Constant("form", np.zeros(1, np.int32))
        return {"form": nothing, "addend": 0, "shift": 1, "has_form": 0, "has_steps": 0}
    has_steps = bool(form.steps.any())
    arrays = [form.multipliers, form.intercepts, *([form.steps] if has_steps else [])]
    return {
        "form": Constant("form", np.stack(arrays, axis=1).astype(np.int32)),
        # The kernel counts outputs from the lowest on.
        "addend": form.addend - (low << form.shift),
        "shift": form.shift,
        "has_form": 1,
        "has_steps": int(has_steps),
    }


def _whole_blocks(array: Array, block: int) -> Array:
    """Return an array with its first axis filled up to whole blocks with zeros."""
    missing = -len(array) % block
    return np.concatenate([array, np.zeros((missing, *array.shape[1:]), array.dtype)])
