"""Calls of fully connected ops, and of convolutions that are one: a single window, no padding.

A :class:`Form` says how the input gets the 16 bits that the inner loop multiplies: whole, piece by
piece, or as it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from harness.arithmetic import ConvParameters, prepare_conv, prepare_fully_connected
from harness.ir import Graph
from harness.ir.ops import Conv2D, FullyConnected
from harness.ir.tensor import Array
from harness.kernels.armv7em.dense_forms import (
    GROUP,
    Form,
    forms_of,
    has_few_channels,
    loads_of,
    row_forms,
    whole_units,
)
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
from harness.kernels.convolution import folded_bias, live_weights, shape, window
from harness.kernels.kernel_set import KernelSet
from harness.kernels.step_function import accumulator_reach
from harness.kernels.variant import RowVariant, Variant

_TYPE = "dsp_fully_connected_t"


def fully_connected(
    graph: Graph, op: FullyConnected | Conv2D, operand: int | None, kernels: KernelSet
) -> Iterator[Variant]:
    """Yield the variants of a fully connected op; a convolution may be done over its input."""

    def calls(form: Form) -> tuple[Call, ...]:
        parameters, header = _fields(graph, op, form), form.loads.header
        function = "dsp_fully_connected"
        if not form.piece:
            return (Call(header, f"{function}_bytes", _TYPE, parameters, (X, Y)),)
        if operand is None:
            return (Call(header, function, _TYPE, parameters, (X, Y, SCRATCH)),)
        return (Call(header, f"{function}_inplace", _TYPE, parameters, (Y, SCRATCH)),)

    for loads in loads_of(kernels):
        *expanding, reading = forms_of(graph, op, loads)
        form = reading if operand is None and has_few_channels(reading) else expanding[-1]
        made = graph.tensor(op.outputs[0]).elements // form.out * form.instructions
        yield Variant(loads.name, partial(calls, form), form.scratch_bytes, loops=made)


def fully_connected_row(
    graph: Graph, op: FullyConnected | Conv2D, kernels: KernelSet
) -> Iterator[RowVariant]:
    """Yield the variants of a fully connected op on a single pixel, with less and less scratch."""

    def calls(form: Form) -> tuple[RowCall, ...]:
        parameters = _fields(graph, op, form)
        is_expanded = form.piece > 0
        function = "dsp_fully_connected_row" if is_expanded else "dsp_fully_connected_bytes_row"
        header = form.loads.header
        return (RowCall(header, function, _TYPE, parameters, takes_scratch=is_expanded),)

    for form in row_forms(graph, op, kernels):
        name, scratch = form.loads.name, form.scratch_bytes
        yield RowVariant(name, partial(calls, form), scratch, loops=form.row_loops)


def window_row(graph: Graph, op: Conv2D, kernels: KernelSet) -> Iterator[RowVariant]:
    """Yield the variants of a convolution whose output rows are one pixel, likewise."""
    x = graph.tensor(op.inputs[0])

    def calls(form: Form) -> tuple[RowCall, ...]:
        parameters: Fields = {
            "x": shape(x.shape[1:]),
            "window": window(op.window),
            "padding": x.zero_point,
            "cells_bytes": whole_units(form.depth, UNIT),
            "dense": _fields(graph, op, form),
        }
        function = "dsp_window_row" if form.piece else "dsp_window_bytes_row"
        header = form.loads.header
        return (RowCall(header, function, "dsp_window_t", parameters, takes_scratch=True),)

    for form in row_forms(graph, op, kernels):
        scratch = whole_units(form.depth, UNIT) + form.scratch_bytes
        yield RowVariant(form.loads.name, partial(calls, form), scratch, loops=form.row_loops)


def is_fully_connected(graph: Graph, op: Conv2D) -> bool:
    """Return whether a convolution has one window, which is all of its input."""
    _, height, width, _ = graph.tensor(op.inputs[0]).shape
    _, rows, columns, _ = graph.tensor(op.outputs[0]).shape
    is_single = rows == columns == 1 and op.window.padding.is_zero
    return is_single and op.window.kernel == (height, width)


def _fields(graph: Graph, op: FullyConnected | Conv2D, form: Form) -> Fields:
    """Return a ``dsp_fully_connected_t``."""
    p = prepare_conv(graph, op) if isinstance(op, Conv2D) else prepare_fully_connected(graph, op)
    weights = live_weights(graph, op, p, axis=0)
    bias = folded_bias(graph, op, p, weights, axis=0)
    weights = weights.reshape(len(weights), -1)
    order = [value for first in range(0, form.depth, UNIT) for value in _expanded(first, form)]
    return {
        "batch": graph.tensor(op.outputs[0]).elements // form.out,
        "in": form.depth,
        "out": form.out,
        **_parts(p, ordered(weights, order), bias, form),
    }


def _expanded(first: int, form: Form) -> Iterator[int]:
    """Yield the values of a word in the order in which they are expanded; -1 is none."""
    for value in (first, first + 2, first + 1, first + 3):
        yield value if value < form.depth else -1


def _parts(p: ConvParameters, weights: Array, bias: Array, form: Form) -> Fields:
    """Return the parts and the pieces; channels are padded to whole fours."""
    padding = -form.out % GROUP
    weights, bias = np.pad(weights, [(0, padding), (0, 0)]), np.pad(bias, (0, padding))
    reach = accumulator_reach(weights, bias, -128, 127)
    packed = can_be_packed(weights, reach)
    channels = [*range(form.out), *[form.out - 1] * padding]
    rounding = choose_rounding(p, channels, reach, packed=packed, group=GROUP)
    parts = parts_of(rounding, form.out // GROUP)
    begins = np.concatenate([_starts(bias, rounding, way, packed)[list(q)] for way, q in parts])
    words = _words(weights[:, form.last], packed=packed)
    kind = "packed" if packed else "plain"
    prefix = f"{form.prefix}_{kind}"
    has_singles = packed and form.piece > 0 and form.loads.has_singles
    quickly = f"{form.prefix}_singles" if has_singles else prefix
    rows = list[Fields]()
    for position, (way, quads) in enumerate(parts):
        some = list(quads)
        ends = wrapped(rounding.ends(way)).reshape(len(begins), -1)[some]
        streams = [words[some], ends] if form.before else [begins[some], words[some], ends]
        stream = Constant(f"weights_{position}", np.concatenate(streams, axis=1))
        first = GROUP * quads[0]
        called: Fields = (
            {} if way is Way.EXACT else {"quads": Name(f"{quickly}_{rounding.name(way)}")}
        )
        rows.append(
            {
                **called,
                "first": first,
                "count": min(GROUP * len(quads), form.out - first),
                "dot": dot(stream, words.shape[1] // UNIT, GROUP * len(quads), rounding),
            }
        )
    return {
        "count": len(rows),
        "parts": Structs("parts", "quads_t", tuple(rows)),
        **exactly(p, Name("make_quads_exactly"), Name(f"{prefix}_sums"), [w for w, _ in parts]),
        **_pieces(weights, begins, rounding, form, kind, "singles" if has_singles else kind),
    }


def _pieces(
    weights: Array, begins: Array, rounding: Rounding, form: Form, kind: str, loop: str
) -> Fields:
    """Return a table of one ``pieces_t``, or nothing if there is but one piece."""
    if not form.before:
        return {}
    pieces = [slice(i * form.piece, (i + 1) * form.piece) for i in range(form.before)]
    words = np.stack([_words(weights[:, piece], packed=kind == "packed") for piece in pieces])
    called: Fields = {
        "add": Name(f"quads_{loop}_add"),
        "count": form.before,
        "values": form.piece,
        "words": words[0].size,
        "starts": Constant("starts", begins),
        "dot": dot(Constant("weights", words), form.piece // UNIT, begins.nbytes, rounding),
    }
    return {"pieces": Structs("pieces", "pieces_t", (called,))}


def _starts(bias: Array, rounding: Rounding, way: Way, packed: bool) -> Array:
    """Return where sums begin that are rounded one way, as int32 [fours, 4]."""
    return wrapped(starts(bias, rounding.starts(way), packed=packed)).reshape(-1, GROUP)


def _words(weights: Array, *, packed: bool) -> Array:
    """Return words of weights as int32 [fours, words]: of two values those of both pairs."""
    words = np.ascontiguousarray(halfwords(weights, packed=packed)).view(np.int32)
    fours = len(weights) // GROUP
    mixed: Array = words.reshape(fours, 2, -1).transpose(0, 2, 1).reshape(fours, -1)
    return mixed
