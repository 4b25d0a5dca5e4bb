"""Calls of fully connected ops, and of convolutions that are one: a single window, no padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv, prepare_fully_connected
from harness.ir import Graph
from harness.ir.ops import Conv2D, FullyConnected
from harness.ir.tensor import Array
from harness.kernels.armv7em.filters import (
    UNIT,
    can_be_packed,
    dot,
    exactly,
    halfwords,
    ordered,
    parts_of,
    starts,
    wrapped,
)
from harness.kernels.armv7em.rounding import Rounding, Way, choose_rounding
from harness.kernels.call import SCRATCH, Call, Constant, Fields, Name, RowCall, Structs, X, Y
from harness.kernels.convolution import folded_bias, live_weights
from harness.kernels.step_function import accumulator_reach
from harness.kernels.variant import RowVariant, Variant

_NAME = "armv7em"
_HEADER = "armv7em/fully_connected.h"
_TYPE = "dsp_fully_connected_t"

_GROUP = 4
"""Channels that are made together."""


def fully_connected(
    graph: Graph, op: FullyConnected | Conv2D, operand: int | None
) -> Iterator[Variant]:
    """Yield the variant of a fully connected op; a convolution may be done over its input."""

    def calls() -> tuple[Call, ...]:
        parameters = _fields(graph, op)
        if operand is None:
            return (Call(_HEADER, "dsp_fully_connected", _TYPE, parameters, (X, Y, SCRATCH)),)
        return (Call(_HEADER, "dsp_fully_connected_inplace", _TYPE, parameters, (Y, SCRATCH)),)

    yield Variant(_NAME, calls, _scratch_bytes(graph, op))


def fully_connected_row(graph: Graph, op: FullyConnected | Conv2D) -> Iterator[RowVariant]:
    """Yield the variant of a fully connected op on a single pixel."""

    def calls() -> tuple[RowCall, ...]:
        parameters = _fields(graph, op)
        return (RowCall(_HEADER, "dsp_fully_connected_row", _TYPE, parameters, takes_scratch=True),)

    yield RowVariant(_NAME, calls, _scratch_bytes(graph, op))


def is_fully_connected(graph: Graph, op: Conv2D) -> bool:
    """Return whether a convolution has one window, which is all of its input."""
    _, height, width, _ = graph.tensor(op.inputs[0]).shape
    _, rows, columns, _ = graph.tensor(op.outputs[0]).shape
    is_single = rows == columns == 1 and op.window.padding.is_zero
    return is_single and op.window.kernel == (height, width)


def _scratch_bytes(graph: Graph, op: FullyConnected | Conv2D) -> int:
    """Return the bytes of an expanded row."""
    weights = graph.tensor(op.inputs[1])
    return -(-weights.elements // weights.shape[0] // UNIT) * UNIT * 2


def _fields(graph: Graph, op: FullyConnected | Conv2D) -> Fields:
    """Return a ``dsp_fully_connected_t``."""
    p = prepare_conv(graph, op) if isinstance(op, Conv2D) else prepare_fully_connected(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    weights = weights.reshape(len(weights), -1)
    out, depth = weights.shape
    order = [value for first in range(0, depth, UNIT) for value in _expanded(first, depth)]
    return {
        "batch": graph.tensor(op.outputs[0]).elements // out,
        "in": depth,
        "out": out,
        **_parts(p, ordered(weights, order), bias),
    }


def _expanded(first: int, depth: int) -> Iterator[int]:
    """Yield the values of a word in the order in which they are expanded; -1 is none."""
    for value in (first, first + 2, first + 1, first + 3):
        yield value if value < depth else -1


def _parts(p: ConvParameters, weights: Array, bias: Array) -> Fields:
    """Return the parts; channels are padded to whole fours."""
    out = len(weights)
    padding = -out % _GROUP
    weights, bias = np.pad(weights, [(0, padding), (0, 0)]), np.pad(bias, (0, padding))
    reach = accumulator_reach(weights, bias, -128, 127)
    packed = can_be_packed(weights, reach)
    channels = [*range(out), *[out - 1] * padding]
    rounding = choose_rounding(p, channels, reach, packed=packed, group=_GROUP)
    parts = parts_of(rounding.ways, out // _GROUP)
    prefix = f"quads_{'packed' if packed else 'plain'}"
    rows = list[Fields]()
    for position, (way, quads) in enumerate(parts):
        data = _stream(weights, bias, rounding, way, packed=packed)[list(quads)]
        stream = Constant(f"weights_{position}", data)
        first = _GROUP * quads[0]
        called: Fields = (
            {} if way is Way.EXACT else {"quads": Name(f"{prefix}_{rounding.name(way)}")}
        )
        rows.append(
            {
                **called,
                "first": first,
                "count": min(_GROUP * len(quads), out - first),
                "dot": dot(stream, weights.shape[1] // UNIT, _GROUP * len(quads), rounding),
            }
        )
    return {
        "count": len(rows),
        "parts": Structs("parts", "quads_t", tuple(rows)),
        **exactly(p, Name("make_quads_exactly"), Name(f"{prefix}_sums"), [w for w, _ in parts]),
    }


def _stream(weights: Array, bias: Array, rounding: Rounding, way: Way, *, packed: bool) -> Array:
    """Return the stream of all fours as int32 [fours, words]."""
    count = len(weights) // _GROUP
    start = wrapped(starts(bias, rounding.starts(way), packed=packed)).reshape(count, _GROUP)
    words = np.ascontiguousarray(halfwords(weights, packed=packed)).view(np.int32)
    # Of two values the words of both pairs.
    mixed = words.reshape(count, 2, -1).transpose(0, 2, 1).reshape(count, -1)
    ends = wrapped(rounding.ends(way)).reshape(count, -1)
    stream: Array = np.concatenate([start, mixed, ends], axis=1)
    return stream
